"""Dropout (Srivastava et al. 2014), with the mask drawn outside the rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

from jactrain.arrays import Array, Namespace, Shape, Tree, size_of
from jactrain.layers.base import Layer, layers
from jactrain.layers.forms import Cost, Kept


@layers.register("dropout")
class Dropout(Layer):
    """Set random entries to zero while training and scale up the others; the identity in evaluation."""

    rate: float = Field(0.5, ge=0, lt=1, description="Probability that an entry is set to zero.")

    def draw_noise(
        self, rng: np.random.Generator, input_shape: Shape, examples: int, dtype: np.dtype[Any]
    ) -> Array:
        """Return a mask `(N, *in)` of 0 and `1 / (1 - rate)`, so that its mean is one."""
        kept = rng.random((examples, *input_shape)) >= self.rate
        return kept.astype(dtype) / dtype.type(1 - self.rate)

    def cost(self, input_shape: Shape) -> Cost:
        """Return one multiply-add an entry."""
        size = size_of(input_shape)
        return Cost(forward=size, jvp=size, vjp=size)

    def kept(self, input_shape: Shape) -> Kept:
        """Return nothing: the mask is the noise that was given."""
        return Kept(input=False, output=False)

    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, Array]:
        """Return `mask · x`, or `x` without noise; the residual is the mask, or one."""
        mask = xp.ones((), x.dtype) if noise is None else noise
        return x * mask, mask

    def jvp(self, xp: Namespace, params: Tree, residual: Array, x_dot: Array) -> Array:
        """Return `mask · ẋ`."""
        return x_dot * residual

    def vjp(self, xp: Namespace, params: Tree, residual: Array, y_bar: Array) -> Array:
        """Return `ȳ · mask`."""
        return y_bar * residual
