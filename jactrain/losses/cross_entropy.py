"""Cross-entropy of class labels, on logits."""

from __future__ import annotations

import numpy as np

from jactrain.arrays import Array, Namespace
from jactrain.data.base import Classification, Task
from jactrain.errors import DataError
from jactrain.losses.base import Loss, LossCost, losses


@losses.register("cross_entropy")
class CrossEntropy(Loss):
    """Minus the logarithm of the softmax probability of the right class, from logits."""

    def outputs_for(self, task: Task) -> int:
        """Return the number of classes."""
        if not isinstance(task, Classification):
            raise DataError(
                "cross_entropy compares classes, but the targets are numbers; use mean_squared_error, "
                "or give the targets as labels"
            )
        return len(task.classes)

    def encode(self, y: Array, outputs: int) -> Array:
        """Return one-hot rows; DataError for labels that are not whole numbers from 0 to outputs - 1."""
        labels = np.asarray(y)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError(
                f"cross_entropy takes whole-number labels of shape (N,), not {labels.dtype} of shape "
                f"{labels.shape}"
            )
        wrong = np.flatnonzero((labels < 0) | (labels >= outputs))
        if wrong.size:
            raise DataError(
                f"label {labels[wrong[0]]} of example {wrong[0]} is outside the {outputs} classes "
                f"0 to {outputs - 1}; give the last layer more units, or mend the label"
            )
        return np.eye(outputs)[labels]

    def forward(
        self, xp: Namespace, outputs: Array, targets: Array
    ) -> tuple[Array, tuple[Array, Array, Array, Array]]:
        """Return `log Σ exp z - z·t`, shifted by the largest logit so that no exponential overflows.

        A logit that is further below than numbers go, by then of a training that has diverged, gives a NaN.

        The right class is kept out of the sum: `log(1 + rest)`, not the logarithm of a number near one,
        so that small losses, and the slopes `-rest / total` of right answers, keep all their digits.
        """
        # The largest itself, its imaginary part too: then that of a right answer cancels exactly.
        shifted = outputs - _largest(outputs)[..., None]
        right = xp.vecdot(targets, shifted)
        exponentials = xp.exp(shifted)
        rest = xp.vecdot(1 - targets, exponentials)
        # Σ exp z - 1, at least 0. Either the right class has the largest logit, and 0 is added to the rest,
        # as exp(0) is 1 exactly; or the rest is at least 1. So `expm1`, which is slower, saves no digits.
        above_one = rest + (xp.exp(right) - 1)
        return xp.log1p(above_one) - right, (exponentials, rest, 1 + above_one, targets)

    def slope(self, xp: Namespace, residual: tuple[Array, Array, Array, Array]) -> Array:
        """Return softmax minus target."""
        exponentials, rest, total, targets = residual
        return xp.where(targets > 0, -rest[..., None], exponentials) / total[..., None]

    def cost(self, outputs: int) -> LossCost:
        """Return exponential and two products an output and two functions a row; one product a vector."""
        return LossCost(forward=3 * outputs + 2, jvp=outputs, vjp=outputs)

    def predictions(self, outputs: Array) -> Array:
        """Return the class with the largest logit."""
        return outputs.argmax(-1)


def _largest(outputs: Array) -> Array:
    """Return the largest of each row, complex numbers by their real part: `(K, N)` for outputs `(K, N, m)`.

    NumPy takes 40 ns for every row, however short: a few long rows, one an output, are four times as fast.
    """
    if outputs.shape[-1] > 64:
        return outputs.max(-1)
    return outputs.T.copy().max(0).T
