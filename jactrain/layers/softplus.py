"""The softplus function."""

from __future__ import annotations

from jactrain.arrays import Array, Namespace
from jactrain.layers.base import layers
from jactrain.layers.elementwise import Elementwise


@layers.register("softplus")
class Softplus(Elementwise):
    """The softplus function log(1 + exp(x)) of every entry, a smooth ReLU."""

    keeps = "output"

    def value(self, xp: Namespace, x: Array) -> Array:
        """Return max(x, 0) + log(1 + exp(-|x|)), which cannot overflow."""
        positive = xp.where(x.real <= 0, 0, x)
        return positive + xp.log1p(xp.exp(x - 2 * positive))

    def slope(self, xp: Namespace, kept: Array) -> Array:
        """Return the logistic function of x, `1 - exp(-y)`."""
        return -xp.expm1(-kept)
