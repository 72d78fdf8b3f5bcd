"""The softmax function over the last axis."""

from __future__ import annotations

from jactrain.arrays import Array, Namespace, Shape, Tree, size_of
from jactrain.layers.base import Layer, layers
from jactrain.layers.forms import Cost, Kept


@layers.register("softmax")
class Softmax(Layer):
    """Exponentials over the last axis, divided by their sum; for a loss on logits leave it out."""

    def cost(self, input_shape: Shape) -> Cost:
        """Return two multiply-adds an entry: exponential and division, or two products with y."""
        size = size_of(input_shape)
        return Cost(forward=2 * size, jvp=2 * size, vjp=2 * size)

    def kept(self, input_shape: Shape) -> Kept:
        """Return the output."""
        return Kept(input=False, output=True)

    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, Array]:
        """Return `exp(x) / Σ exp(x)`, shifted by the largest entry so that nothing overflows."""
        exponentials = xp.exp(x - x.real.max(-1, keepdims=True))
        y = exponentials / exponentials.sum(-1, keepdims=True)
        return y, y

    def jvp(self, xp: Namespace, params: Tree, residual: Array, x_dot: Array) -> Array:
        """Return `y (ẋ - Σ y ẋ)`."""
        return residual * (x_dot - (residual * x_dot).sum(-1, keepdims=True))

    def vjp(self, xp: Namespace, params: Tree, residual: Array, y_bar: Array) -> Array:
        """Return `y (ȳ - Σ y ȳ)`: the local Jacobian is symmetric."""
        return residual * (y_bar - (residual * y_bar).sum(-1, keepdims=True))
