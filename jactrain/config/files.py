"""Configuration files, loaded and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jactrain.config.load import read, refusal, validated
from jactrain.config.models import Config
from jactrain.config.places import fail
from jactrain.config.yaml import Document
from jactrain.errors import ConfigurationError


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Return the configuration in the file at `path`, with `overrides` such as "training.epochs=3".

    Raises ConfigurationError with the file, line and column of every mistake.
    """
    return load_document(path, overrides)[0]


def load_document(path: Path | str, overrides: Sequence[str] = ()) -> tuple[Config, Document]:
    """Return the configuration and the document it was read from, for messages about places in it."""
    document = read(Path(path), overrides)
    if isinstance(document.value, dict) and "base" in document.value and "network" not in document.value:
        fail(
            document.place(("base",)),
            "this is an experiment, not a configuration",
            f"train its cells with jactrain sweep {path}",
        )
    folder = Path(path).resolve().parent
    return validated(document, Config, {"folder": folder}), document


@contextmanager
def located(document: Document) -> Iterator[None]:
    """Give the mistakes of a ConfigurationError raised within their places in `document`."""
    try:
        yield
    except ConfigurationError as error:
        raise refusal(document, error.mistakes) from None
