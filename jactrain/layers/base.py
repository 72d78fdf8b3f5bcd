"""The contract of a layer: `forward` and four products, all with a stack axis in front.

For one example a layer is `y = L(x, θ)` with local Jacobians `A = ∂L/∂x` and `B = ∂L/∂θ`. It never
forms them. With `K` vectors in a stack, `N` examples, and the layer's own trailing axes::

    forward         x     (K, N, *in)                     ->  y     (K, N, *out), residual
    jvp             x_dot (K, N, *in)                     ->  y_dot (K, N, *out)     A ẋ
    parameter_jvp   dots  {(K, *p)}                       ->  y_dot (K, N, *out)     B θ̇
    vjp             y_bar (K, N, *out)                    ->  x_bar (K, N, *in)      ȳ A
    parameter_vjp   y_bar (K, N, *out)                    ->  bars  {(K, *p)}        ȳ B, summed over N

Parameters carry the stack axis too, `{(K, *p)}`, so that `K` perturbed or differently seeded networks
run as one batched product. A stack axis of length 1 broadcasts against any `K`. Examples never mix.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from jactrain.arrays import Array, Namespace, Path, Shape, Tree, leaves, size_of
from jactrain.errors import ShapeError, UnsupportedError
from jactrain.layers.forms import Cost, Kept, Moved, MovedCost, PerturbationCost, SingleEntry
from jactrain.registry import Component, Registry


class Product(StrEnum):
    """What a mode may ask of a layer."""

    FORWARD = "forward"
    JVP = "jvp"
    VJP = "vjp"
    PARAMETER_JVP = "parameter_jvp"
    PARAMETER_VJP = "parameter_vjp"


class Placed(NamedTuple):
    """A layer within another, with what reaches it there: `params` `{(K, *p)}`, `x` `(K, N, *in)`, noise."""

    name: str
    layer: Layer
    params: Tree
    x: Array
    noise: Tree


class Layer(Component, ABC):
    """Base of all layers: options and pure functions, never parameters, gradients or caches.

    A layer without one of the products still trains, by the modes that do not use it.
    """

    name: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]{0,63}$",
        description="What the layer is called in messages and files; its kind and a number if left out.",
    )

    # Whether moving one entry of a parameter moves one entry of an example's output, the same in each.
    moves_one_entry: ClassVar[bool] = False

    # Whether `forward` of complex inputs and parameters is its analytic extension; to be set False if not.
    analytic: ClassVar[bool] = True

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the shape of one example's output; ShapeError where `input_shape` does not fit."""
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> Tree:
        """Return `{name: shape}` of the parameters of one network."""
        return {}

    def initial_parameters(self, rng: np.random.Generator, input_shape: Shape) -> Tree:
        """Return `{name: array}`, float64, of `parameter_shapes`, drawn from `rng` only."""
        return {}

    def draw_noise(
        self, rng: np.random.Generator, input_shape: Shape, examples: int, dtype: np.dtype[Any]
    ) -> Tree:
        """Return the noise of one training step, `(N, …)`, or None for a layer without noise."""
        return None

    def draws_noise(self) -> bool:
        """Return whether this layer, or one within it, may draw noise: by default, if it says how."""
        return type(self).draw_noise is not Layer.draw_noise

    @abstractmethod
    def cost(self, input_shape: Shape) -> Cost:
        """Return the multiply-adds per example of `forward` and the products."""

    def kept(self, input_shape: Shape) -> Kept:
        """Return what the residual holds, from which memory is predicted; by default both ends, at most."""
        return Kept(input=True, output=True)

    def interior(self, input_shape: Shape) -> int:
        """Return the entries of the largest array of an example between layers within this one, or 0."""
        return 0

    @abstractmethod
    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, Any]:
        """Return `y` `(K, N, *out)` and the residual that the products need.

        `noise` is what `draw_noise` gave for this step, or None when the network is evaluated.
        Branches decide on the real part, so that complex `x` and `params` give the analytic extension.
        """

    def jvp(self, xp: Namespace, params: Tree, residual: Any, x_dot: Array) -> Array:
        """Return `A ẋ`, `(K, N, *out)`, for tangents `x_dot` `(K, N, *in)`."""
        raise _unsupported(self, Product.JVP)

    def single_jvp(
        self, xp: Namespace, params: Tree, residual: Any, x_dot: SingleEntry
    ) -> Array | SingleEntry:
        """Return `A ẋ` for tangents with a single entry: what seeds of forward mode are at first.

        A layer that can do with less than `K` products overrides this together with `single_jvp_cost`.
        """
        return self.jvp(xp, params, residual, x_dot.dense(xp))

    def single_jvp_cost(self, input_shape: Shape) -> MovedCost:
        """Return the multiply-adds per example and tangent of `single_jvp`, and what it returns."""
        return MovedCost(self.cost(input_shape).jvp, moved=False)

    def parameter_jvp(self, xp: Namespace, params: Tree, residual: Any, dots: Tree) -> Array:
        """Return `B θ̇`, `(K, N, *out)`, for tangents `dots` `{(K, *p)}`."""
        raise _unsupported(self, Product.PARAMETER_JVP)

    def vjp(self, xp: Namespace, params: Tree, residual: Any, y_bar: Array) -> Array:
        """Return `ȳ A`, `(K, N, *in)`, for cotangents `y_bar` `(K, N, *out)`."""
        raise _unsupported(self, Product.VJP)

    def parameter_vjp(
        self, xp: Namespace, params: Tree, residual: Any, y_bar: Array, per_example: bool = False
    ) -> Tree:
        """Return `ȳ B`, `{(K, *p)}` summed over the examples, or `{(K, N, *p)}` if `per_example`."""
        raise _unsupported(self, Product.PARAMETER_VJP)

    def parameter_rows(self, xp: Namespace, params: Tree, residual: Any, y_bar: Array) -> tuple[Array, Array]:
        """Return factors `(N, q)` and `(K, N, r)` of the rows `ȳ_k B`, each an outer product `q ⊗ r`.

        The products of two rows are then those of their factors, multiplied. By default q is 1, and r is the
        row itself; a layer that can do without forming it overrides this. Residuals have a stack axis of 1.
        """
        tree = self.parameter_vjp(xp, params, residual, y_bar, per_example=True)
        rows = xp.concatenate([leaf.reshape((*leaf.shape[:2], -1)) for _, leaf in leaves(tree)], axis=2)
        return xp.ones((y_bar.shape[1], 1), y_bar.dtype), rows

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
        """Return the outputs `(K, N, *out)` with single entries of one parameter moved.

        In network `t` of the stack the entry `indices[t]` of the flattened parameter at `path` is
        moved by `steps[t]`; `params` and `x` have a stack axis of length 1. A layer that can do with
        less than `K` forward passes overrides this together with `perturbation_cost`, or, if it
        `moves_one_entry`, states `perturbed_entry`.
        """
        if self.moves_one_entry:
            y, _ = self.forward(xp, params, x, noise)
            return self.perturbed_entry(xp, params, x, y, path, indices, steps).dense(xp)
        return self.forward(xp, perturbed(xp, params, path, indices, steps), x, noise)[0]

    def perturbation_cost(self, input_shape: Shape, path: Path) -> PerturbationCost:
        """Return the multiply-adds per example of `perturbed_forward` for the parameter at `path`."""
        forward = self.cost(input_shape).forward
        return PerturbationCost(forward, 1) if self.moves_one_entry else PerturbationCost(0, forward)

    def perturbed_entry(
        self, xp: Namespace, params: Tree, x: Array, y: Array, path: Path, indices: Array, steps: Array
    ) -> Moved:
        """Return the outputs of `perturbed_forward` around `y` `(1, N, *out)`, the output for `x`.

        For layers that `moves_one_entry`; it costs one multiply-add an example and network.
        """
        raise NotImplementedError

    def moved_forward(
        self, xp: Namespace, params: Tree, x: Moved, y: Array, noise: Tree = None
    ) -> Array | Moved:
        """Return the outputs `(K, N, *out)` for inputs moved in one entry; `y` is that for `x.around`.

        A layer that can do with less than `K` forward passes overrides this together with `moved_cost`.
        """
        return self.forward(xp, params, x.dense(xp), noise)[0]

    def moved_cost(self, input_shape: Shape) -> MovedCost:
        """Return the multiply-adds per example and network of `moved_forward`, and what it returns."""
        return MovedCost(self.cost(input_shape).forward, moved=False)

    def within(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> Iterator[Placed]:
        """Yield the layers within this one, each with what reaches it: none, unless it is made of layers."""
        yield from ()

    def pieces(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> Array | None:
        """Return which smooth piece of its map every unit is on, `(K, N, …)` integers; None for a smooth map.

        A difference quotient between two points on other pieces spans a kink. By default those of the layers
        within; a layer with kinks of its own overrides this.
        """
        found = []
        for placed in self.within(xp, params, x, noise):
            pieces = placed.layer.pieces(xp, placed.params, placed.x, placed.noise)
            if pieces is not None:
                found.append(pieces.reshape((*pieces.shape[:2], -1)))
        if not found:
            return None
        stack = max(len(pieces) for pieces in found)
        return xp.concatenate([xp.broadcast_to(p, (stack, *p.shape[1:])) for p in found], axis=2)

    def is_analytic(self) -> bool:
        """Return whether this layer, and every one within it, is `analytic`."""
        return self.analytic

    def products(self, input_shape: Shape) -> frozenset[Product]:
        """Return the products that can be asked of this layer; its parameters' too if it has none."""
        has_parameters = any(leaves(self.parameter_shapes(input_shape)))
        return frozenset(
            product
            for product in Product
            if _defines(self, product)
            or (not has_parameters and product in (Product.PARAMETER_JVP, Product.PARAMETER_VJP))
        )


layers: Registry[Layer] = Registry("layer", "layers")


def perturbed(xp: Namespace, params: Tree, path: Path, indices: Array, steps: Array) -> Tree:
    """Return `params` with the leaf at `path` stacked `K` times, one entry moved in each.

    `params` has leaves `(1, *p)`; `indices` and `steps` are `(K,)`.
    """
    if not path:
        shape = params.shape[1:]
        places = xp.arange(size_of(shape)) == indices[:, None]
        return params + (places * steps[:, None]).reshape(-1, *shape)
    name, *rest = path
    return {**params, name: perturbed(xp, params[name], tuple(rest), indices, steps)}


def require_one_axis(layer: Layer, input_shape: Shape) -> int:
    """Return the number of features of a layer whose examples are vectors; ShapeError if they are not."""
    if len(input_shape) != 1:
        raise ShapeError(
            f"{layer.kind} takes one axis of features, but its input has shape {input_shape}; "
            "put `flatten` before it"
        )
    return input_shape[0]


def _defines(layer: Layer, product: Product) -> bool:
    return getattr(type(layer), product.value) is not getattr(Layer, product.value)


def _unsupported(layer: Layer, product: Product) -> UnsupportedError:
    return UnsupportedError(f"{layer.kind} has no {product}; define it, or train by another mode")
