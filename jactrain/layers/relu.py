"""The rectified linear unit."""

from __future__ import annotations

from jactrain.arrays import Array, Namespace
from jactrain.layers.base import layers
from jactrain.layers.elementwise import Elementwise


@layers.register("relu")
class ReLU(Elementwise):
    """The rectified linear unit, max(x, 0); its slope at the kink x = 0 is 0."""

    keeps = "output"

    def value(self, xp: Namespace, x: Array) -> Array:
        """Return max(x, 0); a NaN stays one, so that divergence is seen."""
        return xp.where(x.real <= 0, 0, x)

    def slope(self, xp: Namespace, kept: Array) -> Array:
        """Return 1 where y > 0, else 0.

        As a sign, for compilers turn a product with a comparison into a choice, which no NaN passes.
        """
        return xp.sign(kept)

    def kinks(self) -> tuple[float, ...]:
        """Return 0."""
        return (0.0,)
