"""Arrays that count the multiply-adds of whatever is computed with them, by the contract's definition."""

from __future__ import annotations

import math

import numpy as np

from jactrain.layers.forms import Moved

# Additions alone are free, and so are signs, comparisons and choices.
_FREE = {
    *("add", "subtract", "negative", "positive", "absolute", "sign", "maximum", "minimum", "conjugate"),
    *("greater", "greater_equal", "less", "less_equal", "equal", "not_equal", "clip", "invert"),
    *("logical_and", "logical_or", "logical_not", "bitwise_and", "bitwise_or", "isnan", "isfinite"),
}
_HIDING = {"einsum", "tensordot", "inner", "outer", "vdot", "kron", "prod"}


class Counted(np.ndarray):
    """An array whose multiplications, divisions and elementary functions are added to `Counted.total`.

    A ufunc counts one for every value it gives, a matrix product one for every term it sums. The one
    division by a constant that turns a sum into a mean counts as part of the summing. Functions that
    hide their products (einsum of several arrays, …) are refused: a rule that uses one needs its
    count written here.
    """

    total = 0

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        plain = [np.asarray(value) if isinstance(value, Counted) else value for value in inputs]
        result = getattr(ufunc, method)(*plain, **kwargs)
        if ufunc in (np.matmul, np.vecdot):
            Counted.total += result.size * plain[0].shape[-1]
        elif ufunc.signature is not None:
            raise NotImplementedError(f"the multiply-adds of {ufunc.__name__} are not known to Counted")
        elif ufunc.__name__ not in _FREE:
            if method != "__call__":
                raise NotImplementedError(f"{ufunc.__name__}.{method} is not known to Counted")
            Counted.total += math.prod(np.shape(result))
        return _counted(result)

    def __array_function__(self, function, types, args, kwargs):
        sums = function is np.einsum and len(args) == 2  # one array: nothing is multiplied
        if function.__name__ in _HIDING and not sums:
            raise NotImplementedError(f"the multiply-adds of {function.__name__} are not known to Counted")
        if function is np.dot:
            rows, matrix = (np.asarray(value) for value in args)
            assert rows.ndim == matrix.ndim == 2
            Counted.total += rows.size * matrix.shape[1]
            return _counted(np.dot(rows, matrix))
        return _counted(super().__array_function__(function, types, args, kwargs))

    def mean(self, axis=None, keepdims=False):
        return _counted(np.asarray(self).mean(axis, keepdims=keepdims))


def _counted(result):
    return result.view(Counted) if isinstance(result, np.ndarray) else result


def counted(tree):
    """Return a residual, parameters or a stack with every array in it counting."""
    if isinstance(tree, dict):
        return {name: counted(branch) for name, branch in tree.items()}
    if isinstance(tree, list):
        return [counted(branch) for branch in tree]
    if isinstance(tree, Moved):
        return Moved(*(counted(branch) for branch in tree))
    if isinstance(tree, tuple):
        return tuple(counted(branch) for branch in tree)
    return _counted(tree)


def multiply_adds(function, *arguments):
    """Return how many multiply-adds `function(*arguments)` performs."""
    Counted.total = 0
    function(*map(counted, arguments))
    return Counted.total
