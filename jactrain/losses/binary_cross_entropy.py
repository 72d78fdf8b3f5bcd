"""Cross-entropy of two classes, or of several yes-or-no targets, on logits."""

from __future__ import annotations

import numpy as np

from jactrain.arrays import Array, Namespace
from jactrain.data.base import Classification, Task
from jactrain.errors import DataError
from jactrain.losses.base import Loss, LossCost, as_columns, losses


@losses.register("binary_cross_entropy")
class BinaryCrossEntropy(Loss):
    """Minus the logarithm of the logistic probability of 0 or 1, from logits, averaged over the outputs."""

    def outputs_for(self, task: Task) -> int:
        """Return one output for two classes, or one for each column of yes-or-no targets."""
        if isinstance(task, Classification):
            if len(task.classes) != 2:
                raise DataError(
                    f"binary_cross_entropy takes two classes, but the targets have "
                    f"{len(task.classes)}; use cross_entropy"
                )
            return 1
        return len(task.targets)

    def encode(self, y: Array, outputs: int) -> Array:
        """Return `y` as columns; DataError for a target outside 0 to 1."""
        targets = as_columns(self, y, outputs)
        wrong = np.argwhere(~((targets >= 0) & (targets <= 1)))
        if wrong.size:
            row, column = wrong[0]
            raise DataError(
                f"binary_cross_entropy takes targets from 0 to 1, but example {row} has "
                f"{targets[row, column]:g}; use mean_squared_error for numbers, cross_entropy for "
                "more classes"
            )
        return targets

    def forward(
        self, xp: Namespace, outputs: Array, targets: Array
    ) -> tuple[Array, tuple[Array, Array, Array]]:
        """Return the mean over the outputs of `log(1 + exp z) - z t`.

        Written as `max(z, 0) - z t + log(1 + exp(-|z|))`: nothing overflows, and a right answer's small
        loss keeps all its digits, since the first two terms then cancel exactly.
        """
        positive = xp.where(outputs.real <= 0, 0, outputs)
        small = xp.exp(outputs - 2 * positive)
        losses = (positive - outputs * targets) + xp.log1p(small)
        return losses.mean(-1), (outputs, small, targets)

    def slope(self, xp: Namespace, residual: tuple[Array, Array, Array]) -> Array:
        """Return the logistic function s minus the target t, over the number of outputs.

        As `(1 - t) s(z) - t s(-z)`, where neither term cancels, with `s(±|z|)` from `exp(-|z|)`.
        """
        outputs, small, targets = residual
        one, zero = xp.where(outputs.real <= 0, small, 1), xp.where(outputs.real <= 0, 1, small)
        return ((1 - targets) * one - targets * zero) / ((1 + small) * outputs.shape[-1])

    def cost(self, outputs: int) -> LossCost:
        """Return exponential, logarithm and two products an output, and one for each vector."""
        return LossCost(forward=4 * outputs, jvp=outputs, vjp=outputs)

    def predictions(self, outputs: Array) -> Array:
        """Return class 1 where the logit is positive; columns `(N, m)` for several outputs."""
        classes = (outputs > 0).astype(np.int64)
        return classes[:, 0] if classes.shape[1] == 1 else classes
