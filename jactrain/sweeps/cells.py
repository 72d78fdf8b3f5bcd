"""The cells of an experiment: each a configuration with a name, all of them checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jactrain.config.build import check
from jactrain.config.files import located
from jactrain.config.load import read, validated
from jactrain.config.models import RUN_NAME, Config
from jactrain.config.resolved import resolved
from jactrain.config.yaml import Document, Place, fail
from jactrain.errors import ConfigurationError, Mistake, UsageError
from jactrain.sweeps.models import Experiment
from jactrain.sweeps.names import cell_name
from jactrain.sweeps.variation import Settings, Value, count, factors, settings

MOST_CELLS = 10_000
_SHOWN_MISTAKES = 20


@dataclass(frozen=True, eq=False)
class Cell:
    """One training: its name, what of its settings is its own, its configuration."""

    name: str
    seed: int
    settings: dict[str, Any]
    config: Config

    @property
    def digest(self) -> str:
        """What stands for the whole configuration but its name: SHA-256."""
        values = {key: value for key, value in resolved(self.config).items() if key != "name"}
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
    seeds: tuple[int, ...]
    cells: tuple[Cell, ...] = field(default=(), repr=False)

    def cell(self, name: str, given: Settings, seed: int) -> tuple[Cell, Document]:
        """Return the cell called `name` with these settings, and the document that it was read from.

        Raises ConfigurationError with the places of its mistakes, in the experiment's file or the base's.
        """
        fixed = {key: Value(value, ("set", key)) for key, value in self.experiment.set.items()}
        document = _varied(self.base, self.document, fixed | given | {"seed": Value(seed, ("seeds",))})
        document = document.with_value("name", name, {(): self.document.place(("name",))})
        config = validated(document, Config, {"folder": Path(self.base.origin).resolve().parent})
        return Cell(name, seed, {key: value.value for key, value in given.items()}, config), document


def read_sweep(path: Path | str, most: int = MOST_CELLS) -> Sweep:
    """Return the sweep that the file at `path` describes, all of its cells checked.

    Raises ConfigurationError with the place of every mistake and the cells that it is in, and UsageError
    where there are more than `most` cells, two of one name, or two with the same settings.
    """
    path = Path(path)
    document = read(path)
    if isinstance(document.value, dict) and "network" in document.value and "base" not in document.value:
        fail(
            Place(document.origin),
            "this is a configuration, not an experiment",
            f"train it with jactrain run {path}, or write a file that names it: base: {path.name}",
        )
    experiment = validated(document, Experiment)
    base = _base(experiment, document, path)
    sweep = Sweep(
        path,
        _name(path),
        experiment,
        document,
        base,
        factors(experiment),
        _seeds(experiment, base),
    )
    number, product = count(experiment, len(sweep.seeds))
    if number > most:
        raise UsageError(
            f"{path} describes {number:,} cells: {product}; that is more than {most:,}. Leave some out, or "
            f"allow it with --max-cells {number}"
        )
    if experiment.search is not None:
        return sweep
    cells = tuple(_checked(sweep))
    _require_different(cells, path)
    return Sweep(**{**sweep.__dict__, "cells": cells})


def _checked(sweep: Sweep) -> Iterator[Cell]:
    """Yield the cells; after the last, raise ConfigurationError with the mistakes of all."""
    found: dict[str, tuple[Mistake, list[str]]] = {}
    for given in settings(sweep.experiment):
        values = {key: value.value for key, value in given.items()}
        for number, seed in enumerate(sweep.seeds):
            name = cell_name(values, seed, sweep.name, sweep.experiment.name)
            try:
                cell, document = sweep.cell(name, given, seed)
                if number == 0:  # another seed changes nothing of what can be wrong
                    with located(document):
                        check(cell.config, to_train=True)
            except ConfigurationError as error:
                for mistake, text in zip(error.mistakes, error.texts, strict=True):
                    found.setdefault(text, (mistake, []))[1].append(name)
                break
            if not found:
                yield cell
        if len(found) >= _SHOWN_MISTAKES:
            break
    if found:
        texts = []
        for text, (_, names) in found.items():
            others = f" and {len(names) - 1} more" if len(names) > 1 else ""
            texts.append(f"{text}\n    in cell {names[0]}{others}")
        raise ConfigurationError([mistake for mistake, _ in found.values()], texts)


def _varied(base: Document, document: Document, given: Settings) -> Document:
    """Return `base` with the settings in it, whole components before their options."""
    for key in sorted(given, key=lambda key: key.count(".")):
        value, path = given[key]
        inside = {at[len(path) :]: place for at, place in document.places.items() if at[: len(path)] == path}
        if () not in inside:
            inside = {(): document.place(path)}
        base = base.with_value(key, value, inside)
    return base


def _base(experiment: Experiment, document: Document, path: Path) -> Document:
    """Return the configuration that is varied, as a document with places of its own."""
    if isinstance(experiment.base, str):
        return read(path.parent / experiment.base)
    places = {at[1:]: place for at, place in document.places.items() if at[:1] == ("base",)}
    return Document(experiment.base, document.origin, places, document.data)


def _seeds(experiment: Experiment, base: Document) -> tuple[int, ...]:
    if isinstance(experiment.seeds, list):
        return tuple(experiment.seeds)
    first = base.value.get("seed", 0) if isinstance(base.value, dict) else 0
    first = first if isinstance(first, int) and first >= 0 else 0  # what is wrong with it is told by a cell
    return tuple(range(first, first + experiment.seeds))


def _name(path: Path) -> str:
    """Return the name of the experiment's folder; UsageError where the file's is no name of a run."""
    if not re.fullmatch(RUN_NAME, path.stem):
        raise UsageError(
            f"{path} names the folder of its runs, {path.stem!r}, and that must match {RUN_NAME}; rename it"
        )
    return path.stem


def _require_different(cells: tuple[Cell, ...], path: Path) -> None:
    names: dict[str, Cell] = {}
    digests: dict[str, Cell] = {}
    for cell in cells:
        if (same := digests.setdefault(cell.digest, cell)) is not cell:
            raise UsageError(
                f"{path}: the cells {same.name} and {cell.name} have the same settings; leave one out"
            )
        if (same := names.setdefault(cell.name, cell)) is not cell:
            raise UsageError(
                f"{path}: two cells are called {cell.name}, {same.settings} with seed {same.seed} and "
                f"{cell.settings} with seed {cell.seed}; give a pattern that tells them apart, such as "
                'name: "{hash}-{seed}"'
            )
