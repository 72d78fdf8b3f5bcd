"""Names from elsewhere lead to a kind that is there, and are no kinds themselves."""

import pytest

from jactrain.aliases import ALIASES
from jactrain.config.models import REGISTRIES

BY_GROUP = {registry.group: registry for registry in REGISTRIES}


@pytest.mark.parametrize(
    ("group", "alias", "kind"),
    [(group, alias, kind) for group, names in ALIASES.items() for alias, kind in names.items()],
)
def test_an_alias_is_advice_and_nothing_more(group: str, alias: str, kind: str) -> None:
    registry = BY_GROUP[group]
    assert kind in registry.names()
    assert alias not in registry.names()
    for spelling in (alias, alias.upper(), alias.replace("_", "-")):
        with pytest.raises(KeyError, match=f"there is no {registry.word} {spelling!r}; did you mean {kind}?"):
            registry.get(spelling)


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.group)
def test_a_name_that_nobody_gives_has_the_kinds_listed(registry) -> None:
    assert registry.suggestion("zzzzzz") == f"there are {', '.join(registry.names())}"
