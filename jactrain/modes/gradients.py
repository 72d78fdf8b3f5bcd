"""Many gradients by one mode: planned and, where possible, recorded once for each size of batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from jactrain.arrays import Array, Path, Tree, leaves, tree_of
from jactrain.linearization import Work
from jactrain.modes.base import GradientResult, Mode, Plan
from jactrain.objective import Batch, Objective
from jactrain.program import record

GradientFunction = Callable[[Array, Batch, np.random.Generator], GradientResult]


class Gradients:
    """The gradient of `objective` by `mode`, for batches of any size.

    A mode that is `recordable` is recorded at its second batch of a size, and played back from then on: the
    same bits in less time.
    """

    def __init__(self, mode: Mode, objective: Objective) -> None:
        self._mode = mode
        self._objective = objective
        self._functions: dict[tuple[int, tuple[Path, ...]], GradientFunction] = {}

    def __call__(self, parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        """Return value and gradient at `parameters` `(P,)`."""
        key = (batch.examples, noise_paths(batch.noise))
        function = self._functions.get(key)
        if function is None:
            function = self._functions[key] = self._prepared(parameters, batch)
        return function(parameters, batch, rng)

    def _prepared(self, parameters: Array, batch: Batch) -> GradientFunction:
        mode, objective = self._mode, self._objective
        plan = mode.prepare(objective, batch.examples, parameters.dtype)

        def unrecorded(parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
            return mode.value_and_gradient(objective, parameters, batch, plan, rng)

        return _Learned(unrecorded, plan) if plan.computed_by.mode.recordable else unrecorded


class _Learned:
    """A gradient computed plainly at its first use, which counts the work, and recorded at its second.

    There both are compared, and the recording is given up if it differs: that uncovers rules with a state, or
    results that the recorder cannot see to depend on values.
    """

    def __init__(self, unrecorded: GradientFunction, plan: Plan) -> None:
        self._function = self._unrecorded = unrecorded
        self._plan = plan
        self._uses = 0
        self._work = Work()

    def __call__(self, parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        self._uses += 1
        if self._uses > 2:
            return self._function(parameters, batch, rng)
        result = self._unrecorded(parameters, batch, rng)
        if self._uses == 1:
            self._work = result.work
            return result
        with suppress(Exception):  # whatever a rule from elsewhere does, it still runs as it is
            recorded = RecordedGradient(self._plan, self._work, parameters, batch)
            played = recorded(parameters, batch, rng)
            if np.array_equal(played.gradient, result.gradient, equal_nan=True):
                self._function = recorded
        return result


class GradientOfArrays:
    """A mode's value and gradient as a function of arrays alone, to be recorded or traced.

    It takes parameters `(P,)`, x, targets, and the leaves of the noise at `paths`.
    """

    def __init__(self, plan: Plan, paths: Sequence[Path]) -> None:
        self._plan, self._paths = plan, paths

    def __call__(
        self, parameters: Array, x: Array, targets: Array, *noise: Array, rng: Any = None
    ) -> tuple[Array, Array, Array | None]:
        """Return value, gradient, and the estimate of its error; `rng` is for modes that draw."""
        plan, batch = self._plan, Batch(x, targets, noise_tree(self._paths, noise))
        result = plan.mode.value_and_gradient(plan.objective, parameters, batch, plan, rng)
        return result.value, result.gradient, result.error_estimate


class RecordedGradient:
    """`value_and_gradient` of a recordable mode, recorded at some arrays, for others of the same shapes.

    Raises UnrecordableError if a rule of the network or loss does not allow it.
    """

    def __init__(self, plan: Plan, work: Work, parameters: Array, batch: Batch) -> None:
        """Record for batches like `batch`; `work` is what a gradient takes, which recorded loops hide."""
        function = GradientOfArrays(plan, noise_paths(batch.noise))

        def without_none(*arrays: Array) -> list[Array]:
            return [array for array in function(*arrays) if array is not None]

        self._program = record(without_none, [parameters, *arrays_of(batch)])
        self._work = work

    def __call__(self, parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        """Return value and gradient; ShapeError for arrays of other shapes or dtypes."""
        value, gradient, *error = self._program(parameters, *arrays_of(batch))
        # The program writes over its own arrays.
        return GradientResult(value[()], gradient.copy(), replace(self._work), *(one[()] for one in error))


def noise_paths(noise: Tree) -> tuple[Path, ...]:
    """Return where in `noise` there are arrays, in order."""
    return () if noise is None else tuple(path for path, leaf in leaves(noise) if leaf is not None)


def noise_tree(paths: Sequence[Path], arrays: Sequence[Array]) -> Tree:
    """Return the noise with these arrays at `paths`; None without any."""
    return tree_of(dict(zip(paths, arrays, strict=True))) if paths else None


def arrays_of(batch: Batch) -> list[Array]:
    """Return x, targets and the arrays of the noise, in order."""
    return [batch.x, batch.targets, *leaves_of(batch.noise)]


def leaves_of(noise: Tree) -> list[Array]:
    """Return the arrays of a step's noise, in order."""
    return [] if noise is None else [leaf for _, leaf in leaves(noise) if leaf is not None]
