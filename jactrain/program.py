"""Recorded programs: a function of arrays as a flat list of NumPy calls into buffers made beforehand.

Small networks spend most of a step between NumPy's calls: finding the layer's rule, slicing parameters,
allocating results. `record` runs a function once on stand-ins for its arrays, which note every call. Played
back, views are there already, results go into buffers that later results reuse, and nothing else is left.

What may be recorded is what the rules of layers promise: no branch on an array's values, no write into an
array, no state. A function that breaks the first two, or calls what is not known here, is refused with
UnrecordableError, which says what it did.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from jactrain.arrays import Array, Shape
from jactrain.errors import ShapeError, UnrecordableError

# Functions whose results have shapes that follow from the shapes of what they are given.
_FUNCTION_NAMES = (
    "broadcast_to clip concatenate dot einsum expand_dims flip imag max mean min moveaxis ones_like prod "
    "real reshape roll squeeze stack sum swapaxes tensordot tile transpose where zeros_like"
)
_FUNCTIONS = {getattr(np, name) for name in _FUNCTION_NAMES.split()}
_METHODS = {"reshape", "swapaxes", "transpose", "dot", "max", "min", "mean", "copy", "astype", "conj", "clip"}
# Those of both that take `out`; the results of the others are copied into their buffers.
_TAKES_OUT = {
    np.concatenate,
    np.dot,
    np.einsum,
    np.ndarray.dot,
    np.ndarray.max,
    np.ndarray.min,
    np.ndarray.mean,
}
# Ufuncs that turn a Python number into their array's dtype: it may be turned once for all calls.
_ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum}


class _Form(NamedTuple):
    """What a result is: shape, dtype, and its axes from the slowest in memory to the fastest."""

    shape: Shape
    dtype: np.dtype[Any]
    axes: tuple[int, ...]

    @classmethod
    def of(cls, value: Array) -> _Form:
        axes = sorted(range(value.ndim), key=lambda axis: -abs(value.strides[axis]))
        return cls(value.shape, value.dtype, tuple(axes))

    @property
    def nbytes(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def within(self, memory: Array) -> Array:
        """Return an array of this form in `memory`, bytes."""
        slow_to_fast = memory.view(self.dtype).reshape([self.shape[axis] for axis in self.axes])
        return slow_to_fast.transpose(np.argsort(self.axes)) if self.axes else slow_to_fast


class _Result(NamedTuple):
    """A recorded result in the place of an argument: the position of its node."""

    position: int


class _Node(NamedTuple):
    """One call, or an input if `function` is None.

    root: the node in whose memory the result lies, this one unless the result is a view.
    """

    function: Callable[..., Any] | None
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    form: _Form
    root: int

    def operands(self) -> list[int]:
        """Return the positions of the results that the call reads."""
        given = [*self.arguments, *self.options.values()]
        return [one.position for one in _flat(given) if isinstance(one, _Result)]


class _Tape:
    """The nodes so far, inputs first."""

    def __init__(self) -> None:
        self.nodes: list[_Node] = []

    def input(self, value: Array) -> _StandIn:
        self.nodes.append(_Node(None, (), {}, _Form.of(value), len(self.nodes)))
        return _StandIn(self, value, len(self.nodes) - 1)

    def call(self, function: Callable[..., Any], arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        """Note the call, and return a stand-in for its result."""
        given = [arguments, options]
        stand_ins = [one for one in _flat([*arguments, *options.values()]) if isinstance(one, _StandIn)]
        plain, plain_options = _mapped(given, lambda one: one.value if isinstance(one, _StandIn) else one)
        noted, noted_options = _mapped(
            given, lambda one: _Result(one.position) if isinstance(one, _StandIn) else one
        )
        value = function(*plain, **plain_options)
        if not isinstance(value, (np.ndarray, np.generic)):
            raise UnrecordableError(f"{_name(function)} returns a {type(value).__name__}, not an array")
        value = np.asarray(value)
        position = len(self.nodes)
        root = next((one.root for one in stand_ins if np.may_share_memory(one.value, value)), position)
        self.nodes.append(_Node(function, tuple(noted), noted_options, _Form.of(value), root))
        return _StandIn(self, value, position)


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any) -> NoReturn:
        raise UnrecordableError(f"{what} while it is recorded")

    return refuse


class _StandIn(NDArrayOperatorsMixin):
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
        if name.startswith("__array"):
            self.__array__()
        if name not in _METHODS:
            raise UnrecordableError(f"an array's {name} is asked for while it is recorded")
        method = getattr(np.ndarray, name)
        return lambda *arguments, **options: self.tape.call(method, (self, *arguments), options)

    def sum(self, axis: Any = None, **options: Any) -> Any:
        return self.tape.call(np.add.reduce, (self,), {"axis": axis, **options})

    def __pow__(self, power: Any) -> Any:
        return self.tape.call(operator.pow, (self, power), {})  # which squares by a product, as for arrays

    def __getitem__(self, index: Any) -> Any:
        if any(isinstance(one, _StandIn) and one.dtype.kind == "b" for one in _flat(index)):
            raise UnrecordableError("an array is indexed by a mask while it is recorded; use `where`")
        return self.tape.call(np.ndarray.__getitem__, (self, index), {})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if options.get("out") is not None or method not in ("__call__", "reduce"):
            raise UnrecordableError(
                f"{ufunc.__name__} writes into an array, such as by `+=`, while it is recorded"
            )
        return self.tape.call(ufunc if method == "__call__" else ufunc.reduce, inputs, options)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        if function not in _FUNCTIONS:
            raise UnrecordableError(f"numpy.{_name(function)} is not known to the recorder")
        return self.tape.call(function, inputs, options)

    __bool__ = _refusing("a branch looks at an array's value")
    __float__ = __int__ = __complex__ = __index__ = _refusing("an array is turned into a Python number")
    __array__ = _refusing("an array is handed to a function that is no NumPy function of arrays,")
    __setitem__ = _refusing("an array is written into")
    __iter__ = _refusing("a loop runs over an array's rows")


class Program:
    """A recorded function: call it with arrays of the same shapes and dtypes.

    The arrays returned are the program's own, and the next call writes over them.
    """

    def __init__(self, nodes: Sequence[_Node], outputs: Sequence[int]) -> None:
        needed = _needed(nodes, outputs)
        last_use = {nodes[read].root: at for at in needed for read in nodes[at].operands()}
        kept = {nodes[output].root for output in outputs}
        kept |= {position for position, node in enumerate(nodes) if node.function is None}
        memory = _Memory()
        results: dict[int, Array] = {}
        self._calls: list[Callable[[], Any]] = []
        for position in needed:
            node = nodes[position]
            used_up = {nodes[read].root for read in node.operands()} - kept
            used_up = {root for root in used_up if last_use[root] == position}
            if node.function is None:
                results[position] = node.form.within(np.empty(node.form.nbytes, np.uint8))
            elif node.root != position:
                results[position] = _bound(node, results)()
            else:
                over = next((root for root in used_up if _entrywise(nodes, node, root)), None)
                results[position] = out = node.form.within(memory.take(position, node.form.nbytes, over))
                self._calls.append(_bound(node, results, out))
            for root in used_up:
                memory.give_back(root)
        self._inputs = [results[at] for at, node in enumerate(nodes) if node.function is None]
        self._outputs = tuple(results[output] for output in outputs)

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """Return the outputs for `inputs`; ShapeError if one has another shape or dtype than was recorded."""
        for own, given in zip(self._inputs, inputs, strict=True):
            if given.shape != own.shape or given.dtype != own.dtype:
                raise ShapeError(
                    f"recorded for an array {own.dtype} {own.shape}, not {given.dtype} {given.shape}"
                )
            own[...] = given
        for call in self._calls:
            call()
        return self._outputs


def record(function: Callable[..., Sequence[Any]], inputs: Sequence[Array]) -> Program:
    """Return the program of `function`, which takes arrays like `inputs` and returns a sequence of arrays.

    Raises UnrecordableError if the function looks at values, writes, or returns what it did not compute.
    """
    tape = _Tape()
    outputs = function(*[tape.input(value) for value in inputs])
    if not all(isinstance(output, _StandIn) for output in outputs):
        raise UnrecordableError("an output does not depend on the inputs")
    return Program(tape.nodes, [output.position for output in outputs])


class _Memory:
    """The memory of results: what is given back is taken again by a result of as many bytes."""

    def __init__(self) -> None:
        self._taken: dict[int, Array] = {}
        self._free: dict[int, list[Array]] = {}

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


def _needed(nodes: Sequence[_Node], outputs: Sequence[int]) -> list[int]:
    """Return, in order, the positions of the inputs and of the nodes that the outputs depend on."""
    needed = {position for position, node in enumerate(nodes) if node.function is None}
    waiting = list(outputs)
    while waiting:
        position = waiting.pop()
        if position not in needed:
            needed.add(position)
            waiting += nodes[position].operands()
    return sorted(needed)


def _entrywise(nodes: Sequence[_Node], node: _Node, root: int) -> bool:
    """Return whether `node` may be written over `root`, entry by entry of what it reads."""
    ufunc = isinstance(node.function, np.ufunc) and node.function.signature is None
    return ufunc and nodes[root].form == node.form and root in node.operands()


def _bound(node: _Node, results: dict[int, Array], out: Array | None = None) -> Callable[[], Any]:
    """Return the node's call with its arguments in place, writing into `out` if there is one."""
    arguments, options = _mapped(
        [node.arguments, node.options],
        lambda one: results[one.position] if isinstance(one, _Result) else one,
    )
    function: Any = node.function
    if out is None:
        return partial(function, *arguments, **options)
    if function in _ARITHMETIC and all(results[read].dtype == out.dtype for read in node.operands()):
        arguments = [np.asarray(one, out.dtype) if isinstance(one, int | float) else one for one in arguments]
    if function in _TAKES_OUT or isinstance(getattr(function, "__self__", function), np.ufunc):
        return partial(function, *arguments, **options, out=out)
    return partial(_copied, out, function, *arguments, **options)


def _copied(out: Array, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    out[...] = function(*arguments, **options)


def _flat(given: Any) -> Iterator[Any]:
    """Yield what is in nested lists and tuples."""
    if isinstance(given, list | tuple) and not isinstance(given, _Result):
        for one in given:
            yield from _flat(one)
    else:
        yield given


def _mapped(given: Any, function: Callable[[Any], Any]) -> Any:
    """Return nested lists, tuples and dicts with `function` of everything in them."""
    if isinstance(given, dict):
        return {name: _mapped(one, function) for name, one in given.items()}
    if isinstance(given, list | tuple) and not isinstance(given, _Result):
        return type(given)([_mapped(one, function) for one in given])
    return function(given)


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)
