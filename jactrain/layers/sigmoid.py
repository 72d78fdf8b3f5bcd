"""The logistic function."""

from __future__ import annotations

from jactrain.arrays import Array, Namespace, logistic
from jactrain.layers.base import layers
from jactrain.layers.elementwise import Elementwise


@layers.register("sigmoid")
class Sigmoid(Elementwise):
    """The logistic function 1 / (1 + exp(-x)) of every entry."""

    keeps = "output"

    def value(self, xp: Namespace, x: Array) -> Array:
        """Return the logistic function, small values with all their digits."""
        return logistic(xp, x)

    def slope(self, xp: Namespace, kept: Array) -> Array:
        """Return `y (1 - y)`."""
        return kept * (1 - kept)
