"""A configuration written out with every option, so that running it repeats the run."""

from __future__ import annotations

from typing import Any

import yaml

from jactrain.config.models import Config
from jactrain.config.scalars import scalar


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, since the loader takes none, and quotes text that the loader would not read as text.

    PyYAML goes by YAML 1.1, where `1e3` is text; to the loader it is a number.
    """

    def ignore_aliases(self, data: Any) -> bool:
        """Repeat what occurs twice."""
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if isinstance(scalar(value), str) else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(str, _text)


def resolved_yaml(config: Config) -> str:
    """Return `config` as YAML, every default spelled out and every path absolute."""
    return as_yaml(resolved(config))


def as_yaml(values: dict[str, Any]) -> str:
    """Return plain values as the loader reads them."""
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def resolved(config: Config) -> dict[str, Any]:
    """Return `config` as plain mappings, lists, texts and numbers."""
    return config.model_dump(mode="json")
