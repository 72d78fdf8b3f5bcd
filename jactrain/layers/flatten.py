"""Flattening of an example to a vector."""

from __future__ import annotations

from jactrain.arrays import Array, Namespace, Shape, Tree, size_of
from jactrain.layers.base import Layer, layers
from jactrain.layers.forms import Cost, Kept


@layers.register("flatten")
class Flatten(Layer):
    """Lay out all axes of an example as one, the last varying fastest."""

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the number of entries as the only axis."""
        return (size_of(input_shape),)

    def cost(self, input_shape: Shape) -> Cost:
        """Return zero: nothing is computed."""
        return Cost(forward=0, jvp=0, vjp=0)

    def kept(self, input_shape: Shape) -> Kept:
        """Return nothing."""
        return Kept(input=False, output=False)

    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, Shape]:
        """Return `x` as vectors; the residual is the shape of one example."""
        return _as_vectors(x), x.shape[2:]

    def jvp(self, xp: Namespace, params: Tree, residual: Shape, x_dot: Array) -> Array:
        """Return the tangents as vectors."""
        return _as_vectors(x_dot)

    def vjp(self, xp: Namespace, params: Tree, residual: Shape, y_bar: Array) -> Array:
        """Return the cotangents in the input's shape."""
        return y_bar.reshape(*y_bar.shape[:2], *residual)


def _as_vectors(stack: Array) -> Array:
    # The size is spelled out because -1 cannot be inferred for an empty stack.
    return stack.reshape(*stack.shape[:2], size_of(stack.shape[2:]))
