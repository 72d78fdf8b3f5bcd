"""What one gradient takes by each mode: seconds, bytes and products, measured side by side."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from jactrain.agreement.compare import Verdict
from jactrain.agreement.reference import reason_of
from jactrain.arrays import Array
from jactrain.comparison.measured import Measured, NotMeasured, too_long, verdict_on
from jactrain.comparison.prediction import measured_rate, predicted_seconds
from jactrain.comparison.stopwatch import GeneratorFactory, Stopwatch
from jactrain.modes.base import Mode
from jactrain.objective import Batch, Objective
from jactrain.training.threads import blas_limited, worthwhile_threads


def measure(
    mode: Mode,
    objective: Objective,
    parameters: Array,
    batch: Batch,
    rng_factory: GeneratorFactory,
    budget_seconds: float,
) -> Measured:
    """Return what a gradient of `batch` at `parameters` `(P,)` takes by `mode`.

    It is repeated until the median is known to two per cent, or fifty times, or for two seconds: five times
    at least, unless `budget_seconds` do not suffice, and once in any case. `rng_factory` returns a new
    generator of the same seed. Raises what the mode raises.
    """
    plan = mode.prepare(objective, batch.examples, parameters.dtype)
    with _threads_of(objective, batch):
        predicted = predicted_seconds(plan, measured_rate(plan, parameters, batch, rng_factory()))
        stopwatch = Stopwatch(plan, predicted, parameters, batch, rng_factory, budget_seconds)
        while not stopwatch.done:
            stopwatch.repeat()
        return stopwatch.measured()


def _threads_of(objective: Objective, batch: Batch) -> AbstractContextManager[object]:
    """Return a context with the threads that a training on such batches has.

    BLAS alone would take all cores for small products too, and wait for each other where others compute.
    """
    return blas_limited(worthwhile_threads(objective.network, batch.examples))


def measure_side_by_side(
    modes: Sequence[Mode],
    objective: Objective,
    parameters: Array,
    batch: Batch,
    rng_factory: GeneratorFactory,
    budget_seconds: float,
) -> list[Measured | NotMeasured]:
    """Return for each of `modes` what `measure` does, repeated in rounds, so that noise hits all alike.

    `budget_seconds` is each mode's own. One whose single gradient is predicted to take longer is `skipped`
    before it runs, and so is one that the network does not admit; one that raises has `failed`. None ends the
    others.
    """
    with _threads_of(objective, batch):
        found: dict[int, Measured | NotMeasured] = {}
        waiting: dict[int, Stopwatch] = {}
        for index, mode in enumerate(modes):
            plan = None
            try:
                plan = mode.prepare(objective, batch.examples, parameters.dtype)
                predicted = predicted_seconds(plan, measured_rate(plan, parameters, batch, rng_factory()))
                if predicted > budget_seconds:
                    reason = too_long("a gradient", predicted, budget_seconds)
                    found[index] = NotMeasured(Verdict.SKIPPED, reason, plan, predicted)
                    continue
                waiting[index] = Stopwatch(plan, predicted, parameters, batch, rng_factory, budget_seconds)
            except Exception as error:  # a mode from elsewhere may raise anything
                found[index] = NotMeasured(verdict_on(error), reason_of(error), plan)
        while waiting:
            for index, stopwatch in list(waiting.items()):
                try:
                    stopwatch.repeat()
                except Exception as error:  # as above
                    found[index] = NotMeasured(verdict_on(error), reason_of(error), stopwatch.plan)
                    del waiting[index]
                    continue
                if stopwatch.done:
                    found[index] = stopwatch.measured()
                    del waiting[index]
        return [found[index] for index in range(len(modes))]
