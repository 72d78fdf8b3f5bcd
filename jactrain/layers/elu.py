"""The exponential linear unit (Clevert, Unterthiner & Hochreiter 2016)."""

from __future__ import annotations

from pydantic import Field

from jactrain.arrays import Array, Namespace
from jactrain.layers.base import layers
from jactrain.layers.elementwise import Elementwise


@layers.register("elu")
class ELU(Elementwise):
    """The exponential linear unit, x above zero and alpha (exp(x) - 1) below; its slope at x = 0 is alpha."""

    keeps = "output"
    alpha: float = Field(1.0, gt=0, description="Minus the limit at minus infinity.")

    def value(self, xp: Namespace, x: Array) -> Array:
        """Return x, or alpha (exp x - 1) where x is not positive."""
        # The exponential sees no positive x: where() evaluates both branches, and one could overflow.
        below = self.alpha * xp.expm1(xp.where(x.real > 0, 0, x))
        return xp.where(x.real <= 0, below, x)

    def slope(self, xp: Namespace, kept: Array) -> Array:
        """Return 1 where y > 0, else `y + alpha`."""
        return xp.where(kept > 0, xp.ones_like(kept), kept + self.alpha)

    def kinks(self) -> tuple[float, ...]:
        """Return 0, unless alpha is 1, where the slopes meet."""
        return (0.0,) if self.alpha != 1 else ()
