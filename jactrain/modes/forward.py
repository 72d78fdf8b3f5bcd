"""Forward mode: tangents from the parameters to the loss, literal or factored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import groupby
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from jactrain.arrays import Array, Namespace, in_pieces
from jactrain.layers.base import Product
from jactrain.layers.forms import SingleEntry
from jactrain.modes.base import Decision, Exactness, GradientResult, Mode, modes
from jactrain.modes.memory import (
    MemorySize,
    evaluated_entries,
    memory_bound,
    pushed_entries,
    require_within,
    stack_width,
)
from jactrain.modes.seeds import Chunk, Division, LinkSeeds, SeedKind, Seeds, multiply_adds, stack_bytes
from jactrain.network import Link
from jactrain.objective import Batch, Linearization, Objective

_ADVICE = "raise it, or take smaller batches"


@modes.register("forward")
class Forward(Mode):
    """Push tangents from each layer to the loss; nothing behind the newest stack need be kept.

    Seeded by parameters, `G^k = (A_k G^{k-1} | B_k)` with a column for every parameter. Seeded by
    outputs, the same recursion with the `n_{k+1}` columns of the identity in the place of the `p_k` of
    `B_k`, which is multiplied last: `S_k B_k`, by associativity (Wengert 1964; docs/modes.md). Under a bound
    that the residuals of all layers do not fit, every chunk runs the layers behind its own again.
    """

    seeds: Literal["outputs", "parameters", "auto"] = Field(
        "auto",
        description="What a tangent starts at: every output of a layer (factored), every parameter "
        "(literal), or whichever are fewer, layer by layer.",
    )
    memory: MemorySize | None = memory_bound()

    exactness: ClassVar[Exactness] = Exactness.EXACT
    uses: ClassVar[frozenset[Product]] = frozenset(
        {Product.FORWARD, Product.JVP, Product.PARAMETER_JVP, Product.PARAMETER_VJP}
    )

    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Divide the seeds into chunks, and predict `F`, the pushes, and a product for each layer."""
        network = objective.network
        unit = examples * dtype.itemsize
        evaluated = evaluated_entries(objective) * unit
        ends = 2 * network.size * dtype.itemsize
        kept = network.kept_entries(0, len(network.links)) * unit
        widest = max(
            self._tangent_bytes(objective, position, unit, dtype.itemsize)
            for position, link in enumerate(network.links)
            if link.layout.size
        )
        whole, streaming = ends + kept + max(evaluated, widest), ends + 2 * evaluated + widest
        require_within(self.memory, min(whole, streaming), _ADVICE)
        streamed = self.memory is not None and self.memory < whole
        fixed = ends + (2 * evaluated if streamed else kept)
        by_link = tuple(self._by_link(objective, unit, dtype.itemsize, fixed))
        division = Division(by_link, streamed)
        stacks = max(stack_bytes(objective, chunk, unit, dtype.itemsize) for chunk in division.ends())
        return Decision(
            multiply_adds=examples * multiply_adds(objective, division),
            peak_bytes=fixed + max(stacks, 0 if streamed else evaluated),
            details=division,
        )

    def differentiate(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        decision: Decision,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the exact gradient."""
        blocks, division = _Blocks(objective), decision.details
        if objective.xp is not np:
            return _traced(objective, objective.begin(parameters, batch), division, parameters.dtype)
        if division.streamed:
            point = objective.begin(parameters, batch)
            _stream(objective, point, division.chunks(), parameters.dtype, blocks)
        else:
            point = objective.linearize(parameters, batch)
            for chunk in division.chunks():
                _push(objective, point, chunk, parameters.dtype, blocks)
        return GradientResult(point.value, objective.xp.concatenate(blocks.done), point.work)

    def _by_link(self, objective: Objective, unit: int, itemsize: int, fixed: int) -> Iterator[LinkSeeds]:
        """Yield every link's seeds; `unit` is the bytes of one entry of every example."""
        room = 0  # left in the newest chunk
        for position, link in enumerate(objective.links):
            if not link.layout.size:
                continue
            kind = self._kind(link)
            count = link.output_size if kind == "outputs" else link.layout.size
            each = self._tangent_bytes(objective, position, unit, itemsize)
            width = stack_width(self.memory, fixed, each, _ADVICE)
            joined = min(room, count) if self.memory is None and room <= width else 0
            own = LinkSeeds(position, kind, count, width, joined)
            room = own.starts[-1] + width - count if own.starts else room - joined
            yield own

    def _tangent_bytes(self, objective: Objective, position: int, unit: int, itemsize: int) -> int:
        """Return the bytes alive while one tangent is pushed from a link on, and its row of the identity."""
        link = objective.links[position]
        kind = self._kind(link)
        row = link.layout.size * itemsize if kind == "parameters" else 0
        return unit * pushed_entries(objective, position, kind == "outputs") + row

    def _kind(self, link: Link) -> SeedKind:
        if self.seeds != "auto":
            return self.seeds
        return "outputs" if link.output_size <= link.layout.size else "parameters"


class _Blocks:
    """The gradient's blocks, link by link, from the tangents of the objective as they come."""

    def __init__(self, objective: Objective) -> None:
        self._objective = objective
        self._pieces: list[Array] = []  # of the newest link, until all its seeds have arrived
        self.done: list[Array] = []

    def add(self, point: Linearization, seeds: Seeds, tangents: Array) -> None:
        """Take the tangents `(width, N)` of one link's seeds."""
        xp, link = self._objective.xp, self._objective.links[seeds.position]
        self._pieces.append(tangents.sum(1) if seeds.kind == "parameters" else tangents)
        if seeds.stop < (link.layout.size if seeds.kind == "parameters" else link.output_size):
            return
        whole = self._pieces[0] if len(self._pieces) == 1 else xp.concatenate(self._pieces)
        self._pieces = []
        self.done.append(_block(point, seeds.position, seeds.kind, whole))


def _block(point: Linearization, position: int, kind: SeedKind, tangents: Array) -> Array:
    """Return the gradient's block of one link from what all its seeds came to.

    Sums `(p,)` over the examples for its parameters; tangents `(n, N)` for its outputs: row o has the
    derivatives of the objective in output o, example by example, which is ȳ, transposed.
    """
    if kind == "parameters":
        return tangents
    link = point.network.links[position]
    y_bar = tangents.T.reshape((1, point.examples, *link.output_shape))
    block: Array = link.layout.flatten(point.xp, point.parameter_vjp(position, y_bar))[0]
    return block


def _push(
    objective: Objective, point: Linearization, chunk: Chunk, dtype: np.dtype[Any], blocks: _Blocks
) -> None:
    """Push a chunk's seeds to the loss, through links that are linearised already."""
    xp = objective.xp
    waiting = {seeds.position: seeds for seeds in chunk}
    pieces: list[Array | SingleEntry] = []
    for position in range(chunk[0].position, len(objective.links)):
        pieces = [_pushed(point, position, piece) for piece in pieces]
        # All pieces that have a single entry left came last, and lose it in the same layer.
        whole = [piece for piece in pieces if not isinstance(piece, SingleEntry)]
        if len(whole) > 1:
            pieces = [xp.concatenate(whole), *pieces[len(whole) :]]
        if position in waiting:
            seeds = waiting[position]
            pieces.append(_seed(point, position, seeds.kind, seeds.numbers, dtype))
    stacks = [_dense(xp, piece) for piece in pieces]
    tangents = point.loss_jvp(stacks[0] if len(stacks) == 1 else xp.concatenate(stacks))
    start = 0
    for seeds in chunk:
        blocks.add(point, seeds, tangents[start : start + seeds.width])
        start += seeds.width


def _stream(
    objective: Objective,
    point: Linearization,
    chunks: Iterable[Chunk],
    dtype: np.dtype[Any],
    blocks: _Blocks,
) -> None:
    """Push all chunks, running the links behind each one again, and keeping no more than one residual."""
    x, reached = point.inputs, 0
    for position, own in groupby((seeds for (seeds,) in chunks), key=lambda seeds: seeds.position):
        for passed in range(reached, position):
            x = point.forward(passed, x, keep=False)
        y = point.forward(position, x)
        for seeds in own:
            values, stack = y, _seed(point, position, seeds.kind, seeds.numbers, dtype)
            for later in range(position + 1, len(objective.links)):
                values = point.forward(later, values)
                stack = _pushed(point, later, stack)
                point.forget(later)
            point.finish(values)
            blocks.add(point, seeds, point.loss_jvp(_dense(objective.xp, stack)))
        point.forget(position)
        x, reached = y, position + 1


def _pushed(point: Linearization, position: int, piece: Array | SingleEntry) -> Array | SingleEntry:
    if isinstance(piece, SingleEntry):
        return point.single_jvp(position, piece)
    return point.jvp(position, piece)


def _dense(xp: Namespace, piece: Array | SingleEntry) -> Array:
    return piece.dense(xp) if isinstance(piece, SingleEntry) else piece


def _seed(
    point: Linearization, position: int, kind: SeedKind, numbers: Array, dtype: np.dtype[Any]
) -> Array | SingleEntry:
    """Return the seeds of these numbers at their link's output: `(width, N, *out)`, or single entries."""
    xp, link = point.xp, point.network.links[position]
    if kind == "parameters":
        rows = (numbers[:, None] == xp.arange(link.layout.size)).astype(dtype)
        return point.parameter_jvp(position, rows)
    return SingleEntry(link.output_shape, numbers, xp.ones((len(numbers), point.examples), dtype))


def _traced(
    objective: Objective, point: Linearization, division: Division, dtype: np.dtype[Any]
) -> GradientResult:
    """Return the gradient where the mode is traced: a loop over the seeds of each link, and no packing.

    Chunks hold for a machine's cache, and as many steps in a row would make a program of as many pieces.
    """
    xp = objective.xp
    point.finish(point.run())
    blocks = []
    for own in division.by_link:
        pushed = partial(_tangents, point, own.position, own.kind, dtype)
        tangents = in_pieces(xp, pushed, own.size, own.widest)
        blocks.append(_block(point, own.position, own.kind, tangents))
    return GradientResult(point.value, xp.concatenate(blocks), point.work)


def _tangents(
    point: Linearization, position: int, kind: SeedKind, dtype: np.dtype[Any], numbers: Array
) -> Array:
    """Return what the seeds of these numbers come to at the loss: tangents `(width, N)`, or their sums."""
    stack = _seed(point, position, kind, numbers, dtype)
    for later in range(position + 1, len(point.network.links)):
        stack = _pushed(point, later, stack)
    found = point.loss_jvp(_dense(point.xp, stack))
    return found.sum(1) if kind == "parameters" else found
