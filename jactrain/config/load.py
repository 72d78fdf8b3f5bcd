"""Configurations read from files and validated, with every mistake at its file, line and column."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jactrain.config.places import Place, fail
from jactrain.config.scalars import scalar
from jactrain.config.wording import dotted, set_option, shortened, shown
from jactrain.config.yaml import MAXIMUM_BYTES, Document, check_size, parse
from jactrain.errors import ConfigurationError, KeyPath, Mistake
from jactrain.registry import PlacedValueError, suggest, with_article

T = TypeVar("T", bound=BaseModel)
_Error: TypeAlias = tuple[KeyPath, ErrorDetails]  # what is left of its location, and the error
_Finding: TypeAlias = tuple[KeyPath, list[ErrorDetails]]  # a real key path, and one error or a union's

_LONGEST_MESSAGE = 1000
_LONGEST_INPUT = 60

# What was expected, for pydantic's errors about the sort of a value …
_SORTS = {
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "none_required": "null",
    "literal_error": "{expected}",
    "enum": "{expected}",
}
# … and for those about a value of the right sort; a message says either "expected X, not Y".
_LIMITS = {
    "finite_number": "a finite number",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number less than {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "too_short": "a length of at least {min_length}",
    "too_long": "a length of at most {max_length}",
    "string_too_short": "text of length {min_length} or more",
    "string_too_long": "text of length {max_length} or less",
    "string_pattern_mismatch": "text that matches {pattern}",
}
_EXPECTED = _SORTS | _LIMITS

# What `Registry` says of a value that is no component: the word for one, then "did you mean".
_NO_KIND = re.compile(r"there is no (?P<word>[\w ]+?) ['\"].*; (?P<hint>.*)", re.DOTALL)
_NO_COMPONENT = re.compile(r"an? (?P<word>[\w ]+?) is its name")


def read(path: Path, overrides: Sequence[str] = ()) -> Document:
    """Return the document in the file at `path`, with each of `overrides` (`a.b=value`) applied in turn.

    Raises ConfigurationError for a file that is missing, a folder, unreadable or too large, and for all
    that `parse` and `Document.with_override` refuse.
    """
    origin = str(path)
    try:
        check_size(path.stat().st_size, origin)
        with path.open("rb") as file:
            data = file.read(MAXIMUM_BYTES + 1)  # a pipe has no size beforehand
    except FileNotFoundError:
        fail(Place(origin), "there is no such file", _nearest_files(path))
    except IsADirectoryError:
        fail(Place(origin), "this is a folder, not a file", "name a configuration file in it")
    except PermissionError:
        fail(Place(origin), "this file may not be read", "look at its permissions")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        fail(Place(origin), f"this file cannot be read: {reason}", "look at its path")
    document = parse(data, origin)
    for assignment in overrides:
        document = document.with_override(assignment)
    return document


def validated(document: Document, model: type[T], context: dict[str, Any] | None = None) -> T:
    """Return `document` as a `model`; `context` is pydantic's, `{"folder": Path}` of the configuration.

    Raises ConfigurationError with every mistake, ordered by place.
    """
    try:
        return model.model_validate(document.value, context=context)
    except ValidationError as error:
        located = [(detail["loc"], detail) for detail in error.errors(include_url=False)]
        findings = _settled(document.value, (), located)
        raise refusal(document, [_mistake(document, path, details) for path, details in findings]) from None


def refusal(document: Document, mistakes: Iterable[Mistake]) -> ConfigurationError:
    """Return the error for `mistakes` in `document`, located and ordered by place."""
    ordered = _ordered(document, mistakes)
    located = [document.place(mistake.path).locate(mistake) for mistake in ordered]
    return ConfigurationError(located, [_rendered(document, mistake) for mistake in ordered])


def _rendered(document: Document, mistake: Mistake) -> str:
    """Return `mistake` as `file:line:column: key.path: message` and its source."""
    message = f"{dotted(mistake.path)}: {mistake.message}" if mistake.path else mistake.message
    return document.place(mistake.path).report(shortened(message, _LONGEST_MESSAGE), mistake.advice)


def _ordered(document: Document, mistakes: Iterable[Mistake]) -> list[Mistake]:
    def position(mistake: Mistake) -> tuple[bool, int, int]:
        place = document.place(mistake.path)
        return place.line == 0, place.line, place.column  # those of the command line come last

    return sorted(mistakes, key=position)


def _nearest_files(path: Path) -> str:
    if not path.parent.is_dir():
        return f"there is no folder {path.parent} either"
    try:
        names = sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return "look at its path"
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    configurations = [name for name in names if name.endswith((".yaml", ".yml"))][:10]
    if near:
        return f"did you mean {' or '.join(near)}?"
    if configurations:
        return f"there are {', '.join(configurations)}"
    return "jactrain init writes one to begin with"


def _settled(node: Any, path: KeyPath, errors: Iterable[_Error]) -> list[_Finding]:
    """Return the findings that `errors` come to, each at a key path that exists below `node`, at `path`.

    Pydantic's locations name the branches of a union ("float", "list[int]") between the real keys; whatever
    the document does not have is such a name, and goes. Of a union's branches the one that got furthest
    speaks for all: it took the sort of the value, or went deeper into it. If none did, all speak together.
    """
    found: list[_Finding] = []
    below: dict[str | int, list[_Error]] = {}
    branches: dict[str | int, list[_Error]] = {}
    for location, detail in errors:
        if not location or (detail["type"] == "missing" and len(location) == 1):
            found.append((path, [detail]))
        else:
            head, *rest = location
            keys = node if isinstance(node, dict) else range(len(node) if isinstance(node, list) else 0)
            (below if head in keys else branches).setdefault(head, []).append((tuple(rest), detail))
    for key, inside in below.items():
        found += _settled(node[key], (*path, key), inside)
    settled = [_settled(node, path, inside) for inside in branches.values()]
    further = [findings for findings in settled if any(_got_further(finding, path) for finding in findings)]
    if further:
        found += max(further, key=lambda findings: max(len(at) for at, _ in findings))
    elif settled:
        found.append(
            (path, [detail for findings in settled for _, details in findings for detail in details])
        )
    return found


def _got_further(finding: _Finding, path: KeyPath) -> bool:
    at, details = finding
    return len(at) > len(path) or any(
        _component_word(it) is None and it["type"] not in _SORTS for it in details
    )


def _mistake(document: Document, path: KeyPath, details: Sequence[ErrorDetails]) -> Mistake:
    """Return what `details`, one error or those of a union's branches, say of the value at `path`."""
    first, came = details[0], details[0]["input"]
    if first["type"] == "missing":
        key, name = first["loc"][-1], _bare_name(document, path)
        return Mistake(path, f"missing key {shown(key)}", f"write {{{name}: {{{key}: …}}}}" if name else "")
    if any(it["type"] == "component" for it in details) and (beside := _set_beside(document, path, came)):
        return beside
    expected = list(dict.fromkeys(filter(None, map(_expected, details))))
    if expected and (len(details) > 1 or first["type"] in _EXPECTED):
        if "a number" in expected and "an integer" in expected:
            expected.remove("an integer")
        if expected == ["a list"] and isinstance(came, str | int | float):
            return Mistake(path, f"expected a list, not {shown(came)}", f"write [{shown(came)}]")
        advice = next(filter(None, map(_advice, details)), "")
        return Mistake(path, f"expected {' or '.join(expected)}, not {shown(came)}", advice)
    if isinstance(placed := first.get("ctx", {}).get("error"), PlacedValueError):
        return Mistake((*path, *placed.path), str(placed))
    message = first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    if message.startswith("Input should be "):
        message = f"expected {message.removeprefix('Input should be ')}, not {shown(came)}"
    for quoted in (came, first["loc"][-1] if first["loc"] else ""):
        if len(repr(quoted)) > _LONGEST_INPUT:
            message = message.replace(repr(quoted), shown(quoted))
    return Mistake(path, message)


def _set_beside(document: Document, path: KeyPath, came: Any) -> Mistake | None:
    """Return the mistake of an override that puts a second component beside the first, if it is that."""
    keys = came if isinstance(came, dict) else {}
    new = [key for key in keys if document.place((*path, key)).is_argument]
    if len(new) != 1 or len(keys) != 2:
        return None
    (old,) = keys.keys() - new
    message = (
        f"{dotted(path)} is {shown(old)[1:-1]} already, beside which there can be no {shown(new[0])[1:-1]}"
    )
    return Mistake((*path, *new), message, f"to replace it: {set_option(path, {new[0]: came[new[0]]})}")


def _bare_name(document: Document, path: KeyPath) -> str:
    node = document.value
    for key in path:
        node = node[key]
    return node if isinstance(node, str) else ""


def _component_word(detail: ErrorDetails) -> str | None:
    """Return what the registry calls a component, if the error is that the value is none."""
    if detail["type"] not in ("unknown_kind", "component"):
        return None
    match = _NO_KIND.match(detail["msg"]) or _NO_COMPONENT.match(detail["msg"])
    return match["word"] if match else "component"


def _expected(detail: ErrorDetails) -> str:
    if word := _component_word(detail):
        return with_article(word)
    limits = {
        name: int(limit) if isinstance(limit, float) and limit.is_integer() else limit
        for name, limit in detail.get("ctx", {}).items()
    }
    return _EXPECTED.get(detail["type"], "").format_map(limits)


def _advice(detail: ErrorDetails) -> str:
    came, expected = detail["input"], _expected(detail)
    if detail["type"] == "unknown_kind" and (match := _NO_KIND.match(detail["msg"])):
        return match["hint"]
    if detail["type"] == "literal_error" and isinstance(came, str):
        near = suggest(came, re.findall("'([^']*)'", expected))
        return near if near.startswith("did you mean") else ""
    if expected == "an integer" and isinstance(number := _number(came), int | float):
        return f"write {int(number)}" if int(number) == number else ""
    if expected == "a number" and isinstance(number := _number(came), int | float):
        return f"write {number}"
    return ""


def _number(came: Any) -> Any:
    """Return the finite number that was meant by `3.0` or by text such as "3" or "1_000", or None."""
    if isinstance(came, str) and len(came) <= _LONGEST_INPUT:
        came = scalar(came.replace("_", ""))
    return came if isinstance(came, int | float) and abs(came) < 1e15 and not isinstance(came, bool) else None
