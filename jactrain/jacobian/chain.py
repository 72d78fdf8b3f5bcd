"""A product of local Jacobians as sizes and costs: all that a plan needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf

from jactrain.layers.base import Product
from jactrain.network import Link, Network


@dataclass(frozen=True)
class Factor:
    """One factor `A`, `outputs × inputs`, with the multiply-adds an example of its products.

    jvp: of one `A ẋ`; vjp: of one `ȳ A`; infinite where a layer has no such product. Several links in a row
    may be one factor: `start` to `stop` are the positions of its links,
    `interior` the size of the largest array between them.
    """

    inputs: int
    outputs: int
    jvp: float
    vjp: float
    start: int = 0
    stop: int = 0
    interior: int = 0

    @property
    def by_jvp(self) -> bool:
        """Whether the factor itself is cheaper from tangents than from cotangents."""
        return self.inputs * self.jvp <= self.outputs * self.vjp

    @property
    def accumulation(self) -> float:
        """The multiply-adds an example of forming the factor: its product with a basis."""
        return min(self.inputs * self.jvp, self.outputs * self.vjp)


# Planning takes a time cubic in the number of factors: half a second for 200.
_MOST_FACTORS = 128


def factors_of(network: Network) -> tuple[Factor, ...]:
    """Return the chain of `J_x f`: a factor for every link, or for several where there are over 128."""
    count = len(network.links)
    ends = [*range(0, count, -(-count // _MOST_FACTORS)), count]
    return tuple(factor_of(network, start, stop) for start, stop in pairwise(ends))


def suffix_factors_of(network: Network) -> tuple[Factor, ...]:
    """Return the chain of which `J_θ f` needs all suffixes, from the first layer with parameters' output on.

    A factor reaches from the output of one link with parameters to that of the next, the last one to the
    network's outputs; empty if the only link with parameters ends there.
    """
    links = network.links
    ends = [position + 1 for position, link in enumerate(links) if link.layout.size]
    if ends[-1] < len(links):
        ends.append(len(links))
    return tuple(factor_of(network, start, stop) for start, stop in pairwise(ends))


def factor_of(network: Network, start: int, stop: int) -> Factor:
    """Return links `start` to `stop` as one factor."""
    links = network.links[start:stop]
    return Factor(
        inputs=links[0].input_size,
        outputs=links[-1].output_size,
        jvp=sum(_cost(link, Product.JVP) for link in links),
        vjp=sum(_cost(link, Product.VJP) for link in links),
        start=start,
        stop=stop,
        interior=max((link.output_size for link in links[:-1]), default=0),
    )


def _cost(link: Link, product: Product) -> float:
    if product not in link.products:
        return inf
    return link.cost.jvp if product is Product.JVP else link.cost.vjp
