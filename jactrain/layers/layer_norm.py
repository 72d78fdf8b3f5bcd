"""Layer normalisation (Ba, Kiros & Hinton 2016)."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from jactrain.arrays import Array, Namespace, Shape, Tree
from jactrain.layers.base import Layer, layers, require_one_axis
from jactrain.layers.forms import Cost, Kept


@layers.register("layer_norm")
class LayerNorm(Layer):
    """Normalise each example's features to mean 0 and variance 1, then apply a gain and a bias."""

    epsilon: float = Field(1e-5, gt=0, description="Added to the variance.")

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input shape; ShapeError if the input is no vector."""
        return (require_one_axis(self, input_shape),)

    def parameter_shapes(self, input_shape: Shape) -> Tree:
        """Return gain and bias, `(n,)` each."""
        features = require_one_axis(self, input_shape)
        return {"gain": (features,), "bias": (features,)}

    def initial_parameters(self, rng: np.random.Generator, input_shape: Shape) -> Tree:
        """Return gains of one and biases of zero."""
        return {"gain": np.ones(input_shape), "bias": np.zeros(input_shape)}

    def cost(self, input_shape: Shape) -> Cost:
        """Return three multiply-adds a feature forward, four for a product, one for a parameter's.

        Forward also takes a root and a division, whatever the number of features.
        """
        n = require_one_axis(self, input_shape)
        return Cost(forward=3 * n + 2, jvp=4 * n, vjp=4 * n, parameter_jvp=n, parameter_vjp=n)

    def kept(self, input_shape: Shape) -> Kept:
        """Return the normalised features and one over the standard deviation."""
        return Kept(input=False, output=False, further=require_one_axis(self, input_shape) + 1)

    def forward(
        self, xp: Namespace, params: Tree, x: Array, noise: Tree = None
    ) -> tuple[Array, tuple[Array, Array]]:
        """Return `gain x̂ + bias`; the residual is `x̂` and one over the standard deviation."""
        centred = x - x.mean(-1, keepdims=True)
        inverse = 1 / xp.sqrt((centred * centred).mean(-1, keepdims=True) + self.epsilon)
        normal = centred * inverse
        return params["gain"][:, None] * normal + params["bias"][:, None], (normal, inverse)

    def jvp(self, xp: Namespace, params: Tree, residual: tuple[Array, Array], x_dot: Array) -> Array:
        """Return the gain times the normalisation's Jacobian times `ẋ`."""
        return params["gain"][:, None] * _normalisation(residual, x_dot)

    def parameter_jvp(self, xp: Namespace, params: Tree, residual: tuple[Array, Array], dots: Tree) -> Array:
        """Return `ġ x̂ + ḃ`."""
        return dots["gain"][:, None] * residual[0] + dots["bias"][:, None]

    def vjp(self, xp: Namespace, params: Tree, residual: tuple[Array, Array], y_bar: Array) -> Array:
        """Return the normalisation's Jacobian, which is symmetric, times the gain times `ȳ`."""
        return _normalisation(residual, params["gain"][:, None] * y_bar)

    def parameter_vjp(
        self,
        xp: Namespace,
        params: Tree,
        residual: tuple[Array, Array],
        y_bar: Array,
        per_example: bool = False,
    ) -> Tree:
        """Return `Σ x̂ ȳ` and `Σ ȳ`, or the terms for each example."""
        gain_bar = y_bar * residual[0]
        if per_example:
            return {"gain": gain_bar, "bias": y_bar}
        return {"gain": gain_bar.sum(1), "bias": y_bar.sum(1)}


def _normalisation(residual: tuple[Array, Array], vector: Array) -> Array:
    """Return `(v - mean v - x̂ mean(x̂ v)) / σ`, the Jacobian of x̂ in x times a stack of vectors."""
    normal, inverse = residual
    projection = (normal * vector).mean(-1, keepdims=True)
    return (vector - vector.mean(-1, keepdims=True) - normal * projection) * inverse
