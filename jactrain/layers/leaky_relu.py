"""The leaky rectified linear unit."""

from __future__ import annotations

from pydantic import Field

from jactrain.arrays import Array, Namespace
from jactrain.layers.base import layers
from jactrain.layers.elementwise import Elementwise


@layers.register("leaky_relu")
class LeakyReLU(Elementwise):
    """The rectified linear unit with a small slope below zero, which is also its slope at the kink x = 0."""

    keeps = "output"
    negative_slope: float = Field(0.01, ge=0, description="Slope for x <= 0.")

    def value(self, xp: Namespace, x: Array) -> Array:
        """Return x, or `negative_slope` x where x is not positive."""
        return xp.where(x.real <= 0, self.negative_slope * x, x)

    def slope(self, xp: Namespace, kept: Array) -> Array:
        """Return 1 where y > 0, else `negative_slope`."""
        return xp.where(kept > 0, xp.ones_like(kept), self.negative_slope)

    def kinks(self) -> tuple[float, ...]:
        """Return 0, unless the slopes are the same."""
        return (0.0,) if self.negative_slope != 1 else ()
