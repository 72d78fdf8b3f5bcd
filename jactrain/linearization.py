"""A network linearised at one point: its values link by link, and the four products of every link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from jactrain.arrays import Array, Namespace, Shape, Tree
from jactrain.layers.forms import SingleEntry
from jactrain.network import Network


@dataclass(slots=True)
class Work:
    """What was applied: stacked vectors for each product, summed over the links, and multiply-adds.

    `forward` counts networks of the stack, so a plain evaluation of `l` links is `l`.
    """

    forward: int = 0
    jvp: int = 0
    vjp: int = 0
    parameter_jvp: int = 0
    parameter_vjp: int = 0
    multiply_adds: int = 0


class NetworkLinearization:
    """A network at one point, whose links are run one by one, and then offer their products.

    `position` counts the links from 0; stacks are `(K, N, …)`. A link must have been run by `forward`
    before its products are asked for.
    """

    def __init__(
        self, network: Network, parameters: Array, x: Array, noise: Tree = None, xp: Namespace = np
    ) -> None:
        self.network = network
        self.xp = xp
        self.inputs = x[None]  # of the first link, (1, N, *in)
        self.examples = len(x)
        self.work = Work()
        self._params = network.own_parameters(parameters)
        self._noise = network.own_noise(noise)
        self._residuals: list[Any] = [None] * len(network.links)

    def shape_in_front(self, position: int) -> Shape:
        """Return the shape of one example in front of a link, or behind the last one."""
        links = self.network.links
        return links[position].input_shape if position < len(links) else links[-1].output_shape

    def forward(self, position: int, x: Array, keep: bool = True) -> Array:
        """Return the output of one link for `x`; `keep` its residual, which its products need."""
        link = self.network.links[position]
        self.work.forward += 1
        self.work.multiply_adds += self.examples * link.cost.forward
        y, residual = link.layer.forward(self.xp, self._params[position], x, self._noise[position])
        if keep:
            self._residuals[position] = residual
        return y

    def run(self) -> Array:
        """Run all links, keeping their residuals, and return the outputs `(1, N, *out)`."""
        x = self.inputs
        for position in range(len(self.network.links)):
            x = self.forward(position, x)
        return x

    def forget(self, position: int) -> None:
        """Let go of the residual of one link."""
        self._residuals[position] = None

    def jvp(self, position: int, x_dot: Array) -> Array:
        """Return `A ẋ` of one link."""
        link = self.network.links[position]
        self.work.jvp += len(x_dot)
        self.work.multiply_adds += len(x_dot) * self.examples * link.cost.jvp
        return link.layer.jvp(self.xp, self._params[position], self._residuals[position], x_dot)

    def single_jvp(self, position: int, x_dot: SingleEntry) -> Array | SingleEntry:
        """Return `A ẋ` of one link for tangents with a single entry."""
        link = self.network.links[position]
        vectors = len(x_dot.places)
        self.work.jvp += vectors
        self.work.multiply_adds += vectors * self.examples * link.layer.single_jvp_cost(link.input_shape).each
        return link.layer.single_jvp(self.xp, self._params[position], self._residuals[position], x_dot)

    def parameter_jvp(self, position: int, dots: Array) -> Array:
        """Return `B θ̇` of one link, for tangents `(K, p)` laid out as its parameters."""
        link = self.network.links[position]
        self.work.parameter_jvp += len(dots)
        self.work.multiply_adds += len(dots) * self.examples * link.cost.parameter_jvp
        tree = link.layout.views(dots)
        return link.layer.parameter_jvp(self.xp, self._params[position], self._residuals[position], tree)

    def vjp(self, position: int, y_bar: Array, params: Tree = None) -> Array:
        """Return `ȳ A` of one link, by its own parameters or by others, `{(1, *p)}`, in their place."""
        link = self.network.links[position]
        self.work.vjp += len(y_bar)
        self.work.multiply_adds += len(y_bar) * self.examples * link.cost.vjp
        own = self._params[position] if params is None else params
        return link.layer.vjp(self.xp, own, self._residuals[position], y_bar)

    def parameter_vjp(self, position: int, y_bar: Array, per_example: bool = False) -> Tree:
        """Return `ȳ B` of one link, the tree of its parameters: `{(K, *p)}` summed over the examples.

        Or `{(K, N, *p)}`, if `per_example`.
        """
        link = self.network.links[position]
        self.work.parameter_vjp += len(y_bar)
        self.work.multiply_adds += len(y_bar) * self.examples * link.cost.parameter_vjp
        params, residual = self._params[position], self._residuals[position]
        if per_example:
            return link.layer.parameter_vjp(self.xp, params, residual, y_bar, per_example=True)
        return link.layer.parameter_vjp(self.xp, params, residual, y_bar)

    def parameter_rows(self, position: int, y_bar: Array) -> tuple[Array, Array]:
        """Return factors `(N, q)` and `(K, N, r)` whose outer products are the rows `ȳ_k B` of one link."""
        layer = self.network.links[position].layer
        return layer.parameter_rows(self.xp, self._params[position], self._residuals[position], y_bar)
