"""The modes that a user asks for on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from jactrain.comparison.gradients import Unknown
from jactrain.config.wording import flow
from jactrain.config.yaml import parse
from jactrain.errors import UsageError
from jactrain.modes import modes
from jactrain.modes.base import Mode

# A mode as tables print it: `random_forward(directions=5, distribution=orthogonal)`.
_LABEL = re.compile(r"\b([a-z][a-z0-9_]*)\(([^()]*)\)")
_OPTION = re.compile(r"(\w+)\s*=\s*")


def modes_asked(texts: Sequence[str]) -> list[Mode | Unknown]:
    """Return the modes in `texts`, each a list such as `reverse, forward(seeds=outputs)`.

    A mode with options is `forward(seeds=outputs)`, as tables print it, or `{forward: {seeds: outputs}}`, as
    configurations have it. One that does not exist, or has options that do not, comes as an Unknown with the
    reason. Raises ConfigurationError for what is no YAML, and UsageError where nothing is named.
    """
    asked: list[Mode | Unknown] = []
    for text in texts:
        values = parse(f"[{_LABEL.sub(_as_yaml, text)}]", "--modes").value
        if len(values) == 1 and isinstance(values[0], list):  # in brackets, as a configuration has it
            (values,) = values
        asked += [found for value in values if (found := _asked(value)) not in asked]
    if not asked:
        raise UsageError("--modes names no mode; give names such as reverse,forward, or leave it out for all")
    return asked


def _as_yaml(label: re.Match[str]) -> str:
    kind, options = label.groups()
    return f"{{{kind}: {{{_OPTION.sub(_as_key, options)}}}}}"


def _as_key(option: re.Match[str]) -> str:
    return f"{option.group(1)}: "


def _asked(value: Any) -> Mode | Unknown:
    try:
        return modes.resolve(value)
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        place = ".".join(str(part) for part in first["loc"])
        return Unknown(flow(value), f"{place}: {first['msg']}" if place else first["msg"])
