"""The tape: what a function of arrays did, as one node for each call, noted by stand-ins for its arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from jactrain.arrays import Array, Shape, ranges
from jactrain.errors import UnrecordableError

# Functions whose results have shapes that follow from the shapes of what they are given.
_FUNCTION_NAMES = (
    "broadcast_to clip concatenate dot einsum expand_dims flip full_like imag max mean min moveaxis "
    "ones_like prod real reshape roll squeeze stack sum swapaxes tensordot tile transpose where zeros_like"
)
_FUNCTIONS = {getattr(np, name) for name in _FUNCTION_NAMES.split()}
_METHODS = {"reshape", "swapaxes", "transpose", "dot", "max", "min", "mean", "copy", "astype", "conj", "clip"}


class Form(NamedTuple):
    """What a result is: shape, dtype, and its axes from the slowest in memory to the fastest."""

    shape: Shape
    dtype: np.dtype[Any]
    axes: tuple[int, ...]

    @classmethod
    def of(cls, value: Array) -> Form:
        """Return the form of an array."""
        axes = sorted(range(value.ndim), key=lambda axis: -abs(value.strides[axis]))
        return cls(value.shape, value.dtype, tuple(axes))

    @property
    def nbytes(self) -> int:
        """The bytes that the entries take."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize

    def within(self, memory: Array) -> Array:
        """Return an array of this form in `memory`, bytes."""
        slow_to_fast = memory.view(self.dtype).reshape([self.shape[axis] for axis in self.axes])
        return slow_to_fast.transpose(np.argsort(self.axes)) if self.axes else slow_to_fast


class Result(NamedTuple):
    """A recorded result in the place of an argument: the position of its node."""

    position: int


class Node(NamedTuple):
    """One call, or an input if `function` is None.

    root: the node in whose memory the result lies, this one unless the result is a view. is_whole: whether it
    has all entries of the root, which lie in memory as its own indices do, the last axis fastest.
    """

    function: Callable[..., Any] | None
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    form: Form
    root: int
    is_whole: bool

    def operands(self) -> list[int]:
        """Return the positions of the results that the call reads."""
        given = [*self.arguments, *self.options.values()]
        return [one.position for one in flat(given) if isinstance(one, Result)]


class Loop(NamedTuple):
    """Nodes `start` to `stop`, done `pieces` times: the first is what counts, the last gathers the results.

    The count is of `width` numbers at a time. is_shared: whether pieces may be done at the same time.
    """

    start: int
    stop: int
    pieces: int
    width: int
    is_shared: bool


class Tape:
    """The nodes so far, inputs first, and which of them are loops."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.loops: list[Loop] = []
        self._values: list[Array] = []
        self._is_looping = False

    def input(self, value: Array) -> StandIn:
        """Note an input, and return a stand-in for it."""
        return self._noted(None, (), {}, value, len(self.nodes))

    def loop(self, function: Callable[[Array], Any], count: int, width: int, is_shared: bool) -> Any:
        """Note `function` of the numbers 0 to `count - 1`, `width` at a time, once for all whole pieces."""
        pieces = count // width
        if self._is_looping or pieces < 2:
            found = [function(np.arange(start, stop)) for start, stop in ranges(count, width)]
        else:
            found = [self._looped(function, pieces, width, is_shared)]
            if pieces * width < count:
                found.append(function(np.arange(pieces * width, count)))
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _looped(self, function: Callable[[Array], Any], pieces: int, width: int, is_shared: bool) -> StandIn:
        numbers = np.arange(width)
        counter = self._noted(counted, (), {}, numbers, len(self.nodes))
        self._is_looping = True
        try:
            piece = function(counter)
        finally:
            self._is_looping = False
        if not isinstance(piece, StandIn):
            raise UnrecordableError("a loop's result does not depend on the inputs")
        whole = np.concatenate([piece.value] * pieces)
        read = (Result(counter.position), Result(piece.position))
        gathered = self._noted(gathered_pieces, read, {}, whole, len(self.nodes))
        self.loops.append(Loop(counter.position, gathered.position, pieces, width, is_shared))
        return gathered

    def loop_around(self, position: int) -> Loop | None:
        """Return the loop that the node at `position` is done in; the one that gathers is behind it."""
        return next((loop for loop in self.loops if loop.start <= position < loop.stop), None)

    def call(self, function: Callable[..., Any], arguments: Sequence[Any], options: dict[str, Any]) -> Any:
        """Note the call, and return a stand-in for its result."""
        given = [arguments, options]
        stand_ins = [one for one in flat([*arguments, *options.values()]) if isinstance(one, StandIn)]
        plain, plain_options = mapped(given, lambda one: one.value if isinstance(one, StandIn) else one)
        noted, noted_options = mapped(
            given, lambda one: Result(one.position) if isinstance(one, StandIn) else one
        )
        value = function(*plain, **plain_options)
        if not isinstance(value, (np.ndarray, np.generic)):
            raise UnrecordableError(f"{name_of(function)} returns a {type(value).__name__}, not an array")
        value = np.asarray(value)
        position = len(self.nodes)
        root = next((one.root for one in stand_ins if np.may_share_memory(one.value, value)), position)
        return self._noted(function, tuple(noted), noted_options, value, root)

    def _noted(
        self,
        function: Callable[..., Any] | None,
        arguments: tuple[Any, ...],
        options: dict[str, Any],
        value: Array,
        root: int,
    ) -> StandIn:
        """Add a node with this result, and return a stand-in for it."""
        position = len(self.nodes)
        self._values.append(value)
        whole = self._values[root]
        same_entries = value.ctypes.data == whole.ctypes.data and value.nbytes == whole.nbytes
        is_whole = bool(value.flags.c_contiguous and same_entries)
        self.nodes.append(Node(function, arguments, options, Form.of(value), root, is_whole))
        return StandIn(self, value, position)


def counted() -> NoReturn:
    """Stand for the numbers of a loop, which a program writes itself."""
    raise TypeError("a program counts by itself")


def gathered_pieces(numbers: Array, piece: Array) -> NoReturn:
    """Stand for the results of a loop, which a program gathers itself."""
    raise TypeError("a program gathers by itself")


def _refusing(what: str) -> Callable[..., NoReturn]:
    def refuse(*_: Any) -> NoReturn:
        raise UnrecordableError(f"{what} while it is recorded")

    return refuse


class StandIn(NDArrayOperatorsMixin):
    """A stand-in for an array, which notes what is done with it."""

    def __init__(self, tape: Tape, value: Array, position: int) -> None:
        self.tape = tape
        self.value = value
        self.position = position

    @property
    def root(self) -> int:
        """The node in whose memory the array lies."""
        return self.tape.nodes[self.position].root

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)
    dtype = property(lambda self: self.value.dtype)
    T = property(lambda self: self.tape.call(np.ndarray.transpose, (self,), {}))
    imag = property(lambda self: self.tape.call(np.imag, (self,), {}))
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
        """Note the sum, as NumPy's own methods reach it."""
        return self.tape.call(np.add.reduce, (self,), {"axis": axis, **options})

    def __pow__(self, power: Any) -> Any:
        return self.tape.call(operator.pow, (self, power), {})  # which squares by a product, as for arrays

    def __getitem__(self, index: Any) -> Any:
        if any(isinstance(one, StandIn) and one.dtype.kind == "b" for one in flat(index)):
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
            raise UnrecordableError(f"numpy.{name_of(function)} is not known to the recorder")
        return self.tape.call(function, inputs, options)

    __bool__ = _refusing("a branch looks at an array's value")
    __float__ = __int__ = __complex__ = __index__ = _refusing("an array is turned into a Python number")
    __array__ = _refusing("an array is handed to a function that is no NumPy function of arrays,")
    __setitem__ = _refusing("an array is written into")
    __iter__ = _refusing("a loop runs over an array's rows")


def flat(given: Any) -> Iterator[Any]:
    """Yield what is in nested lists and tuples."""
    if isinstance(given, list | tuple) and not isinstance(given, Result):
        for one in given:
            yield from flat(one)
    else:
        yield given


def mapped(given: Any, function: Callable[[Any], Any]) -> Any:
    """Return nested lists, tuples and dicts with `function` of everything in them."""
    if isinstance(given, dict):
        return {name: mapped(one, function) for name, one in given.items()}
    if isinstance(given, list | tuple) and not isinstance(given, Result):
        return type(given)([mapped(one, function) for one in given])
    return function(given)


def name_of(function: Any) -> str:
    """Return what a message calls `function`."""
    return getattr(function, "__name__", type(function).__name__)
