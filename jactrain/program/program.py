"""Programs: a tape's nodes as calls in a row, each result with its place in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import ShapeError, UnrecordableError
from jactrain.program.calls import Call, calls_of, view_of
from jactrain.program.tape import Form, Node, Result, StandIn, Tape


class Program:
    """A recorded function: call it with arrays of the same shapes and dtypes, or play it on its own.

    inputs, outputs: the arrays that it reads and writes. The next call writes over them.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        outputs: Sequence[int],
        inputs: Sequence[Array] | None = None,
        stored: Mapping[int, int] | None = None,
    ) -> None:
        """Give every node its memory and its calls.

        outputs: positions of nodes. inputs: the arrays to read, in the place of memory of its own. stored: by
        the position of an output, that of the input which it is written over.
        """
        needed = _needed(nodes, outputs)
        last_use = {nodes[read].root: at for at in needed for read in nodes[at].operands()}
        returned = {nodes[output].root for output in outputs}
        kept = returned | {position for position, node in enumerate(nodes) if node.function is None}
        parts = _parts(nodes, needed, kept)
        memory = _Memory()
        waiting = dict(stored or {})
        results: dict[int, Array] = {}
        self._calls: list[Call] = []
        for position in needed:
            node = nodes[position]
            used_up = {nodes[read].root for read in node.operands()} - kept - parts.keys()
            used_up = {root for root in used_up if last_use[root] == position}
            if node.function is None:
                results[position] = _own(node.form) if inputs is None else inputs[position]
            elif node.root != position:
                results[position] = view_of(node, results)
            elif position in waiting and _may_overwrite(nodes, node, waiting[position], last_use, returned):
                results[position] = out = results[waiting.pop(position)]
                self._calls += calls_of(node, results, out)
            elif position in parts:
                whole, start = parts[position]
                results[position] = out = node.form.within(memory.part(whole, nodes, start, node.form.nbytes))
                self._calls += calls_of(node, results, out)
            elif memory.is_whole(position):  # its parts were written where they belong
                results[position] = node.form.within(memory.part(position, nodes, 0, node.form.nbytes))
            else:
                over = next((root for root in used_up if _entrywise(nodes, node, root)), None)
                results[position] = out = node.form.within(memory.take(position, node.form.nbytes, over))
                self._calls += calls_of(node, results, out)
            for root in used_up:
                memory.give_back(root)
        for position, target in waiting.items():
            if position == target:
                continue
            if nodes[nodes[position].root].function is None:
                raise UnrecordableError("an input is to be stored over another")
            self._calls.append(partial(np.copyto, results[target], results[position]))
        self.inputs = [results[at] for at, node in enumerate(nodes) if node.function is None]
        self.outputs = tuple(results[output] for output in outputs)

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """Return the outputs for `inputs`; ShapeError if one has another shape or dtype than was recorded."""
        for own, given in zip(self.inputs, inputs, strict=True):
            if given.shape != own.shape or given.dtype != own.dtype:
                raise ShapeError(
                    f"recorded for an array {own.dtype} {own.shape}, not {given.dtype} {given.shape}"
                )
            own[...] = given
        self.play()
        return self.outputs

    def play(self) -> None:
        """Compute `outputs` from what `inputs` hold."""
        for call in self._calls:
            call()


def record(function: Callable[..., Sequence[Any]], inputs: Sequence[Array]) -> Program:
    """Return the program of `function`, which takes arrays like `inputs` and returns a sequence of arrays.

    Raises UnrecordableError if the function looks at values, writes, or returns what it did not compute.
    """
    return Program(*_taped(function, inputs))


def record_on(
    function: Callable[..., Sequence[Any]], inputs: Sequence[Array], stored: Mapping[int, int] | None = None
) -> Program:
    """Return the program of `function` on these very arrays: what they hold when it is played is read.

    stored: for the number of an output that of the input which it is written over, of the same shape and
    dtype. Raises UnrecordableError as `record` does.
    """
    nodes, outputs = _taped(function, inputs)
    targets = {outputs[output]: target for output, target in (stored or {}).items()}
    return Program(nodes, outputs, inputs, targets)


def _taped(
    function: Callable[..., Sequence[Any]], inputs: Sequence[Array]
) -> tuple[Sequence[Node], Sequence[int]]:
    """Return the nodes of `function`, the inputs first, and the positions of its outputs."""
    tape = Tape()
    outputs = function(*[tape.input(value) for value in inputs])
    if not all(isinstance(output, StandIn) for output in outputs):
        raise UnrecordableError("an output does not depend on the inputs")
    return tape.nodes, [output.position for output in outputs]


class _Memory:
    """The memory of results: what is given back is taken again by a result of as many bytes."""

    def __init__(self) -> None:
        self._taken: dict[int, Array] = {}
        self._free: dict[int, list[Array]] = {}
        self._wholes: dict[int, Array] = {}

    def take(self, position: int, nbytes: int, over: int | None) -> Array:
        """Return memory for the result of the node at `position`: that of node `over`, or free or new."""
        if over is not None:
            self._taken[position] = self._taken.pop(over)
        elif self._free.get(nbytes):
            self._taken[position] = self._free[nbytes].pop()
        else:
            self._taken[position] = np.empty(nbytes, np.uint8)
        return self._taken[position]

    def give_back(self, root: int) -> None:
        """Free the memory of a node, unless another was put over it."""
        if root in self._taken:
            memory = self._taken.pop(root)
            self._free.setdefault(memory.nbytes, []).append(memory)

    def part(self, whole: int, nodes: Sequence[Node], start: int, nbytes: int) -> Array:
        """Return `nbytes` bytes from `start` of the memory of the node `whole`, which is given once."""
        if whole not in self._wholes:
            self._wholes[whole] = np.empty(nodes[whole].form.nbytes, np.uint8)
        return self._wholes[whole][start : start + nbytes]

    def is_whole(self, position: int) -> bool:
        """Return whether parts of the node at `position` were asked for."""
        return position in self._wholes


def _own(form: Form) -> Array:
    return form.within(np.empty(form.nbytes, np.uint8))


def _needed(nodes: Sequence[Node], outputs: Sequence[int]) -> list[int]:
    """Return, in order, the positions of the inputs and of the nodes that the outputs depend on."""
    needed = {position for position, node in enumerate(nodes) if node.function is None}
    waiting = list(outputs)
    while waiting:
        position = waiting.pop()
        if position not in needed:
            needed.add(position)
            waiting += nodes[position].operands()
    return sorted(needed)


def _parts(nodes: Sequence[Node], needed: Iterable[int], kept: set[int]) -> dict[int, tuple[int, int]]:
    """Return the nodes that are computed in their places in a concatenation, with it and their first byte.

    Of a concatenation whose parts follow each other in memory, and are each the whole of another result.
    """
    found: dict[int, tuple[int, int]] = {}
    for position in needed:
        node = nodes[position]
        if node.function is not np.concatenate or node.root != position or not _in_one_piece(node):
            continue
        places: dict[int, tuple[int, int]] = {}
        start = 0
        for one in node.arguments[0]:
            root = nodes[one.position].root if isinstance(one, Result) else position
            form = nodes[root].form
            if (
                root in places
                or root in found
                or root in kept
                or root == position
                or form.dtype != node.form.dtype
                or form.nbytes != nodes[one.position].form.nbytes
                or not (form.is_in_rows and nodes[one.position].form.is_in_rows)
                or nodes[root].function is np.concatenate
            ):
                break
            places[root] = position, start
            start += form.nbytes
        else:
            found |= places
    return found


def _in_one_piece(node: Node) -> bool:
    """Return whether what `node` concatenates lies one part after another in its result."""
    axis = node.options.get("axis", node.arguments[1] if len(node.arguments) > 1 else 0)
    form = node.form
    if not isinstance(axis, int) or not form.is_in_rows:
        return False
    return all(length == 1 for length in form.shape[: axis % len(form.shape)])


def _entrywise(nodes: Sequence[Node], node: Node, root: int) -> bool:
    """Return whether `node` may be written over `root`, entry by entry of what it reads."""
    ufunc = isinstance(node.function, np.ufunc) and node.function.signature is None
    return ufunc and nodes[root].form == node.form and root in node.operands()


def _may_overwrite(
    nodes: Sequence[Node], node: Node, target: int, last_use: Mapping[int, int], returned: set[int]
) -> bool:
    """Return whether the result of `node` may be written over the input `target`: nobody reads it later."""
    position, last = node.root, last_use.get(target, -1)
    if target in returned or nodes[target].form != node.form:
        return False
    return last < position or (last == position and _entrywise(nodes, node, target))
