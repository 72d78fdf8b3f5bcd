"""Many gradients by one mode: planned and, where possible, recorded once for each size of batch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import numpy as np

from jactrain.arrays import Array, Path, Tree, leaves, tree_of
from jactrain.linearization import Work
from jactrain.modes.base import GradientResult, Mode, Plan
from jactrain.objective import Batch, Objective
from jactrain.program import record

GradientFunction = Callable[[Array, Batch, np.random.Generator], GradientResult]


class Gradients:
    """The gradient of `objective` by `mode`, for batches of any size.

    A mode that is `recordable` is recorded at its first batch of a size, and played back from then on: the
    same bits in less time.
    """

    def __init__(self, mode: Mode, objective: Objective) -> None:
        self._mode = mode
        self._objective = objective
        self._functions: dict[tuple[int, tuple[Path, ...]], GradientFunction] = {}

    def __call__(self, parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        """Return value and gradient at `parameters` `(P,)`."""
        key = (batch.examples, _paths(batch.noise))
        function = self._functions.get(key)
        if function is None:
            function = self._functions[key] = self._prepared(parameters, batch)
        return function(parameters, batch, rng)

    def _prepared(self, parameters: Array, batch: Batch) -> GradientFunction:
        mode, objective = self._mode, self._objective
        plan = mode.prepare(objective, batch.examples, parameters.dtype)

        def unrecorded(parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
            return mode.value_and_gradient(objective, parameters, batch, plan, rng)

        if plan.computed_by.mode.recordable:
            with suppress(Exception):  # whatever a rule from elsewhere does, it still runs as it is
                return _Confirmed(RecordedGradient(mode, objective, plan, parameters, batch), unrecorded)
        return unrecorded


class _Confirmed:
    """A recorded gradient, compared with the unrecorded one at its second use, and given up if it differs.

    That uncovers rules with a state, or results that the recorder cannot see to depend on values.
    """

    def __init__(self, recorded: GradientFunction, unrecorded: GradientFunction) -> None:
        self._function = recorded
        self._unrecorded = unrecorded
        self._uses = 0

    def __call__(self, parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        result = self._function(parameters, batch, rng)
        self._uses += 1
        if self._uses == 2:
            expected = self._unrecorded(parameters, batch, rng)
            if not np.array_equal(result.gradient, expected.gradient, equal_nan=True):
                self._function = self._unrecorded
                return expected
        return result


class RecordedGradient:
    """`value_and_gradient` of a recordable mode, recorded at some arrays, for others of the same shapes.

    Raises UnrecordableError if a rule of the network or loss does not allow it.
    """

    def __init__(self, mode: Mode, objective: Objective, plan: Plan, parameters: Array, batch: Batch) -> None:
        self._work = Work()
        paths = _paths(batch.noise)

        def run(parameters: Array, x: Array, targets: Array, *noise: Array) -> tuple[Array, Array]:
            drawn = tree_of(dict(zip(paths, noise, strict=True))) if paths else None
            rng = np.random.default_rng(0)  # a recordable mode does not draw
            result = mode.value_and_gradient(objective, parameters, Batch(x, targets, drawn), plan, rng)
            self._work = result.work
            return result.value, result.gradient

        self._program = record(run, [parameters, *_arrays(batch)])

    def __call__(self, parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        """Return value and gradient; ShapeError for arrays of other shapes or dtypes."""
        value, gradient = self._program(parameters, *_arrays(batch))
        # The program writes over its own arrays.
        return GradientResult(value[()], gradient.copy(), replace(self._work))


def _paths(noise: Tree) -> tuple[Path, ...]:
    return () if noise is None else tuple(path for path, leaf in leaves(noise) if leaf is not None)


def _arrays(batch: Batch) -> list[Array]:
    if batch.noise is None:
        return [batch.x, batch.targets]
    return [batch.x, batch.targets, *(leaf for _, leaf in leaves(batch.noise) if leaf is not None)]
