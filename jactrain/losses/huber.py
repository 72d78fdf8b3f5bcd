"""The Huber loss."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from jactrain.arrays import Array, Namespace
from jactrain.losses.base import RegressionLoss, losses


@losses.register("huber")
class Huber(RegressionLoss):
    """Half the squared difference near zero, linear beyond delta (Huber 1964), averaged over the outputs."""

    working_arrays: ClassVar[int] = 6
    value_cost: ClassVar[int] = 3

    delta: float = Field(1.0, gt=0, description="Where the parabola turns into lines.")

    def value(self, xp: Namespace, difference: Array) -> Array:
        """Return `d²/2` up to delta, `delta (|d| - delta/2)` beyond."""
        size = xp.where(difference.real < 0, -difference, difference)
        near = 0.5 * difference * difference
        return xp.where(size.real <= self.delta, near, self.delta * (size - 0.5 * self.delta))

    def slope_of(self, xp: Namespace, difference: Array) -> Array:
        """Return d, cut to at most delta in size."""
        return xp.clip(difference, -self.delta, self.delta)
