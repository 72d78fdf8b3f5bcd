"""A chain of layers bound to its input shape, and its parameters as one flat vector."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jactrain.arrays import Array, Namespace, Path, Shape, Tree, leaf_at, leaves, size_of, tree_of
from jactrain.layers.base import Layer, Product
from jactrain.layers.chain import Chain, kept_by_all, noise_of
from jactrain.layers.forms import Cost, Kept, MovedCost


class Layout:
    """Where every parameter lies in a flat vector.

    `paths`, `shapes` and `slices` list the leaves in order; `size` is their number of entries, P.
    """

    def __init__(self, shapes: Tree) -> None:
        self.paths: list[Path] = []
        self.shapes: list[Shape] = []
        self.slices: list[slice] = []
        self.size = 0
        for path, shape in leaves(shapes):
            stop = self.size + size_of(shape)
            self.paths.append(path)
            self.shapes.append(shape)
            self.slices.append(slice(self.size, stop))
            self.size = stop
        self.places = list(zip(self.paths, self.shapes, self.slices, strict=True))

    @property
    def names(self) -> list[str]:
        """The leaves' names, such as `linear_1/weight` or `residual_1/linear_1/bias`."""
        return ["/".join(path) for path in self.paths]

    def views(self, flat: Array) -> Tree:
        """Return the tree of leaves `(K, *p)` that `flat` `(K, P)` holds; under NumPy, views of it."""
        stack = flat.shape[0]
        return tree_of({path: flat[:, part].reshape((stack, *shape)) for path, shape, part in self.places})

    def views_within(self, vector: Array, start: int) -> Tree:
        """Return the tree of leaves `(1, *p)` that a vector holds from entry `start` on.

        Each is one slice: compilers see through that, and not through slices of slices.
        """
        return tree_of(
            {
                path: vector[start + part.start : start + part.stop].reshape((1, *shape))
                for path, shape, part in self.places
            }
        )

    def flatten(self, xp: Namespace, tree: Tree) -> Array:
        """Return the leaves `(K, *p)` of `tree` as one array `(K, P)`."""
        flat = [leaf_at(tree, path) for path in self.paths]
        if all(leaf.shape[0] == 1 for leaf in flat):  # in a form that compilers see through
            return xp.concatenate([leaf.reshape(-1) for leaf in flat])[None]
        return xp.concatenate([leaf.reshape((leaf.shape[0], -1)) for leaf in flat], axis=1)

    def locate(self, position: int) -> tuple[str, tuple[int, ...]]:
        """Return the name of the leaf that entry `position` of the flat vector is in, and its index there."""
        for name, shape, part in zip(self.names, self.shapes, self.slices, strict=True):
            if part.start <= position < part.stop:
                index = np.unravel_index(position - part.start, shape)
                return name, tuple(int(i) for i in index)
        raise IndexError(f"entry {position} of a vector of {self.size} parameters")


@dataclass(frozen=True)
class Link:
    """One layer at its place in a network: `x^{k+1} = L^k(x^k, θ^k)`.

    `part` is where the layer's parameters lie in the network's flat vector, `layout` how they lie in it;
    `interior` is the size of the largest array between the layers within it.
    """

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    layout: Layout
    part: slice
    cost: Cost
    products: frozenset[Product]
    interior: int

    @cached_property
    def input_size(self) -> int:
        """Entries of one example's input, `n_k`."""
        return size_of(self.input_shape)

    @cached_property
    def output_size(self) -> int:
        """Entries of one example's output, `n_{k+1}`."""
        return size_of(self.output_shape)

    @cached_property
    def single_jvp_cost(self) -> MovedCost:
        """What the layer takes to push a single entry; planners ask for it again and again."""
        return self.layer.single_jvp_cost(self.input_shape)

    @cached_property
    def kept(self) -> Kept:
        """Which arrays the layer's residual keeps."""
        return self.layer.kept(self.input_shape)


class Network:
    """Layers in a row, for inputs of one shape.

    Raises ShapeError, with the layer's name, where the layers do not chain.
    """

    def __init__(self, layers: Sequence[Layer], input_shape: Shape) -> None:
        self.chain = Chain(layers=list(layers))
        self.input_shape = input_shape
        shapes = self.chain.shapes(input_shape)
        self.output_shape = shapes[-1]
        self.layout = Layout(self.chain.parameter_shapes(input_shape))
        links = []
        offset = 0
        for (name, layer), shape, next_shape in zip(self.chain.named, shapes[:-1], shapes[1:], strict=True):
            layout = Layout(layer.parameter_shapes(shape))
            part = slice(offset, offset + layout.size)
            offset = part.stop
            cost, products = layer.cost(shape), layer.products(shape)
            links.append(
                Link(name, layer, shape, next_shape, layout, part, cost, products, layer.interior(shape))
            )
        self.links = tuple(links)
        # The position of the first link with parameters, or the number of links: cotangents stop there.
        self.first_parametric = next(
            (position for position, link in enumerate(links) if link.layout.size), len(links)
        )

        self._noisy = self.chain.draws_noise()

    @property
    def size(self) -> int:
        """The number of parameters, P."""
        return self.layout.size

    def initial_parameters(self, rng: np.random.Generator, dtype: Any = np.float64) -> Array:
        """Return a flat vector `(P,)` of initial parameters drawn from `rng`.

        Draws are made in float64, so that both dtypes start from the same numbers.
        """
        tree = self.chain.initial_parameters(rng, self.input_shape)
        flat = [np.ravel(leaf) for _, leaf in leaves(tree)]
        return np.concatenate(flat).astype(dtype) if flat else np.empty(0, dtype)

    def kept_entries(self, start: int, stop: int) -> int:
        """Return the entries per example that the residuals of links `start` to `stop` keep.

        What they share, a layer's output being the next one's input, counts once; the inputs of the first
        one are not counted.
        """
        links = self.links[start:stop]
        kept = [link.kept for link in links]
        sizes = [links[0].input_size, *(link.output_size for link in links)]
        whole = kept_by_all(kept, sizes)
        return whole.further + (sizes[-1] if whole.output else 0)

    def draw_noise(self, rng: np.random.Generator, examples: int, dtype: Any) -> Tree:
        """Return the noise of one training step for `examples` examples, or None."""
        if not self._noisy:
            return None
        return self.chain.draw_noise(rng, self.input_shape, examples, np.dtype(dtype))

    def outputs(self, parameters: Array, x: Array, noise: Tree = None, xp: Namespace = np) -> Array:
        """Return the outputs `(N, *out)` for inputs `(N, *in)`; without `noise`, in evaluation."""
        return self.chain.forward(xp, self.layout.views(parameters[None]), x[None], noise)[0][0]

    def own_parameters(self, parameters: Array) -> list[Tree]:
        """Return each link's tree of parameters, leaves `(1, *p)`, from the flat vector `(P,)`."""
        return [link.layout.views_within(parameters, link.part.start) for link in self.links]

    def own_noise(self, noise: Tree) -> list[Tree]:
        """Return each link's noise, None where there is none."""
        if noise is None:
            return [None] * len(self.links)
        return [noise_of(noise, link.name) for link in self.links]
