"""JSON from files that may be damaged: read, parsed and validated, or refused with what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from jactrain.config.wording import dotted, shown
from jactrain.errors import RunError
from jactrain.files import reachable

_MAXIMUM_BYTES = 256 * 2**20
_MOST_MISTAKES = 3

Model = TypeVar("Model", bound=BaseModel)


def read_bytes(path: Path) -> bytes:
    """Return what the file at `path` holds; RunError where there is none, or far too much in it."""
    with reachable(path, "read"):
        if not path.is_file():
            raise RunError(f"there is no file {path}")
        if path.stat().st_size > _MAXIMUM_BYTES:
            raise RunError(f"{path} has more than {_MAXIMUM_BYTES:,} bytes; is it the right file?")
        return path.read_bytes()


def read_json(path: Path) -> Any:
    """Return the JSON value in the file at `path`; RunError, with its name, where there is none."""
    data = read_bytes(path)
    try:
        return parse_json(data)
    except RunError as error:
        raise RunError(f"{path} is {error}; it may have been cut off or edited") from None


def parse_json(data: bytes | str) -> Any:
    """Return the JSON value in `data`; RunError that says why where it is not JSON, NaN among it.

    The message names a line if there are several; it begins so that a place can be put before it.
    """
    try:
        return json.loads(data, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error) or "too deep"
        where = ""
        if isinstance(error, json.JSONDecodeError) and "\n" in error.doc.strip():
            where = f" at line {error.lineno}"
        raise RunError(f"not JSON{where}: {why}") from None


def validated(model: type[Model], value: Any) -> Model:
    """Return `value` as a `model`; RunError naming the fields that are wrong, expected and given."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # What is wrong tells more than what is not there.
        mistakes = sorted(error.errors(include_url=False), key=lambda one: one["type"] == "missing")
    except RecursionError:
        raise RunError("the record nests too deep") from None
    texts = [
        f"{dotted(mistake['loc']) or 'the record'}: {_message(mistake)}"
        for mistake in mistakes[:_MOST_MISTAKES]
    ]
    more = f" and {len(mistakes) - _MOST_MISTAKES} more" if len(mistakes) > _MOST_MISTAKES else ""
    raise RunError(f"the record is damaged: {'; '.join(texts)}{more}")


def _message(mistake: Any) -> str:
    if mistake["type"] == "extra_forbidden":
        return "there is no such field"
    message = str(mistake["msg"]).removeprefix("Value error, ")
    message = f"{message[:1].lower()}{message[1:]}"
    return (
        message
        if mistake["type"] in ("missing", "value_error")
        else f"{message}, not {shown(mistake['input'])}"
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")
