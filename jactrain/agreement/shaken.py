"""Arrays whose every operation is followed by a small random change: Monte Carlo arithmetic (Parker 1997).

What rounding does within a rule, whatever the rule, is seen by running it on such arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jactrain.arrays import Array, Tree, map_tree

# Operations that give what they are given, or its opposite: nothing is rounded.
_EXACT = {np.negative, np.positive, np.absolute, np.sign, np.maximum, np.minimum, np.conjugate}
# Functions that are no ufuncs and sum products; others, such as concatenate, move numbers and change none.
_SUMS = {np.dot, np.einsum, np.inner, np.vdot, np.tensordot}
# Factors drawn at once: most arrays are small, and a draw for each takes longer than what it changes.
_DRAWN = 2048


class Shaker:
    """Changes every entry of an array by a uniformly random part of `by` of itself."""

    def __init__(self, rng: np.random.Generator, by: float) -> None:
        self._rng = rng
        self._by = by
        self._factors = np.empty(0)
        self._used = 0

    def __call__(self, array: Array) -> Array:
        """Return a changed copy of `array`, of floating-point or complex numbers."""
        first, self._used = self._used, self._used + array.size
        if self._used > self._factors.size:
            self._factors = 1 + self._rng.uniform(-self._by, self._by, max(_DRAWN, array.size))
            first, self._used = 0, array.size
        return array * self._factors[first : self._used].reshape(array.shape)

    def on(self, tree: Tree) -> Tree:
        """Return a tree's arrays changed once, and after every operation on them from then on."""
        return map_tree(lambda array: _shaken(self(array), self) if _rounds(array) else array, tree)


class ShakenArray(np.ndarray[Any, Any]):
    """An array that its `shaker` changes after every operation, and so what is made of it."""

    shaker: Shaker | None

    def __array_finalize__(self, source: Any) -> None:
        self.shaker = getattr(source, "shaker", None)

    def __array_ufunc__(self, ufunc: Any, method: Any, *inputs: Any, **options: Any) -> Any:
        shaker = _shaker_of(inputs)
        options.pop("out", None)  # rules do not write
        result = getattr(ufunc, method)(*map(_plain, inputs), **options)
        rounded = ufunc not in _EXACT
        if isinstance(result, tuple):
            return tuple(_result(part, shaker, rounded) for part in result)
        return _result(result, shaker, rounded)

    def __array_function__(self, function: Any, types: Any, inputs: Any, options: Any) -> Any:
        result = super().__array_function__(function, types, inputs, options)
        return _result(result, _shaker_of((*inputs, *options.values())), function in _SUMS)


def _rounds(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "fc"


def _result(value: Any, shaker: Shaker | None, rounded: bool) -> Any:
    if not _rounds(value) or shaker is None:
        return value
    plain = np.asarray(value)
    return _shaken(shaker(plain) if rounded else plain, shaker)


def _shaken(array: Array, shaker: Shaker) -> ShakenArray:
    view = np.asarray(array).view(ShakenArray)
    view.shaker = shaker
    return view


def _plain(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, ShakenArray) else value


def _shaker_of(values: Sequence[Any]) -> Shaker | None:
    """Return the shaker of the first shaken array among `values`, or in lists and tuples among them."""
    for value in values:
        found = value.shaker if isinstance(value, ShakenArray) else None
        if found is None and isinstance(value, list | tuple):
            found = _shaker_of(value)
        if found is not None:
            return found
    return None
