"""From a node to the cheapest NumPy call that writes its result into memory made beforehand.

A call of NumPy on small arrays is mostly its preparation: `out` by name costs a third of it, axes of length 1
another part. So arguments are put where NumPy looks for them first, and in the fewest axes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from jactrain.arrays import Array
from jactrain.program.tape import Node, Result, mapped

Call: TypeAlias = Callable[[], Any]

# Functions beside ufuncs that take `out`; the results of the others are copied into their memory.
_TAKES_OUT = {np.concatenate, np.einsum, np.ndarray.mean}
# What these do to an array along an axis, as ufuncs, which are reached with less in between.
_REDUCTIONS = {
    np.ndarray.max: np.maximum.reduce,
    np.ndarray.min: np.minimum.reduce,
}
# Ufuncs that turn a Python number into their array's dtype: it may be turned once for all calls.
_ARITHMETIC = {np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum}


def view_of(node: Node, results: Mapping[int, Array]) -> Array:
    """Return the result of a node that is a view of another's."""
    arguments, options = _in_place(node, results)
    view: Array = _function(node)(*arguments, **options)
    return view


def calls_of(node: Node, results: Mapping[int, Array], out: Array) -> list[Call]:
    """Return the calls that write the node's result into `out`."""
    arguments, options = _in_place(node, results)
    function = _function(node)
    if function in _REDUCTIONS and len(arguments) <= 2:
        function = _REDUCTIONS[function]
        if len(arguments) == 1:
            options = {"axis": None, **options}  # a method's default, not a ufunc's
    if function in _ARITHMETIC and all(results[read].dtype == out.dtype for read in node.operands()):
        arguments = [np.asarray(one, out.dtype) if isinstance(one, int | float) else one for one in arguments]
    if isinstance(function, np.ufunc) and not options:
        if function.signature is None and all(isinstance(one, np.ndarray) for one in arguments):
            *arguments, out = _flattened([*arguments, out])
        if function in (np.maximum, np.minimum):  # these want it by name
            return [partial(function, *arguments, out=out)]
        return [partial(function, *arguments, out)]
    if _reduces(function) and set(options) <= {"axis"}:
        array, axis = arguments[0], options.get("axis", 0)
        if len(arguments) == 1 or (len(arguments) == 2 and "axis" not in options):
            return [partial(function, array, *(arguments[1:] or [axis]), None, out)]
    if function in (np.dot, np.ndarray.dot) and not options:
        return [partial(np.dot, *arguments, out)]
    if function is np.where and len(arguments) == 3 and arguments[0].dtype == bool:
        condition, chosen, other = arguments
        return [partial(np.copyto, out, other), partial(np.copyto, out, chosen, where=condition)]
    if function is np.ndarray.copy:
        return [partial(np.copyto, out, arguments[0])]
    by_name = len(arguments) <= 2 or not (_reduces(function) or function is np.ndarray.mean)
    if by_name and (_reduces(function) or isinstance(function, np.ufunc) or function in _TAKES_OUT):
        return [partial(function, *arguments, **options, out=out)]
    return [partial(_copied, out, function, *arguments, **options)]


def _function(node: Node) -> Callable[..., Any]:
    if node.function is None:
        raise TypeError("an input is not called")
    return node.function


def _in_place(node: Node, results: Mapping[int, Array]) -> tuple[list[Any], dict[str, Any]]:
    """Return the node's arguments and options with arrays for the results that it reads."""
    arguments, options = mapped(
        [list(node.arguments), node.options],
        lambda one: results[one.position] if isinstance(one, Result) else one,
    )
    return arguments, options


def _reduces(function: Any) -> bool:
    """Return whether `function` is a ufunc's method `reduce`."""
    return isinstance(getattr(function, "__self__", None), np.ufunc)


def _flattened(arrays: list[Array]) -> list[Array]:
    """Return the operands and the result of an entrywise call in fewer axes, the same entries in pairs.

    In one, where all lie in memory alike without gaps, but for those of a single entry; else without the
    leading axes that have length 1 in all of them.
    """
    whole = [array for array in arrays if array.size > 1 or array.ndim == 0]
    shape = arrays[-1].shape
    if all(array.ndim == 0 or (array.shape == shape and array.flags.c_contiguous) for array in whole):
        return [array.reshape(-1) if array.ndim else array for array in arrays]
    spare = next((axis for axis, length in enumerate(shape) if length != 1), len(shape))
    return [array[(0,) * max(0, spare - (len(shape) - array.ndim)) + (...,)] for array in arrays]


def _copied(out: Array, function: Callable[..., Any], *arguments: Any, **options: Any) -> None:
    out[...] = function(*arguments, **options)
