"""The sigmoid linear unit (Elfwing, Uchibe & Doya 2018), also called swish."""

from __future__ import annotations

from jactrain.arrays import Array, Namespace, logistic
from jactrain.layers.base import layers
from jactrain.layers.elementwise import Elementwise


@layers.register("silu")
class SiLU(Elementwise):
    """The sigmoid linear unit, x times the logistic function of x."""

    keeps = "input"

    def value(self, xp: Namespace, x: Array) -> Array:
        """Return x s(x), with s the logistic function."""
        return x * logistic(xp, x)

    def slope(self, xp: Namespace, kept: Array) -> Array:
        """Return `s + x s (1 - s)`."""
        s = logistic(xp, kept)
        return s * (1 + kept * (1 - s))
