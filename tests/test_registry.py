"""What a registry refuses, and in which words."""

from abc import ABC, abstractmethod

import pytest

from jactrain.errors import RegistrationError
from jactrain.registry import Component, Registry


class Thing(Component, ABC):
    """Base of all things."""

    @abstractmethod
    def use(self) -> None:
        """Use it."""


class Right(Thing):
    """A thing that is complete."""

    def use(self) -> None:
        """Use it."""


class Untold(Right):
    pass


class Unfinished(Thing):
    """A thing that cannot be used."""


@pytest.fixture
def things() -> Registry[Thing]:
    registry: Registry[Thing] = Registry("thing", "things")
    registry.register("right")(Right)
    return registry


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("Not A Name", Right, "a thing is named in lower_case_words, not 'Not A Name'; rename it"),
        ("right", Right, "the thing 'right' is registered already, by .*; choose another name"),
        ("untold", Untold, r"the thing 'untold' \(Untold\) has no docstring; its first line is what"),
        ("unfinished", Unfinished, r"the thing 'unfinished' \(Unfinished\) does not define use"),
    ],
)
def test_a_component_that_is_not_complete_is_refused(
    things: Registry[Thing], name: str, kind: type[Thing], said: str
) -> None:
    with pytest.raises(RegistrationError, match=said):
        things.register(name)(kind)
    assert things._kinds == {"right": Right}
