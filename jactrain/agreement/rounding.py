"""How far rounding moves a gradient: measured by shaking every number that is kept on the way to it.

A computed sum of n terms is the exact one of terms moved by about `ε √n` of themselves (Higham & Mary 2019,
probabilistic backward error analysis). So what a relative change of *every* number does, measured with
changes large enough to be seen, says what changes of `ε √n` do: small-sample condition estimation (Kenney &
Laub 1994), link by link.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jactrain.arrays import Array, Tree, map_tree
from jactrain.errors import UsageError
from jactrain.layers.base import SingleEntry
from jactrain.modes.base import Plan, modes
from jactrain.objective import Batch, Linearization, Objective

# A computed number is off by at most this times `ε √terms` times what a change of all by 1 does: rounding is
# at most ε/2 a number, changes are uniform with a deviation of 1/√3, and four deviations leave 1 in 10 000.
FACTOR = 4.0
SAMPLES = 8
# Roundings of a rule besides its sums: a handful of operations, elementary functions good to a few ε.
OPERATIONS = 16


class Shaker:
    """Changes every entry of the arrays it is given by a uniformly random part of `by` of itself."""

    def __init__(self, rng: np.random.Generator, by: float) -> None:
        self._rng = rng
        self._by = by

    def __call__(self, array: Array) -> Array:
        """Return a shaken copy of `array`; of integers and truth values, the array itself."""
        if array.dtype.kind not in "fc":
            return array
        return array * (1 + self._rng.uniform(-self._by, self._by, array.shape))

    def everything(self, value: Any) -> Any:
        """Return a residual with its arrays shaken, in whatever lists, tuples and mappings they are."""
        if isinstance(value, np.ndarray):
            return self(value)
        if isinstance(value, list):
            return [self.everything(part) for part in value]
        if isinstance(value, tuple):
            parts = [self.everything(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        if isinstance(value, dict):
            return {name: self.everything(part) for name, part in value.items()}
        return value


def shaken_by(dtype: Any) -> float:
    """Return the relative change to shake by: a few ε of `dtype`, and large beside those of float64.

    Numbers that rounding in `dtype` might carry over a kink are then carried over it.
    """
    return max(4 * float(np.finfo(dtype).eps), 2.0**-40)


def spread(function: Callable[[Shaker | None], Array], dtype: Any, rng: np.random.Generator) -> Array:
    """Return how far entries of an array move for a relative change of 1 in every number that it is made of.

    function: gives the array, float64, unshaken for None, else with its numbers shaken by the Shaker. Root
    mean square over SAMPLES, linearly scaled; of a `dtype`'s rounding it is `FACTOR ε √terms` times this.
    """
    by = shaken_by(dtype)
    unshaken = function(None)
    squares: Array = 0.0
    with np.errstate(all="ignore"):  # what overflows gives no bound, and is told so
        for _ in range(SAMPLES):
            change = function(Shaker(rng, by)) - unshaken
            squares = squares + np.square(abs(change))
        found: Array = np.sqrt(squares / SAMPLES) / by
    return np.where(np.isfinite(found), found, np.inf)


class Spread(NamedTuple):
    """How far a relative change of 1 in every number moves gradient `(P,)` and losses `(N,)`."""

    gradient: Array
    losses: Array


def spread_of(
    objective: Objective, parameters: Array, batch: Batch, dtype: Any, rng: np.random.Generator
) -> Spread:
    """Return the spread of gradient and losses at `parameters` `(P,)`, for rounding in `dtype`.

    Computed in float64. A network whose layers admit no order of products has a gradient of unknown spread:
    infinite.
    """
    parameters, batch = parameters.astype(np.float64), batch.astype(np.float64)
    plan = products_plan(objective, batch.examples)

    def gradient(shaker: Shaker | None) -> Array:
        if plan is None:
            return np.full(parameters.shape, np.inf)
        shaken = _Shaken(objective, shaker)
        result = plan.mode.differentiate(shaken, parameters, batch, plan.decision, rng)
        return result.gradient

    def losses(shaker: Shaker | None) -> Array:
        point = _Shaken(objective, shaker).begin(parameters, batch)
        values, _ = objective.loss.forward(np, point.run(), batch.targets)
        return values[0] if shaker is None else shaker(values[0])

    moved = spread(gradient, dtype, rng) if plan is not None else gradient(None)
    return Spread(moved, spread(losses, dtype, rng))


def products_plan(objective: Objective, examples: int) -> Plan | None:
    """Return the float64 plan of a mode that multiplies the layers' products; None if they admit none."""
    for name in ("reverse", "forward", "mixed"):
        try:
            return modes.resolve(name).prepare(objective, examples, np.float64)
        except UsageError:
            continue
    return None


def terms_of(objective: Objective, examples: int) -> int:
    """Return the roundings on the way to a number: a sum over inputs, outputs or examples, and more."""
    most = examples
    for link in objective.links:
        size = max(1, min(link.input_size, link.output_size))
        most = max(most, math.ceil(max(link.cost.forward, link.cost.jvp, link.cost.vjp) / size))
    return most + OPERATIONS


class _Shaken(Objective):
    """An objective whose linearizations shake every number that they keep; None shakes nothing."""

    def __init__(self, objective: Objective, shaker: Shaker | None) -> None:
        super().__init__(objective.network, objective.loss)
        self.shaker = shaker

    def begin(self, parameters: Array, batch: Batch) -> Linearization:
        """Return a linearization at shaken parameters and inputs."""
        if self.shaker is None:
            return super().begin(parameters, batch)
        return _ShakenPoint(self, self.shaker, parameters, batch)


class _ShakenPoint(Linearization):
    """A linearization whose values, residuals and products are shaken as they come."""

    def __init__(self, objective: Objective, shaker: Shaker, parameters: Array, batch: Batch) -> None:
        super().__init__(objective, shaker(parameters), batch._replace(x=shaker(batch.x)))
        self._shaker = shaker

    def forward(self, position: int, x: Array, keep: bool = True) -> Array:
        y = super().forward(position, x, keep)
        self._residuals[position] = self._shaker.everything(self._residuals[position])
        return self._shaker(y)

    def finish(self, outputs: Array) -> None:
        super().finish(outputs)
        self._loss_residual = self._shaker.everything(self._loss_residual)

    def jvp(self, position: int, x_dot: Array) -> Array:
        return self._shaker(super().jvp(position, x_dot))

    def single_jvp(self, position: int, x_dot: SingleEntry) -> Array | SingleEntry:
        y_dot = super().single_jvp(position, x_dot)
        if isinstance(y_dot, SingleEntry):
            return y_dot._replace(values=self._shaker(y_dot.values))
        return self._shaker(y_dot)

    def parameter_jvp(self, position: int, dots: Array) -> Array:
        return self._shaker(super().parameter_jvp(position, dots))

    def vjp(self, position: int, y_bar: Array, params: Tree = None) -> Array:
        return self._shaker(super().vjp(position, y_bar, params))

    def parameter_vjp(self, position: int, y_bar: Array, per_example: bool = False) -> Tree:
        return map_tree(self._shaker, super().parameter_vjp(position, y_bar, per_example))

    def loss_jvp(self, y_dot: Array) -> Array:
        return self._shaker(super().loss_jvp(y_dot))

    def loss_vjp(self) -> Array:
        return self._shaker(super().loss_vjp())
