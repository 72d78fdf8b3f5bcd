"""The Gaussian error linear unit (Hendrycks & Gimpel 2016), exact."""

from __future__ import annotations

import math

from jactrain.arrays import Array, Namespace, erfc
from jactrain.layers.base import layers
from jactrain.layers.elementwise import Elementwise


@layers.register("gelu")
class GELU(Elementwise):
    """The Gaussian error linear unit, x times the normal distribution function of x."""

    keeps = "input"

    def value(self, xp: Namespace, x: Array) -> Array:
        """Return `x Φ(x)`, `Φ` the standard normal distribution function."""
        return x * _normal_distribution(xp, x)

    def slope(self, xp: Namespace, kept: Array) -> Array:
        """Return `Φ + x φ`, `φ` the standard normal density."""
        density = xp.exp(-0.5 * kept * kept) / math.sqrt(2 * math.pi)
        return _normal_distribution(xp, kept) + kept * density


def _normal_distribution(xp: Namespace, x: Array) -> Array:
    """Return `Φ(x)`, small values too with the digits that those of x determine."""
    return 0.5 * erfc(xp, x * -math.sqrt(0.5))
