"""The settings that an experiment's cells have: products, pairs and draws."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from jactrain.errors import KeyPath, UsageError
from jactrain.sweeps.models import Experiment, Random, Range

# Draws of a setting that was drawn before, one after another, before it is told that there are no more.
_MOST_REPEATS = 1000


class Value(NamedTuple):
    """A value that a setting is given, and its key path in the experiment's file."""

    value: Any
    path: KeyPath


# Settings by dotted key, in the order of the file.
Settings: TypeAlias = dict[str, Value]


def factors(experiment: Experiment) -> tuple[str, ...]:
    """Return the keys that are varied, without the seed."""
    over = experiment.random.over if experiment.random else ()
    return (*experiment.grid, *experiment.zip, *over)


def count(experiment: Experiment, seeds: int) -> tuple[int, str]:
    """Return how many cells there are, and the product that this comes from, in words."""
    parts = [(len(values), key) for key, values in experiment.grid.items()]
    if experiment.zip:
        parts.append((len(next(iter(experiment.zip.values()))), "zip"))
    if experiment.search is not None:
        parts.append((experiment.search.optuna.trials, "trials"))
    elif experiment.random is not None:
        parts.append((experiment.random.count or 1, "random"))
    parts.append((seeds, "seeds"))
    told = " × ".join(f"{number:,} ({word})" for number, word in parts)
    return math.prod(number for number, _ in parts), told


def settings(experiment: Experiment) -> Iterator[Settings]:
    """Yield every setting, seeds apart; UsageError where fewer different ones can be drawn than asked for."""
    grid = [
        [(key, Value(value, ("grid", key, number))) for number, value in enumerate(values)]
        for key, values in experiment.grid.items()
    ]
    rows = [
        [(key, Value(values[number], ("zip", key, number))) for key, values in experiment.zip.items()]
        for number in range(len(next(iter(experiment.zip.values()))) if experiment.zip else 1)
    ]
    drawn = list(_drawn(experiment.random)) if experiment.random and experiment.random.count else [[]]
    for combination in itertools.product(*grid):
        for row, draw in itertools.product(rows, drawn):
            yield dict([*combination, *row, *draw])


def _drawn(draws: Random) -> Iterator[list[tuple[str, Value]]]:
    """Yield `count` different draws."""
    rng = np.random.default_rng(draws.seed)
    seen: set[str] = set()
    for _ in range(draws.count or 0):
        for _ in range(_MOST_REPEATS):
            values = {key: _draw(each, rng) for key, each in draws.over.items()}
            text = json.dumps(values, sort_keys=True)
            if text not in seen:
                break
        else:
            raise UsageError(
                f"random.count is {draws.count}, and no more than {len(seen)} different settings are drawn "
                "from random.over; lower the count, or list the values under grid"
            )
        seen.add(text)
        yield [(key, Value(value, ("random", "over", key))) for key, value in values.items()]


def _draw(each: Range, rng: np.random.Generator) -> Any:
    if each.uniform is not None:
        return float(rng.uniform(*each.uniform))
    if each.log_uniform is not None:
        low, high = map(math.log, each.log_uniform)
        return float(math.exp(rng.uniform(low, high)))
    if each.integers is not None:
        low, high = each.integers
        return int(rng.integers(low, high, endpoint=True))
    choices = each.choice or []
    return choices[int(rng.integers(len(choices)))]
