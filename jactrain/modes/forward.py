"""Forward mode: tangents from the parameters to the loss, literal or factored."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np
from pydantic import Field

from jactrain.arrays import Array
from jactrain.layers.base import Product
from jactrain.modes.base import Exactness, GradientResult, Mode, Plan, modes
from jactrain.modes.memory import MemorySize, reuse_freed_memory
from jactrain.network import Link
from jactrain.objective import Batch, Linearization, Objective

# A stack of this size fits the second-level cache of current processors with room for its successor.
_DEFAULT_MEMORY = 2**19
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


Chunk: TypeAlias = tuple[Seeds, ...]


@modes.register("forward")
class Forward(Mode):
    """Push tangents from each layer to the loss; nothing behind the newest stack need be kept.

    Seeded by parameters, `G^k = (A_k G^{k-1} | B_k)` with a column for every parameter. Seeded by
    outputs, the same recursion with the `n_{k+1}` columns of the identity in the place of the `p_k` of
    `B_k`, which is multiplied last: `S_k B_k`, by associativity (Wengert 1964; docs/conventions.md).
    """

    seeds: Literal["outputs", "parameters", "auto"] = Field(
        "auto",
        description="What a tangent starts at: every output of a layer (factored), every parameter "
        "(literal), or whichever are fewer, layer by layer.",
    )
    memory: MemorySize = Field(
        _DEFAULT_MEMORY, description="Bound on a stack of tangents, such as 64MiB; at least one is taken."
    )

    exactness: ClassVar[Exactness] = Exactness.EXACT
    recordable: ClassVar[bool] = True
    uses: ClassVar[frozenset[Product]] = frozenset(
        {Product.FORWARD, Product.JVP, Product.PARAMETER_JVP, Product.PARAMETER_VJP}
    )

    def prepare(self, objective: Objective, examples: int, dtype: Any) -> Plan:
        """Divide the seeds into chunks, and predict `F`, the pushes, and a product for each layer."""
        self.require_products(objective)
        reuse_freed_memory()
        dtype = np.dtype(dtype)
        chunks = self._chunks(objective, examples * dtype.itemsize)
        widest = max((sum(seeds.width for seeds in chunk) for chunk in chunks), default=0)
        links = objective.links
        largest = max((link.output_size for link in links), default=0)
        kept = sum(link.input_size + link.output_size for link in links)
        stacks = 2 * widest * largest * examples
        return Plan(
            mode=self,
            objective=objective,
            examples=examples,
            dtype=dtype,
            multiply_adds=examples * _multiply_adds(objective, chunks),
            peak_bytes=(kept * examples + stacks + 2 * objective.network.size) * dtype.itemsize,
            chunks=tuple(chunks),
        )

    def value_and_gradient(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        plan: Plan,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the exact gradient."""
        plan.require(self, objective, parameters, batch)
        xp = objective.xp
        point = objective.linearize(parameters, batch)
        pushed = [
            (seeds, tangents)
            for chunk in plan.chunks
            for seeds, tangents in _push(objective, point, chunk, parameters.dtype)
        ]
        blocks = []
        for position, group in groupby(pushed, key=lambda pair: pair[0].position):
            pieces = list(group)
            tangents = xp.concatenate([tangents for _, tangents in pieces])  # (n_{k+1} or p_k, N)
            if pieces[0][0].kind == "parameters":
                blocks.append(tangents.sum(1))
            else:
                link = objective.links[position]
                # Row o is the derivative of the objective in output o, example by example: ȳ, transposed.
                y_bar = tangents.T.reshape(1, batch.examples, *link.output_shape)
                tree = point.parameter_vjp(position, y_bar)
                blocks.append(link.layout.flatten(xp, tree)[0])
        return GradientResult(point.value, xp.concatenate(blocks), point.work)

    def _chunks(self, objective: Objective, bytes_per_entry: int) -> list[Chunk]:
        """Return chunks of consecutive seeds, each as wide as the bound on a stack admits."""
        chunks: list[Chunk] = []
        room = 0
        for position, link in enumerate(objective.links):
            if not link.layout.size:
                continue
            kind = self._kind(link)
            count = link.output_size if kind == "outputs" else link.layout.size
            largest = max(later.output_size for later in objective.links[position:])
            width = max(1, self.memory // (bytes_per_entry * largest))
            start = 0
            while start < count:
                if chunks and 0 < room <= width:
                    taken = min(room, count - start)
                    chunks[-1] = (*chunks[-1], Seeds(position, kind, start, start + taken))
                else:
                    room = width
                    taken = min(room, count - start)
                    chunks.append((Seeds(position, kind, start, start + taken),))
                room -= taken
                start += taken
        return chunks

    def _kind(self, link: Link) -> SeedKind:
        if self.seeds != "auto":
            return self.seeds
        return "outputs" if link.output_size <= link.layout.size else "parameters"


def _push(
    objective: Objective, point: Linearization, chunk: Chunk, dtype: np.dtype[Any]
) -> Iterator[tuple[Seeds, Array]]:
    """Yield each of the chunk's seeds with its tangents of the objective `(count, N)`."""
    xp = objective.xp
    waiting = {seeds.position: seeds for seeds in chunk}
    stack = None
    for position in range(chunk[0].position, len(objective.links)):
        if stack is not None:
            stack = point.jvp(position, stack)
        if position in waiting:
            new = _seed(objective, point, waiting[position], dtype)
            stack = new if stack is None else xp.concatenate([stack, new])
    tangents = point.loss_jvp(stack)
    start = 0
    for seeds in chunk:
        yield seeds, tangents[start : start + seeds.width]
        start += seeds.width


def _seed(objective: Objective, point: Linearization, seeds: Seeds, dtype: np.dtype[Any]) -> Array:
    """Return the seeds at their link's output, `(count, N, *out)`."""
    xp, link = objective.xp, objective.links[seeds.position]
    size = link.layout.size if seeds.kind == "parameters" else link.output_size
    rows = xp.eye(seeds.width, size, seeds.start, dtype=dtype)
    if seeds.kind == "parameters":
        return point.parameter_jvp(seeds.position, rows)
    shape = (seeds.width, point.examples, *link.output_shape)
    return xp.broadcast_to(rows.reshape(seeds.width, 1, *link.output_shape), shape)


def _multiply_adds(objective: Objective, chunks: list[Chunk]) -> int:
    """Return the predicted multiply-adds per example."""
    links = objective.links
    behind = [sum(link.cost.jvp for link in links[position + 1 :]) for position in range(len(links))]
    total = objective.forward_cost
    for seeds in (seeds for chunk in chunks for seeds in chunk):
        total += seeds.width * (behind[seeds.position] + objective.loss_cost.jvp)
        if seeds.kind == "parameters":
            total += seeds.width * links[seeds.position].cost.parameter_jvp
    factored = {seeds.position for chunk in chunks for seeds in chunk if seeds.kind == "outputs"}
    return total + sum(links[position].cost.parameter_vjp for position in factored)
