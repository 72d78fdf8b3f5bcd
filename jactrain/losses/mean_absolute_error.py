"""The mean absolute error."""

from __future__ import annotations

from typing import ClassVar

from jactrain.arrays import Array, Namespace
from jactrain.losses.base import RegressionLoss, losses


@losses.register("mean_absolute_error")
class MeanAbsoluteError(RegressionLoss):
    """The mean over the outputs of the absolute difference; its slope at the kink, 0, is 0."""

    value_cost: ClassVar[int] = 0

    def value(self, xp: Namespace, difference: Array) -> Array:
        """Return `|d|`, signed by the real part so that it extends to complex differences."""
        size = xp.where(difference.real < 0, -difference, difference)
        return xp.where(difference.real == 0, 0, size)  # of a complex step, too, whose slope there is 0

    def pieces(self, xp: Namespace, outputs: Array, targets: Array) -> Array:
        """Return whether an output is above its target."""
        return (outputs.real > targets).astype(int)

    def slope_of(self, xp: Namespace, difference: Array) -> Array:
        """Return the sign of d."""
        return xp.sign(difference)
