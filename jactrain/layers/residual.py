"""A residual block (He et al. 2016): a chain of layers plus its input."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import Field

from jactrain.arrays import Array, Namespace, Path, Shape, Tree, size_of
from jactrain.errors import ShapeError
from jactrain.layers.base import Layer, Placed, Product, layers
from jactrain.layers.chain import Chain, LayerList
from jactrain.layers.forms import Cost, Kept, PerturbationCost


@layers.register("residual")
class Residual(Layer):
    """The output of the layers within plus their input: y = f(x) + x; both have the same shape."""

    network: LayerList = Field(min_length=1, description="The layers within.")

    @cached_property
    def body(self) -> Chain:
        """The layers within, as one."""
        return Chain(layers=self.network)

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the input shape; ShapeError if the layers within do not keep it."""
        output_shape = self.body.output_shape(input_shape)
        if output_shape != input_shape:
            last = self.body.named[-1][0]
            raise ShapeError(
                f"a residual block adds its input {input_shape} to its output, but its last layer, "
                f"{last}, gives {output_shape}; make the two equal"
            )
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> Tree:
        """Return those of the layers within, by name."""
        return self.body.parameter_shapes(input_shape)

    def initial_parameters(self, rng: np.random.Generator, input_shape: Shape) -> Tree:
        """Return those of the layers within."""
        return self.body.initial_parameters(rng, input_shape)

    def draw_noise(
        self, rng: np.random.Generator, input_shape: Shape, examples: int, dtype: np.dtype[Any]
    ) -> Tree:
        """Return that of the layers within."""
        return self.body.draw_noise(rng, input_shape, examples, dtype)

    def draws_noise(self) -> bool:
        """Return whether any layer within may."""
        return self.body.draws_noise()

    def cost(self, input_shape: Shape) -> Cost:
        """Return that of the layers within: adding the input is free."""
        return self.body.cost(input_shape)

    def kept(self, input_shape: Shape) -> Kept:
        """Return that of the layers within; an output that they keep is not the block's, which is a sum."""
        kept = self.body.kept(input_shape)
        own = size_of(input_shape) if kept.output else 0
        return Kept(kept.input, output=False, further=kept.further + own)

    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, Any]:
        """Return `f(x) + x`."""
        y, residual = self.body.forward(xp, params, x, noise)
        return y + x, residual

    def within(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> Iterator[Placed]:
        """Yield the layers within."""
        return self.body.within(xp, params, x, noise)

    def jvp(self, xp: Namespace, params: Tree, residual: Any, x_dot: Array) -> Array:
        """Return `A ẋ + ẋ`."""
        return self.body.jvp(xp, params, residual, x_dot) + x_dot

    def parameter_jvp(self, xp: Namespace, params: Tree, residual: Any, dots: Tree) -> Array:
        """Return that of the layers within."""
        return self.body.parameter_jvp(xp, params, residual, dots)

    def vjp(self, xp: Namespace, params: Tree, residual: Any, y_bar: Array) -> Array:
        """Return `ȳ A + ȳ`."""
        return self.body.vjp(xp, params, residual, y_bar) + y_bar

    def parameter_vjp(
        self, xp: Namespace, params: Tree, residual: Any, y_bar: Array, per_example: bool = False
    ) -> Tree:
        """Return that of the layers within."""
        return self.body.parameter_vjp(xp, params, residual, y_bar, per_example)

    def perturbed_forward(
        self,
        xp: Namespace,
        params: Tree,
        x: Array,
        noise: Tree,
        path: Path,
        indices: Array,
        steps: Array,
    ) -> Array:
        """Return that of the layers within, plus `x`."""
        return self.body.perturbed_forward(xp, params, x, noise, path, indices, steps) + x

    def perturbation_cost(self, input_shape: Shape, path: Path) -> PerturbationCost:
        """Return that of the layers within."""
        return self.body.perturbation_cost(input_shape, path)

    def interior(self, input_shape: Shape) -> int:
        """Return that of the layers within."""
        return self.body.interior(input_shape)

    def is_analytic(self) -> bool:
        """Return whether every layer within is."""
        return self.body.is_analytic()

    def products(self, input_shape: Shape) -> frozenset[Product]:
        """Return the products that every layer within has."""
        return self.body.products(input_shape)
