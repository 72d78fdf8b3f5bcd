"""Programs: a tape's nodes as calls in a row, each result with its place in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from jactrain.arrays import Array, recorded_loop
from jactrain.errors import ShapeError, UnrecordableError
from jactrain.program.calls import Call, calls_of, view_of
from jactrain.program.loops import Body, run_loop, workers_for
from jactrain.program.tape import Form, Loop, Node, Result, StandIn, Tape, counted


class Program:
    """A recorded function: call it with arrays of the same shapes and dtypes, or play it on its own.

    inputs, outputs: the arrays that it reads and writes. The next call writes over them.
    """

    def __init__(
        self,
        tape: Tape,
        outputs: Sequence[int],
        inputs: Sequence[Array] | None = None,
        stored: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Give every node of `tape` its memory and its calls.

        outputs: positions of nodes. inputs: the arrays to read, in the place of memory of its own. stored:
        positions of outputs, each with that of the input which it is written over.
        """
        layout = _Layout(tape, outputs, inputs, stored)
        results: dict[int, Array] = {}
        self._calls = layout.calls(layout.needed, results, _Memory()) + layout.last_calls(results)
        self.inputs = [results[at] for at, node in enumerate(tape.nodes) if node.function is None]
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
    tape, outputs = _taped(function, inputs)
    targets = [(outputs[output], target) for output, target in (stored or {}).items()]
    return Program(tape, outputs, inputs, targets)


def _taped(function: Callable[..., Sequence[Any]], inputs: Sequence[Array]) -> tuple[Tape, Sequence[int]]:
    """Return the tape of `function`, the inputs first, and the positions of its outputs."""
    tape = Tape()
    taking_over = recorded_loop.set(tape.loop)
    try:
        outputs = function(*[tape.input(value) for value in inputs])
    finally:
        recorded_loop.reset(taking_over)
    if not all(isinstance(output, StandIn) for output in outputs):
        raise UnrecordableError("an output does not depend on the inputs")
    return tape, [output.position for output in outputs]


class _Layout:
    """What decides where results lie: who reads them last, and what they are put into."""

    def __init__(
        self,
        tape: Tape,
        outputs: Sequence[int],
        inputs: Sequence[Array] | None,
        stored: Sequence[tuple[int, int]],
    ) -> None:
        self._nodes, self._inputs = tape.nodes, inputs
        self._memories: list[_Memory] = []  # of the workers of loops, which follow each other
        self._loops = {loop.start: loop for loop in tape.loops}
        self.needed = _needed(tape.nodes, outputs)
        self._last_use = _last_uses(tape, self.needed)
        self._used_up: dict[int, list[int]] = {}
        for root, last in self._last_use.items():
            self._used_up.setdefault(last, []).append(root)
        self._returned = {tape.nodes[output].root for output in outputs}
        self._kept = self._returned | {at for at, node in enumerate(tape.nodes) if node.function is None}
        self._parts = _parts(tape, self.needed, self._kept)
        self._stored = [(output, target) for output, target in stored if output != target]

    def calls(self, positions: Sequence[int], results: dict[int, Array], memory: _Memory) -> list[Call]:
        """Return the calls of the nodes at `positions`, adding their results, in `memory`, to `results`."""
        calls: list[Call] = []
        waiting = iter(positions)
        for position in waiting:
            node = self._nodes[position]
            if node.function is None:
                given = None if self._inputs is None else self._inputs[position]
                results[position] = _own(node.form) if given is None else given
            elif position in self._loops:
                loop = self._loops[position]
                body = [at for at in positions if loop.start <= at < loop.stop]
                for _ in body:  # the rest of the body, and the end of the loop
                    position = next(waiting)
                node = self._nodes[position]
                # Before the body takes any memory: all its pieces go there.
                results[position] = node.form.within(self._memory_of(position, node, memory))
                calls.append(self._loop(loop, body[1:], results))
            elif node.root != position:
                results[position] = view_of(node, results)
            elif memory.is_whole(position):  # its parts were written where they belong
                results[position] = node.form.within(memory.part(position, self._nodes, 0, node.form.nbytes))
            else:
                results[position] = self._place_of(position, node, results, memory)
                calls += calls_of(node, results, results[position])
            for root in self._free_after(position):
                memory.give_back(root)
        return calls

    def last_calls(self, results: Mapping[int, Array]) -> list[Call]:
        """Return the calls that store outputs which were not computed where they are to be."""
        calls: list[Call] = []
        for output, target in self._stored:
            if results[output] is results[target]:
                continue
            if self._nodes[self._nodes[output].root].function is None:
                raise UnrecordableError("an input is to be stored over another")
            calls.append(partial(np.copyto, results[target], results[output]))
        return calls

    def _loop(self, loop: Loop, body: Sequence[int], results: Mapping[int, Array]) -> Call:
        """Return the call of a whole loop, which has a body, with memory of its own, for every worker."""
        node = self._nodes[loop.stop]
        numbers, piece = (read.position for read in node.arguments)
        bodies = []
        for worker in range(min(loop.pieces, workers_for(self._nodes, body) if loop.is_shared else 1)):
            if worker == len(self._memories):
                self._memories.append(_Memory())
            memory = self._memories[worker]
            counter = self._nodes[numbers].form
            own = {**results, numbers: counter.within(memory.take(numbers, counter.nbytes, None))}
            calls = self.calls(body, own, memory)
            bodies.append(Body(calls, own[numbers], own[piece]))
            memory.give_all_back()
        return partial(run_loop, bodies, loop.pieces, results[loop.stop])

    def _place_of(self, position: int, node: Node, results: Mapping[int, Array], memory: _Memory) -> Array:
        """Return the array that a result is written into."""
        for output, target in self._stored:
            if output == position and self._may_overwrite(node, target):
                return results[target]
        return node.form.within(self._memory_of(position, node, memory))

    def _memory_of(self, position: int, node: Node, memory: _Memory) -> Array:
        """Return memory for a result: where it is put together with others, over one used up, or any."""
        if position in self._parts:
            whole, start = self._parts[position]
            return memory.part(whole, self._nodes, start, node.form.nbytes)
        used_up = [root for root in self._free_after(position) if memory.has(root)]
        over = next((root for root in used_up if self._entrywise(node, root)), None)
        return memory.take(position, node.form.nbytes, over)

    def _free_after(self, position: int) -> list[int]:
        """Return the roots that nobody reads after the node at `position`: their memory may be used again."""
        roots = self._used_up.get(position, [])
        return [root for root in roots if root not in self._kept and root not in self._parts]

    def _may_overwrite(self, node: Node, target: int) -> bool:
        """Return whether the result of `node` may be written over the input `target`, not read any more."""
        position, last = node.root, self._last_use.get(target, -1)
        if target in self._returned or self._nodes[target].form != node.form:
            return False
        return last < position or (last == position and self._entrywise(node, target))

    def _entrywise(self, node: Node, root: int) -> bool:
        """Return whether `node` may be written over `root`, entry by entry of what it reads."""
        ufunc = isinstance(node.function, np.ufunc) and node.function.signature is None
        return ufunc and self._nodes[root].form == node.form and root in node.operands()


def _last_uses(tape: Tape, needed: Sequence[int]) -> dict[int, int]:
    """Return by root where it is read last; what lies in front of a loop and is read in it, at its end."""
    last: dict[int, int] = {}
    for at in needed:
        loop = tape.loop_around(at)
        for read in tape.nodes[at].operands():
            root = tape.nodes[read].root
            last[root] = max(last.get(root, -1), loop.stop if loop and root < loop.start else at)
    return last


class _Memory:
    """The memory of results: what is given back is taken again by a result of as many bytes."""

    def __init__(self) -> None:
        self._taken: dict[int, Array] = {}
        self._free: list[Array] = []
        self._wholes: dict[int, Array] = {}

    def take(self, position: int, nbytes: int, over: int | None) -> Array:
        """Return memory for the result of the node at `position`: that of node `over`, or free or new."""
        if over is not None:
            self._taken[position] = self._taken.pop(over)
        else:
            fitting = [number for number, memory in enumerate(self._free) if memory.nbytes >= nbytes]
            if fitting:
                smallest = min(fitting, key=lambda number: self._free[number].nbytes)
                self._taken[position] = self._free.pop(smallest)
            else:
                self._taken[position] = np.empty(nbytes, np.uint8)
        return self._taken[position][:nbytes]

    def has(self, root: int) -> bool:
        """Return whether the memory of a node was taken here."""
        return root in self._taken

    def give_back(self, root: int) -> None:
        """Free the memory of a node, unless another was put over it."""
        if root in self._taken:
            self._free.append(self._taken.pop(root))

    def give_all_back(self) -> None:
        """Free the memory of all nodes."""
        for root in list(self._taken):
            self.give_back(root)

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


def _parts(tape: Tape, needed: Iterable[int], kept: set[int]) -> dict[int, tuple[int, int]]:
    """Return the nodes that are computed in their places in a concatenation, with it and their first byte.

    Of a concatenation whose parts follow each other in memory, and are each the whole of another result.
    """
    nodes = tape.nodes
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
                or not (nodes[root].is_whole and nodes[one.position].is_whole)
                or nodes[root].function in (np.concatenate, counted)
                or tape.loop_around(root) != tape.loop_around(position)
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
    if not isinstance(axis, int) or not node.is_whole:
        return False
    return all(length == 1 for length in form.shape[: axis % len(form.shape)])
