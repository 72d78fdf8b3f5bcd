"""The gradients that a training asks for, by one mode: planned and, where possible, recorded once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jactrain.arrays import Array, leaves, tree_of
from jactrain.errors import UnrecordableError
from jactrain.modes.base import GradientResult, Mode, Plan
from jactrain.objective import Batch, Objective, Work
from jactrain.program import record

GradientFunction = Callable[[Array, Batch, np.random.Generator], GradientResult]


class Gradients:
    """The gradient of `objective` by `mode`, for batches of any size; each size is prepared once.

    A mode that is `recordable` is played back from its second batch of a size on. The results are the same.
    """

    def __init__(self, mode: Mode, objective: Objective, dtype: Any) -> None:
        self._mode = mode
        self._objective = objective
        self._dtype = dtype
        self._functions: dict[int, GradientFunction] = {}

    def __call__(self, parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        """Return value and gradient at `parameters` `(P,)`."""
        function = self._functions.get(batch.examples)
        if function is None:
            function = self._functions[batch.examples] = self._prepared(parameters, batch)
        return function(parameters, batch, rng)

    def _prepared(self, parameters: Array, batch: Batch) -> GradientFunction:
        mode, objective = self._mode, self._objective
        plan = mode.prepare(objective, batch.examples, self._dtype)
        if mode.recordable:
            try:
                return recorded(mode, objective, plan, parameters, batch)
            except UnrecordableError:  # a layer or loss from elsewhere; its rules still run as they are
                pass
        return lambda parameters, batch, rng: mode.value_and_gradient(objective, parameters, batch, plan, rng)


def recorded(
    mode: Mode, objective: Objective, plan: Plan, parameters: Array, batch: Batch
) -> GradientFunction:
    """Return `mode.value_and_gradient` as recorded at these arrays, for others of the same shapes.

    Raises UnrecordableError if a rule of the network or loss does not allow it.
    """
    paths = [path for path, leaf in leaves(batch.noise) if leaf is not None]
    work = Work()

    def run(parameters: Array, x: Array, targets: Array, *noise: Array) -> tuple[Array, Array]:
        nonlocal work
        drawn = tree_of(dict(zip(paths, noise, strict=True))) if paths else None
        rng = np.random.default_rng(0)  # a recordable mode does not draw
        result = mode.value_and_gradient(objective, parameters, Batch(x, targets, drawn), plan, rng)
        work = result.work
        return result.value, result.gradient

    def arrays(parameters: Array, batch: Batch) -> list[Array]:
        return [parameters, batch.x, batch.targets, *(leaf for _, leaf in leaves(batch.noise) if paths)]

    program = record(run, arrays(parameters, batch))

    def play(parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        value, gradient = program(*arrays(parameters, batch))
        return GradientResult(value[()], gradient.copy(), work)  # the program writes over its own

    return play
