"""How long a gradient will take, from its multiply-adds and the rate at which a first piece of it runs.

Rates differ a hundredfold: a product of large matrices runs at another one than an elementwise layer, and
a small network's time is that of the calls. So the rate is of the mode itself on this very batch, which is
started and, when the time is up, stopped between two products.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from jactrain.arrays import Array
from jactrain.linearization import Work
from jactrain.modes.base import Plan
from jactrain.modes.gradients import Gradients
from jactrain.objective import Batch, Evaluation, Linearization, Objective

# Seconds that a mode may run for to tell its rate, and those after which it is stopped in any case.
SLICE = 0.1
_LONGEST = 1.0
_MOST_REPEATS = 9


def predicted_seconds(plan: Plan, rate: float) -> float:
    """Return the seconds of one gradient at `rate` multiply-adds a second, such as `measured_rate` gives."""
    return plan.multiply_adds / rate


def measured_rate(
    plan: Plan, parameters: Array, batch: Batch, rng: np.random.Generator, seconds: float = SLICE
) -> float:
    """Return the multiply-adds a second of a gradient as planned, run for about `seconds` at most.

    A gradient that is done within that time runs to its end a few times, played back where training would
    play it back. One that is not is stopped twice, and the first time is to warm up.
    """
    with np.errstate(all="ignore"):
        started = perf_counter()
        piece = _piece(plan, parameters, batch, rng, seconds)
        if not piece.whole:
            return _piece(plan, parameters, batch, rng, seconds).rate
        gradient = Gradients(plan.mode, plan.objective)
        warm = 2 if plan.computed_by.mode.recordable else 0  # recorded, and confirmed
        rates: list[float] = []
        while len(rates) < warm + _MOST_REPEATS:
            before = perf_counter()
            result = gradient(parameters, batch, rng)
            rates.append(result.work.multiply_adds / (perf_counter() - before))
            if len(rates) > warm and perf_counter() - started > seconds:
                break
        return median(rates[warm:])


class _Piece(NamedTuple):
    """How long a gradient takes by what was done of it, and whether that is all."""

    rate: float
    whole: bool


def _piece(plan: Plan, parameters: Array, batch: Batch, rng: np.random.Generator, seconds: float) -> _Piece:
    """Run a gradient until it is done, or the time is up."""
    inner = plan.computed_by
    clock = _Clock(seconds)
    watched = _WatchedObjective(inner.objective, clock)
    try:
        inner.mode.differentiate(watched, parameters, batch, inner.decision, rng)
    except _TimeIsUpError:
        return _Piece(plan.multiply_adds / clock.predicted(plan.multiply_adds), whole=False)
    return _Piece(plan.multiply_adds / (perf_counter() - clock.started), whole=True)


class _TimeIsUpError(BaseException):
    """Ends a gradient; no Exception, so that no mode takes it for one of its own."""


class _Clock:
    """What is done of a gradient, when, and the longest pause between two products.

    That pause may be one of its kind, such as drawing all directions at once, before the first is pushed.
    """

    def __init__(self, seconds: float) -> None:
        self.started = self._last = perf_counter()
        self._seconds = seconds
        self._done = self._announced = 0  # multiply-adds
        self._pause = 0.0
        self._in_pause = 0

    def announce(self, multiply_adds: int) -> None:
        """Hear that what was announced before is done, and what comes next; raise if the time is up."""
        now = perf_counter()
        if now - self._last > self._pause:
            self._pause, self._in_pause = now - self._last, self._announced
        self._done += self._announced
        self._last, self._announced = now, multiply_adds
        elapsed = now - self.started
        if self._done > self._in_pause and (elapsed - self._pause > self._seconds or elapsed > _LONGEST):
            raise _TimeIsUpError

    def predicted(self, multiply_adds: int) -> float:
        """Return the seconds of a whole gradient, of `multiply_adds`, with that pause once."""
        rate = (self._done - self._in_pause) / max(self._last - self.started - self._pause, 1e-9)
        return self._pause + (multiply_adds - self._in_pause) / rate


class _Watch(Work):
    """Counts as `Work` does, and lets a clock hear of every product before it is applied."""

    clock: _Clock | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "multiply_adds" and self.clock is not None:
            self.clock.announce(value - self.multiply_adds)
        super().__setattr__(name, value)


class _WatchedObjective(Objective):
    """An objective whose evaluations and linearizations a clock hears of, and may stop."""

    def __init__(self, objective: Objective, clock: _Clock) -> None:
        super().__init__(objective.network, objective.loss, objective.xp)
        self._clock = clock

    def evaluate(self, parameters: Array, batch: Batch) -> Evaluation:
        """Return the values."""
        self._clock.announce(batch.examples * self.forward_cost)
        point = super().evaluate(parameters, batch)
        point.work = self._watch(point.work)
        return point

    def begin(self, parameters: Array, batch: Batch) -> Linearization:
        """Return a linearization."""
        point = super().begin(parameters, batch)
        point.work = self._watch(point.work)
        return point

    def losses(self, parameters: Array, batch: Batch, work: Work) -> Array:
        """Return the losses."""
        self._clock.announce(batch.examples * self.stack_cost(len(parameters)))
        return super().losses(parameters, batch, work)

    def _watch(self, work: Work) -> _Watch:
        watch = _Watch(forward=work.forward, multiply_adds=work.multiply_adds)
        watch.clock = self._clock
        return watch
