"""The seeds of forward mode in chunks: which tangents are pushed together, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from jactrain.arrays import Array
from jactrain.modes.memory import pushed_entries
from jactrain.objective import Objective

SeedKind: TypeAlias = Literal["outputs", "parameters"]


class Seeds(NamedTuple):
    """Tangents `start` to `stop` of the identity at one link: its parameters' or its outputs'."""

    position: int
    kind: SeedKind
    start: int
    stop: int

    @property
    def width(self) -> int:
        """The number of tangents."""
        return self.stop - self.start

    @property
    def numbers(self) -> Array:
        """Which columns of the identity they are."""
        return np.arange(self.start, self.stop)


Chunk: TypeAlias = tuple[Seeds, ...]


class LinkSeeds(NamedTuple):
    """All `size` seeds of one link: the first `joined` end the chunk before, the others come by `width`."""

    position: int
    kind: SeedKind
    size: int
    width: int
    joined: int

    @property
    def starts(self) -> range:
        """The first seeds of the chunks that begin at this link."""
        return range(self.joined, self.size, self.width)

    @property
    def widest(self) -> int:
        """The most seeds that are in one chunk."""
        return max(self.joined, min(self.width, self.size - self.joined))


class Division(NamedTuple):
    """The seeds in chunks; if `streamed`, each pushed through links that are run again for it."""

    by_link: tuple[LinkSeeds, ...]
    streamed: bool

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks in order, of which there may be millions."""
        return self._chunks_at([own.starts for own in self.by_link])

    def ends(self) -> Iterator[Chunk]:
        """Yield each link's first and last chunk, of which one is the largest."""
        starts = [own.starts for own in self.by_link]
        return self._chunks_at([each[:: max(1, len(each) - 1)] for each in starts])

    def _chunks_at(self, starts: Sequence[range]) -> Iterator[Chunk]:
        chunk: Chunk = ()
        for (position, kind, size, width, joined), beginnings in zip(self.by_link, starts, strict=True):
            if joined:
                chunk = (*chunk, Seeds(position, kind, 0, joined))
            for start in beginnings:
                if chunk:
                    yield chunk
                chunk = (Seeds(position, kind, start, min(start + width, size)),)
        yield chunk


def stack_bytes(objective: Objective, chunk: Chunk, unit: int, itemsize: int) -> int:
    """Return the bytes alive while a chunk is pushed."""
    width = sum(seeds.width for seeds in chunk)
    rows = sum(
        seeds.width * objective.links[seeds.position].layout.size * itemsize
        for seeds in chunk
        if seeds.kind == "parameters"
    )
    single = all(seeds.kind == "outputs" for seeds in chunk)
    return width * pushed_entries(objective, chunk[0].position, single) * unit + rows


def multiply_adds(objective: Objective, division: Division) -> int:
    """Return the predicted multiply-adds per example."""
    links, loss, by_link = objective.links, objective.loss_cost, division.by_link
    # Index k: what the links from k on cost.
    pushes = list(accumulate((link.cost.jvp for link in reversed(links)), initial=0))[::-1]
    values = list(accumulate((link.cost.forward for link in reversed(links)), initial=0))[::-1]
    total = objective.forward_cost
    if division.streamed:
        total = sum(link.cost.forward for link in links[: by_link[-1].position + 1])
        total += sum(len(each.starts) * (values[each.position + 1] + loss.forward) for each in by_link)
    for position, kind, size, *_ in by_link:
        start, single = position + 1, kind == "outputs"
        while single and start < len(links):
            cost, single = links[start].layer.single_jvp_cost(links[start].input_shape)
            total += size * cost
            start += 1
        total += size * (pushes[start] + loss.jvp)
        own = links[position].cost
        total += size * own.parameter_jvp if kind == "parameters" else own.parameter_vjp
    return total
