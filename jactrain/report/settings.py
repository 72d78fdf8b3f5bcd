"""The settings in which configurations differ, as a person writes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple


class _No(Enum):
    SUCH_KEY = 0  # where others have one: a difference
    SUCH_COMPONENT = 1  # nothing to compare: that the components differ has a row of its own


class Difference(NamedTuple):
    """A setting by its dotted path, and its value in each configuration: `–` where there is none."""

    path: str
    cells: tuple[str, ...]


def differences(configurations: Sequence[Mapping[str, Any]]) -> list[Difference]:
    """Return the settings in which `configurations`, as they were parsed, are not all the same.

    Of components, such as `optimizer: adam | sgd`, the names; their options among those with the same name.
    """
    return [*_differences("", list(configurations))]


def _differences(path: str, values: Sequence[Any]) -> Iterator[Difference]:
    own = [value for value in values if value is not _No.SUCH_COMPONENT]
    cells = tuple(map(spelled, values))
    if len({spelled(value) for value in own}) < 2:
        return
    names = [_name(value) for value in own]
    if all(names):
        if len({*names}) > 1:
            yield Difference(path, tuple(_name(value) or "–" for value in values))
        for name in dict.fromkeys(names):
            options = [_options(value) if _name(value) == name else _No.SUCH_COMPONENT for value in values]
            yield from _differences(f"{path}.{name}", options)
    elif all(isinstance(value, Mapping) for value in own):
        for key in dict.fromkeys(key for value in own for key in value):
            yield from _differences(f"{path}.{key}".strip("."), [_item(value, key) for value in values])
    elif all(isinstance(value, list) for value in own) and len({len(value) for value in own}) == 1:
        for index in range(len(own[0])):
            items = [value[index] if isinstance(value, list) else value for value in values]
            yield from _differences(f"{path}.{index}", items)
    else:
        yield Difference(path, cells)


def _item(value: Any, key: str) -> Any:
    return value.get(key, _No.SUCH_KEY) if isinstance(value, Mapping) else value


def _name(value: Any) -> str | None:
    """Return the name of a component, `adam` of `adam` or `{adam: {…}}`; None for another value."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and len(value) == 1:
        ((name, options),) = value.items()
        return str(name) if isinstance(options, Mapping) else None
    return None


def _options(value: Any) -> Mapping[str, Any]:
    return {} if isinstance(value, str) else next(iter(value.values()))


def spelled(value: Any) -> str:
    """Return a setting's value on one line: `linear(units=16), tanh`."""
    if value is None or isinstance(value, _No):
        return "–"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(spelled, value)) or "[]"
    if (name := _name(value)) is not None:
        return f"{name}{_listed(_options(value))}"
    return _listed(value) if isinstance(value, Mapping) else str(value)


def _listed(options: Mapping[str, Any]) -> str:
    return f"({', '.join(f'{key}={spelled(value)}' for key, value in options.items())})" if options else ""
