"""From an experiment's file to its cells, all of them checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from jactrain.config.build import check
from jactrain.config.files import located
from jactrain.config.load import read, refusal, validated
from jactrain.config.models import RUN_NAME
from jactrain.config.places import Place, fail
from jactrain.config.wording import shown
from jactrain.config.yaml import Document
from jactrain.errors import ConfigurationError, Mistake, UsageError
from jactrain.registry import suggest
from jactrain.sweeps.cells import Cell, Sweep
from jactrain.sweeps.models import Experiment
from jactrain.sweeps.names import cell_name
from jactrain.sweeps.variation import Settings, Value, count, factors, settings
from jactrain.training.metrics import metric_names

MOST_CELLS = 10_000
_SHOWN_MISTAKES = 20

_Found: TypeAlias = dict[str, tuple[Mistake, list[str]]]  # by what is printed: a mistake, and where it is


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
    seeds = experiment.seeds
    number, product = count(experiment, seeds if isinstance(seeds, int) else len(seeds))
    if number > most:
        raise UsageError(
            f"{path} describes {number:,} cells: {product}; that is more than {most:,}. Leave some out, or "
            f"allow it with --max-cells {number}"
        )
    sweep = Sweep(
        path, _name(path), experiment, document, base, factors(experiment), _seeds(experiment, base)
    )
    if experiment.search is not None:
        _check_search(sweep, experiment.search.optuna.metric)
        return sweep
    cells = tuple(_checked(sweep))
    _require_different(cells, path)
    return replace(sweep, cells=cells)


def _checked(sweep: Sweep) -> Iterator[Cell]:
    """Yield the cells; after the last, raise ConfigurationError with the mistakes of all."""
    found: _Found = {}
    for given in settings(sweep.experiment):
        for number, seed in enumerate(sweep.seeds):
            name = _cell_name(sweep, given, seed)
            try:
                cell, document = sweep.cell(name, given, seed)
                if number == 0:  # another seed changes nothing of what can be wrong
                    with located(document):
                        check(cell.config, to_train=True)
            except ConfigurationError as error:
                _note(found, error, f"in cell {name}")
                break
            if not found:
                yield cell
        if len(found) >= _SHOWN_MISTAKES:
            break
    _require_none(found)


def _check_search(sweep: Sweep, metric: str) -> None:
    """Raise ConfigurationError for a metric, ends of ranges and choices that no training of a search has."""
    over = sweep.experiment.random.over if sweep.experiment.random else {}
    ends = {
        key: [Value(value, ("random", "over", key)) for value in each.ends()] for key, each in over.items()
    }
    first = {key: values[0] for key, values in ends.items()}
    found: _Found = {}
    for given in (first, *(first | {key: value} for key, values in ends.items() for value in values[1:])):
        try:
            cell, document = sweep.cell("trial", given, sweep.seeds[0])
            with located(document):
                check(cell.config, to_train=True)
        except ConfigurationError as error:
            told = ", ".join(f"{key}: {shown(value.value)}" for key, value in given.items())
            _note(found, error, f"with {told}")
    _require_none(found)
    config = sweep.cell("trial", first, sweep.seeds[0])[0].config
    names = metric_names(check(config, to_train=True).outline.task, config.data.validation > 0)
    if metric not in names:
        mistake = Mistake(
            ("search", "optuna", "metric"),
            f"{shown(metric)} is no metric of these trainings, which have {', '.join(names)}",
            suggest(metric, names),
        )
        raise refusal(sweep.document, [mistake])


def _note(found: _Found, error: ConfigurationError, where: str) -> None:
    for mistake, text in zip(error.mistakes, error.texts, strict=True):
        found.setdefault(text, (mistake, []))[1].append(where)


def _require_none(found: _Found) -> None:
    texts = []
    for text, (_, where) in found.items():
        others = f" and {len(where) - 1} more" if len(where) > 1 else ""
        texts.append(f"{text}\n    {where[0]}{others}")
    if found:
        raise ConfigurationError([mistake for mistake, _ in found.values()], texts)


def _cell_name(sweep: Sweep, given: Settings, seed: int) -> str:
    values = {key: value.value for key, value in given.items()}
    try:
        return cell_name(values, seed, sweep.name, sweep.experiment.name)
    except UsageError as error:
        raise refusal(sweep.document, [Mistake(("name",), str(error).removeprefix("name: "))]) from None


def _base(experiment: Experiment, document: Document, path: Path) -> Document:
    """Return the configuration that is varied, as a document with places of its own."""
    if isinstance(experiment.base, str):
        base = path.parent / experiment.base
        try:
            return read(base)
        except ConfigurationError as error:
            first = error.mistakes[0]
            if first.line is not None:
                raise
            fail(document.place(("base",)), f"base: {base}: {first.message}", first.advice)
    places = {at[1:]: place for at, place in document.places.items() if at[:1] == ("base",)}
    return Document(experiment.base, document.origin, places, document.data)


def _seeds(experiment: Experiment, base: Document) -> Sequence[int]:
    if isinstance(experiment.seeds, list):
        return experiment.seeds
    first = base.value.get("seed", 0) if isinstance(base.value, dict) else 0
    if not isinstance(first, int) or isinstance(first, bool) or first < 0:  # which no cell would tell
        fail(
            base.place(("seed",)),
            f"seed: expected an integer of at least 0, not {shown(first)}",
            "the cells' seeds begin with it",
        )
    return range(first, first + experiment.seeds)


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
