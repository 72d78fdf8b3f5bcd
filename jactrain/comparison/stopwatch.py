"""Times one mode's gradient, over and over."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from math import sqrt
from statistics import median, quantiles
from time import perf_counter

import numpy as np

from jactrain.arrays import Array
from jactrain.comparison.measured import Measured, Timing
from jactrain.modes.base import GradientResult, Plan
from jactrain.modes.gradients import Gradients
from jactrain.objective import Batch

GeneratorFactory = Callable[[], np.random.Generator]

_FEWEST, _MOST = 5, 50
_LEAST = 0.05  # seconds, over which what disturbs one of the fast modes disturbs all
_BURST = 2e-3  # seconds: long against the clock and what other modes left in the caches
_LONGEST_BURST = 100
_PATIENCE = 2.0  # seconds: from then on the fewest repeats do
_KNOWN = 0.02  # of the median, its standard error


class Stopwatch:
    """A gradient as planned: run once, its memory traced, warmed, and then repeated."""

    def __init__(
        self,
        plan: Plan,
        predicted: float,
        parameters: Array,
        batch: Batch,
        rng_factory: GeneratorFactory,
        budget_seconds: float,
    ) -> None:
        self.plan = plan
        self._predicted = predicted
        self._budget = budget_seconds
        self._parameters, self._batch, self._rng = parameters, batch, rng_factory()
        self._gradients = Gradients(plan.mode, plan.objective)
        self._seconds: list[float] = []
        self._spent = 0.0
        with np.errstate(all="ignore"):
            self._result, self._peak = self._traced(rng_factory())
            for _ in range(2 if plan.computed_by.mode.recordable else 0):  # recorded, and confirmed
                self._gradients(parameters, batch, self._rng)
        self._burst = max(1, min(_LONGEST_BURST, int(_BURST / predicted)))

    def _traced(self, rng: np.random.Generator) -> tuple[GradientResult, int]:
        """Return an unrecorded gradient, and the peak of the bytes allocated meanwhile.

        The rate was measured before, so that imports and caches are no part of it.
        """
        plan = self.plan
        tracing = tracemalloc.is_tracing()
        if not tracing:
            tracemalloc.start()
        try:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            result = plan.mode.value_and_gradient(plan.objective, self._parameters, self._batch, plan, rng)
            return result, tracemalloc.get_traced_memory()[1] - before
        finally:
            if not tracing:
                tracemalloc.stop()

    def repeat(self) -> None:
        """Time some gradients in a row, as training has them, and note the mean."""
        with np.errstate(all="ignore"):
            start = perf_counter()
            for _ in range(self._burst):
                self._gradients(self._parameters, self._batch, self._rng)
            elapsed = perf_counter() - start
        self._seconds.append(elapsed / self._burst)
        self._spent += elapsed

    @property
    def done(self) -> bool:
        """Whether the median is known well enough, or there is no more time for it."""
        count = len(self._seconds)
        if count and (count >= _MOST or self._spent + self._spent / count > self._budget):
            return True
        if count >= _FEWEST and self._spent > _PATIENCE:
            return True
        if count < _FEWEST or self._spent < _LEAST:
            return False
        timing = _timing(self._seconds)
        # The median's standard error is 1.25 σ/√n, σ of normal numbers their IQR over 1.35.
        return 0.93 * timing.iqr / sqrt(count) <= _KNOWN * timing.median

    def measured(self) -> Measured:
        """Return what was found."""
        return Measured(self.plan, self._predicted, _timing(self._seconds), self._peak, self._result)


def _timing(seconds: list[float]) -> Timing:
    if len(seconds) < 2:
        only = seconds[0] if seconds else 0.0
        return Timing(only, 0.0, len(seconds), only)
    lower, _, upper = quantiles(seconds, n=4, method="inclusive")
    return Timing(median(seconds), upper - lower, len(seconds), min(seconds))
