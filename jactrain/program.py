"""Recorded programs: a function of arrays as a flat list of NumPy calls into buffers made beforehand.

Small networks spend most of a step between NumPy's calls: finding the layer's rule, slicing parameters,
allocating results. `record` runs a function once on stand-ins for its arrays, which note every call. Played
back, views are there already, results go into buffers that later results reuse, and nothing else is left.

What may be recorded is what the rules of layers promise: no branch on an array's values, no write into an
array, no state. `UnrecordableError` says which call of a function breaks that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from jactrain.arrays import Array, Shape
from jactrain.errors import UnrecordableError

# Functions, besides ufuncs, that take `out`; the results of all others are copied into their buffers.
_TAKES_OUT = {np.ndarray.dot, np.ndarray.max, np.ndarray.mean, np.concatenate, np.einsum, np.dot}
_METHODS = ("reshape", "swapaxes", "transpose", "dot", "max", "mean", "copy", "astype", "conj", "ravel")


class _Kind(NamedTuple):
    """What a result is: shape, dtype, and its axes from the slowest in memory to the fastest."""

    shape: Shape
    dtype: np.dtype[Any]
    axes: tuple[int, ...]

    @classmethod
    def of(cls, value: Array) -> _Kind:
        axes = sorted(range(value.ndim), key=lambda axis: -abs(value.strides[axis]))
        return cls(value.shape, value.dtype, tuple(axes))

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def within(self, memory: Array) -> Array:
        """Return an array of this kind in `memory`, bytes."""
        slow_to_fast = memory.view(self.dtype).reshape([self.shape[axis] for axis in self.axes])
        return slow_to_fast.transpose(np.argsort(self.axes)) if self.axes else slow_to_fast


class _Node(NamedTuple):
    """One call: `root` is the call whose memory the result lies in, itself unless the result is a view."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    kind: _Kind
    root: int


class _Reference(NamedTuple):
    """A recorded result as an argument: the position of its node."""

    position: int


class _Tape:
    """The nodes so far, inputs first."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []

    def input(self, value: Array) -> _Recorded:
        self.nodes.append(_Node(np.asarray, (), {}, _Kind.of(value), len(self.nodes)))
        return _Recorded(self, value, len(self.nodes) - 1)

    def call(self, function: Callable[..., Any], arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        """Note the call, and return a stand-in for its result."""
        operands: list[_Recorded] = []

        def referred(argument: Any) -> Any:
            if isinstance(argument, _Recorded):
                operands.append(argument)
                return _Reference(argument.position)
            if isinstance(argument, (list, tuple)):
                return type(argument)([referred(each) for each in argument])
            return argument

        noted = tuple(referred(argument) for argument in arguments)
        noted_options = {name: referred(argument) for name, argument in options.items()}
        plain = [_plain(argument) for argument in arguments]
        value = function(*plain, **{name: _plain(argument) for name, argument in options.items()})
        if not isinstance(value, (np.ndarray, np.generic)):
            raise UnrecordableError(f"{function.__name__} returns a {type(value).__name__}, not an array")
        value = np.asarray(value)
        position = len(self.nodes)
        root = next((one.root for one in operands if np.may_share_memory(one.value, value)), position)
        self.nodes.append(_Node(function, noted, noted_options, _Kind.of(value), root))
        return _Recorded(self, value, position)


class _Recorded(NDArrayOperatorsMixin):
    """A stand-in for an array, which notes what is done with it."""

    def __init__(self, tape: _Tape, value: Array, position: int) -> None:
        self.tape = tape
        self.value = value
        self.position = position

    @property
    def root(self) -> int:
        return self.tape.nodes[self.position].root

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)
    T = property(lambda self: self.tape.call(np.ndarray.transpose, (self,), {}))
    real = property(lambda self: self if self.dtype.kind == "f" else self.tape.call(np.real, (self,), {}))

    def __len__(self) -> int:
        return len(self.value)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in _METHODS:
            raise UnrecordableError(f"the array's {name} is not recorded")
        method = getattr(np.ndarray, name)
        return lambda *arguments, **options: self.tape.call(method, (self, *arguments), options)

    def sum(self, axis: Any = None, **options: Any) -> Any:
        return self.tape.call(np.add.reduce, (self,), {"axis": axis, **options})

    def __getitem__(self, index: Any) -> Any:
        return self.tape.call(np.ndarray.__getitem__, (self, index), {})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        # `a += b` comes with `out`; what it means here is a new value for the name.
        options.pop("out", None)
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        return self.tape.call(function, inputs, options)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        return self.tape.call(function, inputs, options)

    def _refuse(self, *_: Any) -> Any:
        raise UnrecordableError("a value of an array is looked at, or written, while it is recorded")

    __bool__ = __float__ = __int__ = __array__ = __setitem__ = __iter__ = _refuse


def _plain(argument: Any) -> Any:
    if isinstance(argument, _Recorded):
        return argument.value
    if isinstance(argument, (list, tuple)):
        return type(argument)([_plain(each) for each in argument])
    return argument


class Program:
    """A recorded function: call it with arrays of the same shapes and dtypes.

    The arrays returned are the program's own, and the next call writes over them.
    """

    def __init__(self, nodes: Sequence[_Node], inputs: int, outputs: Sequence[int]) -> None:
        self._calls: list[Callable[[], Any]] = []
        self._results: list[Array] = []
        kept = {nodes[output].root for output in outputs} | set(range(inputs))
        needed = _needed(nodes, outputs)
        last_use = {root: position for position in sorted(needed) for root in _roots(nodes, nodes[position])}
        free: dict[int, list[Array]] = {}
        memory: dict[int, Array] = {}  # of the roots that are not arrays given from outside
        for position, node in enumerate(nodes):
            if position < inputs:
                self._results.append(node.kind.within(np.empty(node.kind.nbytes, np.uint8)))
                continue
            if position not in needed:
                self._results.append(None)
                continue
            arguments = [_as_array(node, self._actual(argument)) for argument in node.arguments]
            options = {name: self._actual(argument) for name, argument in node.options.items()}
            if node.root != position:
                self._results.append(node.function(*arguments, **options))
                continue
            dying = [root for root in _roots(nodes, node) if last_use[root] == position and root not in kept]
            nbytes = node.kind.nbytes
            reused = next((root for root in dying if _in_place(nodes, node, root)), None)
            if reused is not None:
                memory[position] = memory.pop(reused)
                dying.remove(reused)
            elif free.get(nbytes):
                memory[position] = free[nbytes].pop()
            else:
                memory[position] = np.empty(nbytes, np.uint8)
            for root in dying:
                free.setdefault(nodes[root].kind.nbytes, []).append(memory.pop(root))
            out = node.kind.within(memory[position])
            self._results.append(out)
            if node.function in _TAKES_OUT or _is_ufunc(node.function):
                self._calls.append(partial(node.function, *arguments, **options, out=out))
            else:
                self._calls.append(partial(_copied, out, node.function, *arguments, **options))
        self._inputs = self._results[:inputs]
        self._outputs = tuple(self._results[output] for output in outputs)
        self._results = []

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """Return the outputs for `inputs`."""
        for own, given in zip(self._inputs, inputs, strict=True):
            own[...] = given
        for call in self._calls:
            call()
        return self._outputs

    def _actual(self, argument: Any) -> Any:
        if isinstance(argument, _Reference):
            return self._results[argument.position]
        if isinstance(argument, (list, tuple)):
            return type(argument)([self._actual(each) for each in argument])
        return argument


def record(function: Callable[..., Sequence[Any]], inputs: Sequence[Array]) -> Program:
    """Return the program of `function`, which takes arrays like `inputs` and returns a sequence of arrays.

    Raises UnrecordableError if the function looks at values, writes, or returns what it did not compute.
    """
    tape = _Tape()
    outputs = function(*[tape.input(value) for value in inputs])
    if not all(isinstance(output, _Recorded) for output in outputs):
        raise UnrecordableError("an output does not depend on the inputs")
    return Program(tape.nodes, len(inputs), [output.position for output in outputs])


def _as_array(node: _Node, argument: Any) -> Any:
    """Return a number that a ufunc would convert at each call as the array it converts it to."""
    number = isinstance(argument, (int, float)) and node.kind.dtype.kind == "f"
    if number and isinstance(node.function, np.ufunc):
        return np.asarray(argument, node.kind.dtype)
    return argument


def _copied(out: Array, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    out[...] = function(*arguments, **options)


def _is_ufunc(function: Callable[..., Any]) -> bool:
    """Return whether `function` is a ufunc, or its `reduce`."""
    return isinstance(getattr(function, "__self__", function), np.ufunc)


def _references(argument: Any) -> list[int]:
    if isinstance(argument, _Reference):
        return [argument.position]
    if isinstance(argument, dict):
        argument = list(argument.values())
    if isinstance(argument, (list, tuple)):
        return [position for each in argument for position in _references(each)]
    return []


def _roots(nodes: Sequence[_Node], node: _Node) -> list[int]:
    """Return the roots of what `node` reads, each once."""
    operands = _references(node.arguments) + _references(node.options)
    return list(dict.fromkeys(nodes[position].root for position in operands))


def _needed(nodes: Sequence[_Node], outputs: Sequence[int]) -> set[int]:
    """Return the positions of the nodes that the outputs depend on."""
    needed: set[int] = set()
    waiting = list(outputs)
    while waiting:
        position = waiting.pop()
        if position not in needed:
            needed.add(position)
            waiting += _references(nodes[position].arguments) + _references(nodes[position].options)
    return needed


def _in_place(nodes: Sequence[_Node], node: _Node, root: int) -> bool:
    """Return whether `node`, entry by entry, may be written over `root`, which it reads last."""
    entrywise = isinstance(node.function, np.ufunc) and node.function.signature is None
    return entrywise and nodes[root].kind == node.kind and root in _references(node.arguments)
