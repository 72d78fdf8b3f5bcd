"""Errors of data and modes as mistakes of a configuration, at the key path that they come from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jactrain.errors import (
    ConfigurationError,
    DataError,
    KeyPath,
    Mistake,
    OptionError,
    UnsupportedError,
)


@contextmanager
def noting(mistakes: list[Mistake], path: KeyPath, kind: str = "") -> Iterator[None]:
    """Turn what `located_at` turns into a ConfigurationError into `mistakes` at `path`."""
    try:
        with located_at(path, kind):
            yield
    except ConfigurationError as error:
        mistakes.extend(error.mistakes)


@contextmanager
def located_at(path: KeyPath, kind: str = "") -> Iterator[None]:
    """Turn an error of data, or of what a mode can do, into a ConfigurationError at `path`.

    An option that does not fit is looked for in what the component `kind` at `path` was given.
    """
    try:
        yield
    except (DataError, OptionError, UnsupportedError) as error:
        message, _, more = str(error).partition("\n")  # a file's complaints are a line each
        if isinstance(error, OptionError):
            path = (*path, kind, error.option)
        raise ConfigurationError([Mistake(path, message, more)]) from None
