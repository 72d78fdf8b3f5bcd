"""The mean squared error."""

from __future__ import annotations

from jactrain.arrays import Array, Namespace
from jactrain.losses.base import RegressionLoss, losses


@losses.register("mean_squared_error")
class MeanSquaredError(RegressionLoss):
    """The mean over the outputs of the squared difference (without a factor of one half)."""

    def value(self, xp: Namespace, difference: Array) -> Array:
        """Return `d²`."""
        return difference * difference

    def slope_of(self, xp: Namespace, difference: Array) -> Array:
        """Return `2 d`."""
        return 2 * difference
