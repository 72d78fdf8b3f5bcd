"""Timing of several subjects in alternating rounds.

Machines drift: clocks change, neighbours come and go. So every subject runs once a round, rounds follow
each other, and figures are ratios within a round, of which the median is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from random import Random
from statistics import median, quantiles
from time import perf_counter, sleep
from typing import NamedTuple

from benchmarks.threads import limited


@dataclass(frozen=True)
class Subject:
    """What is timed: `run` does `steps` steps, the unit in which its time is given.

    threads: of BLAS and PyTorch while it runs; None for those it starts with. stated: what is said of its
    threads, if that number does not say it. around: entered for each run, outside of what is timed.
    first: the seconds that a first run took, if it is over: compiling, most of all. tells: whether `run`
    returns the seconds to be taken instead of the clock's. told: what else is to be said of it.
    """

    run: Callable[[], object]
    steps: int = 1
    threads: int | None = None
    stated: str = ""
    around: Callable[[], AbstractContextManager[object]] = field(default=nullcontext)
    first: float | None = None
    tells: bool = False
    told: str = ""

    @property
    def threads_in_words(self) -> str:
        """The threads, as the tables give them."""
        return self.stated or ("default" if self.threads is None else str(self.threads))

    def seconds(self) -> float:
        """Return the seconds of one run."""
        with ExitStack() as stack:
            stack.enter_context(limited(self.threads))
            stack.enter_context(self.around())
            start = perf_counter()
            result = self.run()
            seconds = perf_counter() - start
            return float(result) if self.tells else seconds


class Spread(NamedTuple):
    """Median and quartiles of one number over the rounds."""

    median: float
    lower: float
    upper: float


class Times(NamedTuple):
    """The seconds a step of one subject, a number for each round, and those of its whole first run."""

    first: float
    rounds: list[float]


def alternate(subjects: Mapping[str, Subject], rounds: int, pause: float = 0.0) -> dict[str, Times]:
    """Return each subject's times, after one run of each to warm up, unless it is over.

    Each round has an order of its own, drawn at random, so that none always follows the same one: what ran
    before leaves threads that wait for more, and cores awake or asleep. pause: seconds before each run, in
    which such threads stop.
    """
    times = {}
    for name, subject in subjects.items():
        times[name] = Times(subject.seconds() if subject.first is None else subject.first, [])
    rng = Random(0)  # noqa: S311 - an order of rounds is no secret
    for _ in range(rounds):
        for name in rng.sample(list(subjects), len(subjects)):
            sleep(pause)
            times[name].rounds.append(subjects[name].seconds() / subjects[name].steps)
    return times


def spread(numbers: Sequence[float]) -> Spread:
    """Return median and quartiles; a single number is all three."""
    if len(numbers) == 1:
        return Spread(numbers[0], numbers[0], numbers[0])
    lower, _, upper = quantiles(numbers, n=4, method="inclusive")
    return Spread(median(numbers), lower, upper)
