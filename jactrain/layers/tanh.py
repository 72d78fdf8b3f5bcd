"""The hyperbolic tangent."""

from __future__ import annotations

from jactrain.arrays import Array, Namespace
from jactrain.layers.base import layers
from jactrain.layers.elementwise import Elementwise


@layers.register("tanh")
class Tanh(Elementwise):
    """The hyperbolic tangent of every entry."""

    keeps = "output"

    def value(self, xp: Namespace, x: Array) -> Array:
        """Return tanh x."""
        return xp.tanh(x)

    def slope(self, xp: Namespace, kept: Array) -> Array:
        """Return `1 - y²`."""
        return 1 - kept * kept
