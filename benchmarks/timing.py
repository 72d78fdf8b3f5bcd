"""Timing of several subjects in alternating rounds.

Machines drift: clocks change, neighbours come and go. So every subject runs once a round, rounds follow
each other, and figures are ratios within a round, of which the median is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import median, quantiles
from time import perf_counter
from typing import NamedTuple


class Subject(NamedTuple):
    """What is timed: `run` does `steps` steps, the unit in which its time is given."""

    run: Callable[[], object]
    steps: int


class Spread(NamedTuple):
    """Median and quartiles of one number over the rounds."""

    median: float
    lower: float
    upper: float


def alternate(subjects: Mapping[str, Subject], rounds: int) -> dict[str, list[float]]:
    """Return each subject's seconds a step, one number a round, after one run of each to warm up."""
    for subject in subjects.values():
        subject.run()
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            start = perf_counter()
            subject.run()
            seconds[name].append((perf_counter() - start) / subject.steps)
    return seconds


def spread(numbers: list[float]) -> Spread:
    """Return median and quartiles; a single number is all three."""
    if len(numbers) == 1:
        return Spread(numbers[0], numbers[0], numbers[0])
    lower, _, upper = quantiles(numbers, n=4, method="inclusive")
    return Spread(median(numbers), lower, upper)
