"""The contract of a loss: a value for every example, and its slope in the network's outputs.

With `K` vectors in a stack, `N` examples and `m` outputs::

    forward   outputs (K, N, m), targets (N, m)   ->  values (K, N), residual
    jvp       y_dot   (K, N, m)                   ->  tangents of the values (K, N)
    vjp       value_bar (K, N)                    ->  cotangents of the outputs (K, N, m)

The objective is the mean over the examples; the mean over the outputs is the loss's own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from jactrain.arrays import Array, Namespace
from jactrain.data.base import Classification, Task
from jactrain.errors import DataError
from jactrain.registry import Component, Registry


class LossCost(NamedTuple):
    """Multiply-adds, per example and stacked vector, of `forward` and of the two products; means are free."""

    forward: int
    jvp: int
    vjp: int


class Loss(Component, ABC):
    """Base of all losses; a loss states value and slope, and inherits both products."""

    # Whether `forward` of complex outputs is its analytic extension; to be set False if not.
    analytic: ClassVar[bool] = True
    # Arrays of the outputs' size alive at once in `forward`, the outputs among them, to predict memory.
    working_arrays: ClassVar[int] = 5

    @abstractmethod
    def outputs_for(self, task: Task) -> int:
        """Return how many outputs the network needs for `task`; DataError if the loss does not fit it."""

    @abstractmethod
    def encode(self, y: Array, outputs: int) -> Array:
        """Return targets `(N, outputs)`, float64, from what a dataset holds.

        `y` is `(N,)` integer class indices, or `(N,)` or `(N, m)` numbers; DataError if it does not fit.
        """

    @abstractmethod
    def forward(self, xp: Namespace, outputs: Array, targets: Array) -> tuple[Array, Any]:
        """Return the loss of every example `(K, N)`, and the residual that the slope needs."""

    @abstractmethod
    def slope(self, xp: Namespace, residual: Any) -> Array:
        """Return the gradient of each example's loss in its outputs, `(K, N, m)`."""

    def pieces(self, xp: Namespace, outputs: Array, targets: Array) -> Array | None:
        """Return which smooth piece of the loss every output is on, `(K, N, m)` integers; None if smooth."""
        return None

    def jvp(self, xp: Namespace, residual: Any, y_dot: Array) -> Array:
        """Return `slope · ẏ`, `(K, N)`."""
        return xp.vecdot(self.slope(xp, residual), y_dot)

    def vjp(self, xp: Namespace, residual: Any, value_bar: Array) -> Array:
        """Return `v̄ slope`, `(K, N, m)`."""
        return value_bar[..., None] * self.slope(xp, residual)

    @abstractmethod
    def cost(self, outputs: int) -> LossCost:
        """Return the multiply-adds per example of `forward` and the products."""

    @abstractmethod
    def predictions(self, outputs: Array) -> Array:
        """Return what the outputs `(N, m)` predict: class indices `(N,)`, or numbers `(N, m)`."""

    def predictions_for(self, task: Task, outputs: Array) -> Array:
        """Return `predictions` in the shape that `task` has: `(N,)` for classes, `(N, m)` for numbers."""
        shape = (-1,) if isinstance(task, Classification) else (-1, len(task.targets))
        return self.predictions(outputs).reshape(shape)


losses: Registry[Loss] = Registry("loss", "losses")


class RegressionLoss(Loss):
    """A loss between numbers, averaged over the outputs: state the value and slope of one difference."""

    working_arrays: ClassVar[int] = 4
    # Multiply-adds of one difference's value.
    value_cost: ClassVar[int] = 1

    @abstractmethod
    def value(self, xp: Namespace, difference: Array) -> Array:
        """Return the loss of every difference `output - target`."""

    @abstractmethod
    def slope_of(self, xp: Namespace, difference: Array) -> Array:
        """Return the derivative of `value`."""

    def outputs_for(self, task: Task) -> int:
        """Return the number of target columns."""
        if isinstance(task, Classification):
            raise DataError(
                f"{self.kind} compares numbers, but the targets are {len(task.classes)} classes; "
                "use cross_entropy, or binary_cross_entropy for two classes"
            )
        return len(task.targets)

    def encode(self, y: Array, outputs: int) -> Array:
        """Return `y` as `(N, outputs)`."""
        return as_columns(self, y, outputs)

    def forward(self, xp: Namespace, outputs: Array, targets: Array) -> tuple[Array, Array]:
        """Return the mean over the outputs; the residual is the difference."""
        difference = outputs - targets
        return self.value(xp, difference).mean(-1), difference

    def slope(self, xp: Namespace, residual: Array) -> Array:
        """Return the slope of every difference over the number of outputs."""
        return self.slope_of(xp, residual) / residual.shape[-1]

    def cost(self, outputs: int) -> LossCost:
        """Return a value an output, and one multiply-add an output for each product."""
        return LossCost(self.value_cost * outputs, outputs, outputs)

    def predictions(self, outputs: Array) -> Array:
        """Return the outputs."""
        return outputs


def as_columns(loss: Loss, y: Array, outputs: int) -> Array:
    """Return `y`, `(N,)` or `(N, m)`, as float64 `(N, outputs)`; DataError if the columns differ."""
    columns = np.asarray(y, dtype=np.float64)
    columns = columns[:, None] if columns.ndim == 1 else columns
    if columns.ndim != 2 or columns.shape[1] != outputs:
        raise DataError(
            f"{loss.kind} compares {outputs} outputs with targets of shape {np.shape(y)}; "
            f"give targets (N, {outputs})" + (" or (N,)" if outputs == 1 else "")
        )
    return columns
