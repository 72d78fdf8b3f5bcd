"""One learned factor a feature."""

from __future__ import annotations

import numpy as np

from jactrain.arrays import Array, Namespace, Shape, Tree, size_of
from jactrain.layers.base import Layer, layers
from jactrain.layers.forms import Cost, Kept


@layers.register("scale")
class Scale(Layer):
    """Multiply every feature by a parameter of its own, which starts at one."""

    def parameter_shapes(self, input_shape: Shape) -> Tree:
        """Return weight, of the shape of one example."""
        return {"weight": input_shape}

    def initial_parameters(self, rng: np.random.Generator, input_shape: Shape) -> Tree:
        """Return ones."""
        return {"weight": np.ones(input_shape)}

    def cost(self, input_shape: Shape) -> Cost:
        """Return one multiply-add a feature for everything."""
        return Cost(*(size_of(input_shape),) * 5)

    def kept(self, input_shape: Shape) -> Kept:
        """Return the input."""
        return Kept(input=True, output=False)

    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, Array]:
        """Return `w x`; the residual is `x`."""
        return params["weight"][:, None] * x, x

    def jvp(self, xp: Namespace, params: Tree, residual: Array, x_dot: Array) -> Array:
        """Return `w ẋ`."""
        return params["weight"][:, None] * x_dot

    def parameter_jvp(self, xp: Namespace, params: Tree, residual: Array, dots: Tree) -> Array:
        """Return `ẇ x`."""
        return dots["weight"][:, None] * residual

    def vjp(self, xp: Namespace, params: Tree, residual: Array, y_bar: Array) -> Array:
        """Return `ȳ w`."""
        return y_bar * params["weight"][:, None]

    def parameter_vjp(
        self, xp: Namespace, params: Tree, residual: Array, y_bar: Array, per_example: bool = False
    ) -> Tree:
        """Return `Σ ȳ x`, or `ȳ x` for each example."""
        bars = y_bar * residual
        return {"weight": bars if per_example else bars.sum(1)}
