"""The cells of an experiment: each a configuration with a name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from jactrain.config.load import validated
from jactrain.config.models import Config
from jactrain.config.places import Place
from jactrain.config.resolved import resolved
from jactrain.config.yaml import Document
from jactrain.errors import KeyPath
from jactrain.sweeps.models import Experiment
from jactrain.sweeps.variation import Settings, Value


@dataclass(frozen=True, eq=False)
class Cell:
    """One training: its name, what of its settings is its own, its configuration."""

    name: str
    seed: int
    settings: dict[str, Any]
    config: Config

    @property
    def digest(self) -> str:
        """What stands for the whole configuration but its name."""
        return digest(self.config)


def digest(config: Config) -> str:
    """Return the SHA-256 of `config` without its name."""
    values = {key: value for key, value in resolved(config).items() if key != "name"}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Sweep:
    """An experiment's file, read and checked.

    name: of its folder, from the file's. factors: the keys that vary, without the seed. seeds: of the
    repeats. cells: empty for a search, which makes them by `cell` as it goes.
    """

    path: Path
    name: str
    experiment: Experiment
    document: Document
    base: Document
    factors: tuple[str, ...]
    seeds: Sequence[int]
    cells: tuple[Cell, ...] = field(default=(), repr=False)

    @cached_property
    def places(self) -> dict[KeyPath, dict[KeyPath, Place]]:
        """Where values of the experiment's file stand, with all that is in them."""
        return _places_within(self.document)

    def cell(self, name: str, given: Settings, seed: int) -> tuple[Cell, Document]:
        """Return the cell called `name` with these settings, and the document that it was read from.

        Raises ConfigurationError with the places of its mistakes, in the experiment's file or the base's.
        """
        fixed = {key: Value(value, ("set", key)) for key, value in self.experiment.set.items()}
        document = _varied(
            self.base, self.document, self.places, fixed | given | {"seed": Value(seed, ("seeds",))}
        )
        document = document.with_value("name", name, {(): self.document.place(("name",))})
        config = validated(document, Config, {"folder": Path(self.base.origin).resolve().parent})
        return Cell(name, seed, {key: value.value for key, value in given.items()}, config), document


def _varied(
    base: Document, document: Document, places: dict[KeyPath, dict[KeyPath, Place]], given: Settings
) -> Document:
    """Return `base` with the settings in it, whole components before their options."""
    for key in sorted(given, key=lambda key: key.count(".")):
        value, path = given[key]
        base = base.with_value(key, value, places.get(path) or {(): document.place(path)})
    return base


def _places_within(document: Document) -> dict[KeyPath, dict[KeyPath, Place]]:
    """Return for the path of every value that a cell may be given the places of all that is in it."""
    found: dict[KeyPath, dict[KeyPath, Place]] = {}
    for at, place in document.places.items():
        for length in (2, 3):  # set, key; grid, key, number
            if len(at) >= length:
                found.setdefault(at[:length], {})[at[length:]] = place
    return found
