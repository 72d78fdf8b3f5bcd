"""Layers one after another, which together are a layer again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated, Any

import numpy as np

from jactrain.arrays import Array, Namespace, Path, Shape, Tree, leaves, size_of
from jactrain.errors import ShapeError
from jactrain.layers.base import Layer, Placed, Product, layers
from jactrain.layers.forms import Cost, Kept, PerturbationCost
from jactrain.registry import ComponentOf

# Not registered: a configuration writes a chain as a list.
LayerList = list[Annotated[Layer, ComponentOf(layers)]]


class Chain(Layer):
    """Layers in a row; parameters, their tangents and noise are trees keyed by the layers' names.

    The products are the recursions of forward and reverse mode over the layers within.
    """

    layers: LayerList

    @cached_property
    def named(self) -> tuple[tuple[str, Layer], ...]:
        """The layers with their names: the option `name`, else kind and number, `linear_2`."""
        return tuple(zip(names_of(self.layers), self.layers, strict=True))

    def shapes(self, input_shape: Shape) -> list[Shape]:
        """Return the input shape of every layer and the output shape of the last.

        Raises ShapeError, with the layer's name, where a layer refuses its input.
        """
        shapes = [input_shape]
        before = "the input"
        for name, layer in self.named:
            try:
                shapes.append(layer.output_shape(shapes[-1]))
            except ShapeError as error:
                if error.layer:
                    raise ShapeError(error.reason, f"{name}/{error.layer}") from None
                raise ShapeError(f"{error.reason} (it comes after {before})", name) from None
            before = name
        return shapes

    def output_shape(self, input_shape: Shape) -> Shape:
        """Return the output shape of the last layer."""
        return self.shapes(input_shape)[-1]

    def parameter_shapes(self, input_shape: Shape) -> Tree:
        """Return the shapes of all layers that have parameters."""
        return {
            name: shapes
            for name, layer, shape in self._placed(input_shape)
            if (shapes := layer.parameter_shapes(shape))
        }

    def initial_parameters(self, rng: np.random.Generator, input_shape: Shape) -> Tree:
        """Return every layer's own, drawn in order."""
        return {
            name: parameters
            for name, layer, shape in self._placed(input_shape)
            if (parameters := layer.initial_parameters(rng, shape))
        }

    def draw_noise(
        self, rng: np.random.Generator, input_shape: Shape, examples: int, dtype: np.dtype[Any]
    ) -> Tree:
        """Return the noise of the layers that have any, or None."""
        noise = {
            name: drawn
            for name, layer, shape in self._placed(input_shape)
            if (drawn := layer.draw_noise(rng, shape, examples, dtype)) is not None
        }
        return noise or None

    def draws_noise(self) -> bool:
        """Return whether any layer within may."""
        return any(layer.draws_noise() for layer in self.layers)

    def cost(self, input_shape: Shape) -> Cost:
        """Return the sums; a parameter's product also crosses the layers behind it."""
        costs = [layer.cost(shape) for _, layer, shape in self._placed(input_shape)]
        behind = costs[self._first_parametric(input_shape) + 1 :]
        return Cost(
            forward=sum(cost.forward for cost in costs),
            jvp=sum(cost.jvp for cost in costs),
            vjp=sum(cost.vjp for cost in costs),
            parameter_jvp=sum(cost.parameter_jvp for cost in costs) + sum(cost.jvp for cost in behind),
            parameter_vjp=sum(cost.parameter_vjp for cost in costs) + sum(cost.vjp for cost in behind),
        )

    def kept(self, input_shape: Shape) -> Kept:
        """Return the arrays between the layers that one of its neighbours keeps, and the layers' own."""
        return kept_by_all(
            [layer.kept(shape) for _, layer, shape in self._placed(input_shape)],
            [size_of(shape) for shape in self.shapes(input_shape)],
        )

    def forward(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> tuple[Array, list[Any]]:
        """Return the last layer's output; the residual is the list of the layers' residuals."""
        residuals = []
        for name, layer in self.named:
            x, residual = layer.forward(xp, params.get(name, {}), x, noise_of(noise, name))
            residuals.append(residual)
        return x, residuals

    def within(self, xp: Namespace, params: Tree, x: Array, noise: Tree = None) -> Iterator[Placed]:
        """Yield every layer with what the ones in front make of `x`."""
        for name, layer in self.named:
            placed = Placed(name, layer, params.get(name, {}), x, noise_of(noise, name))
            yield placed
            x, _ = layer.forward(xp, placed.params, x, placed.noise)

    def jvp(self, xp: Namespace, params: Tree, residual: list[Any], x_dot: Array) -> Array:
        """Push the tangents through the layers, first to last."""
        for (name, layer), kept in zip(self.named, residual, strict=True):
            x_dot = layer.jvp(xp, params.get(name, {}), kept, x_dot)
        return x_dot

    def parameter_jvp(self, xp: Namespace, params: Tree, residual: list[Any], dots: Tree) -> Array:
        """Accumulate `ẏ ← A ẏ + B θ̇`, first to last."""
        y_dot = None
        for (name, layer), kept in zip(self.named, residual, strict=True):
            own = params.get(name, {})
            if y_dot is not None:
                y_dot = layer.jvp(xp, own, kept, y_dot)
            if name in dots:
                term = layer.parameter_jvp(xp, own, kept, dots[name])
                y_dot = term if y_dot is None else y_dot + term
        return y_dot

    def vjp(self, xp: Namespace, params: Tree, residual: list[Any], y_bar: Array) -> Array:
        """Pull the cotangents through the layers, last to first."""
        for (name, layer), kept in zip(reversed(self.named), reversed(residual), strict=True):
            y_bar = layer.vjp(xp, params.get(name, {}), kept, y_bar)
        return y_bar

    def parameter_vjp(
        self, xp: Namespace, params: Tree, residual: list[Any], y_bar: Array, per_example: bool = False
    ) -> Tree:
        """Take `ȳ B`, then `ȳ ← ȳ A`, last to first."""
        bars = {}
        for (name, layer), kept in zip(reversed(self.named), reversed(residual), strict=True):
            if name in params:
                bars[name] = layer.parameter_vjp(xp, params[name], kept, y_bar, per_example)
                if len(bars) == len(params):
                    break
            y_bar = layer.vjp(xp, params.get(name, {}), kept, y_bar)
        return {name: bars[name] for name in params}

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
        """Run the layers in front of the perturbed one once, the others for the whole stack."""
        perturbed, rest = path[0], path[1:]
        for name, layer in self.named:
            own, drawn = params.get(name, {}), noise_of(noise, name)
            if name == perturbed:
                x = layer.perturbed_forward(xp, own, x, drawn, rest, indices, steps)
            else:
                x, _ = layer.forward(xp, own, x, drawn)
        return x

    def perturbation_cost(self, input_shape: Shape, path: Path) -> PerturbationCost:
        """Return the layers in front once, the perturbed one's own, and those behind for each."""
        once = each = 0
        found = False
        for name, layer, shape in self._placed(input_shape):
            forward = layer.cost(shape).forward
            if name == path[0]:
                found = True
                own = layer.perturbation_cost(shape, path[1:])
                once, each = once + own.once, each + own.each
            elif found:
                each += forward
            else:
                once += forward
        return PerturbationCost(once, each)

    def interior(self, input_shape: Shape) -> int:
        """Return the largest of those between the layers, and within them."""
        between = [size_of(shape) for shape in self.shapes(input_shape)[1:-1]]
        within = [layer.interior(shape) for _, layer, shape in self._placed(input_shape)]
        return max([*between, *within], default=0)

    def is_analytic(self) -> bool:
        """Return whether every layer within is."""
        return all(layer.is_analytic() for layer in self.layers)

    def products(self, input_shape: Shape) -> frozenset[Product]:
        """Return the products that every layer within has."""
        common = frozenset(Product)
        for _, layer, shape in self._placed(input_shape):
            common &= layer.products(shape)
        return common

    def _placed(self, input_shape: Shape) -> Iterator[tuple[str, Layer, Shape]]:
        for (name, layer), shape in zip(self.named, self.shapes(input_shape), strict=False):
            yield name, layer, shape

    def _first_parametric(self, input_shape: Shape) -> int:
        for position, (_, layer, shape) in enumerate(self._placed(input_shape)):
            if any(leaves(layer.parameter_shapes(shape))):
                return position
        return len(self.layers)


def kept_by_all(kept: Sequence[Kept], sizes: Sequence[int]) -> Kept:
    """Return what a chain keeps; `sizes` are of the arrays in front of, between and behind its layers."""
    between = sum(
        size
        for size, before, behind in zip(sizes[1:-1], kept[:-1], kept[1:], strict=True)
        if before.output or behind.input
    )
    return Kept(kept[0].input, kept[-1].output, between + sum(each.further for each in kept))


def names_of(chain: Sequence[Layer]) -> list[str]:
    """Return a name for every layer: its own, else its kind and number among its kind.

    Raises ShapeError when two layers have the same name.
    """
    counts: Counter[str] = Counter()
    names: dict[str, None] = {}  # in order, and quick to look into
    for layer in chain:
        counts[layer.kind] += 1
        name = layer.name or f"{layer.kind}_{counts[layer.kind]}"
        if name in names:
            raise ShapeError(f"two layers are called {name}; give one of them another `name`", name)
        names[name] = None
    return list(names)


def noise_of(noise: Tree, name: str) -> Tree:
    """Return the noise of the layer `name`, or None where there is none."""
    return None if noise is None else noise.get(name)
