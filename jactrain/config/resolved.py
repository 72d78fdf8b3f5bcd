"""A configuration written out with every option, so that running it repeats the run."""

from __future__ import annotations

from typing import Any

import yaml

from jactrain.config.models import Config


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, since the loader takes none, and numbers that it reads back the same."""

    def ignore_aliases(self, data: Any) -> bool:
        """Repeat what occurs twice."""
        return True


def _number(dumper: yaml.SafeDumper, value: float) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", repr(value))


_Dumper.add_representer(float, _number)


def resolved_yaml(config: Config) -> str:
    """Return `config` as YAML, every default spelled out and every path absolute."""
    return yaml.dump(resolved(config), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def resolved(config: Config) -> dict[str, Any]:
    """Return `config` as plain mappings, lists, texts and numbers."""
    return config.model_dump(mode="json")
