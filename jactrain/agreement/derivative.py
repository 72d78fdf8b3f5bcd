"""The derivative of values in one number, by a complex step or by central differences with their error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from jactrain.agreement.rounding import FACTOR, norm
from jactrain.arrays import Array

_DOUBLE = float(np.finfo(np.float64).eps)
_COMPLEX_STEP = 1e-170  # its square is zero, which branches on real parts would see at a kink
_UNDERFLOW = FACTOR * float(np.finfo(np.float64).tiny) / _COMPLEX_STEP  # below which imaginary parts are lost
_DIFFERENCE_STEP = _DOUBLE ** (1 / 3)
_SHORT = 1 / 16  # of a step, to see what varies over less than it


class Derivative(NamedTuple):
    """A derivative of `forward`, `(K, N, *out)` float64; its error, and entries next to a kink."""

    values: Array
    error: Array
    apart: Array


def derivative_of(
    values: Callable[[complex], Array],
    analytic: bool,
    size: float,
    terms: int,
    level: Array | float,
    crossed: Callable[[float], Array] = lambda step: np.zeros((), bool),
) -> Derivative:
    """Return the derivative of `values` in its argument, at 0, in float64.

    By a complex step, which has no error to speak of, if the function is `analytic`; else by central
    differences of a step relative to `size`, whose truncation is bounded as in `differences`, and rounding
    that of values with the spread `level`. crossed: tells for a step which values, `(K, N)`, have units on
    another side of a kink on either side of 0: they have no derivative that a difference could give.
    """
    with np.errstate(all="ignore"):
        if analytic:
            exact = values(1j * _COMPLEX_STEP).imag / _COMPLEX_STEP
            apart = _over(crossed(_COMPLEX_STEP), exact)
            return Derivative(exact, np.full_like(exact, _UNDERFLOW), apart)
        h = _DIFFERENCE_STEP * max(1.0, size)
        around, known = values(0.0), {step: values(step * h) for step in (1, -1, 2, -2, _SHORT, -_SHORT)}
        near, far, short = ((known[at] - known[-at]) / (2 * at * h) for at in (1, 2, _SHORT))
        second = [(known[at] + known[-at] - 2 * around) / (at * h) for at in (1, 2)]
        doubt = 2 * abs(near - far) + abs(second[1] - 2 * second[0]) + abs(near - short)
        rounding = FACTOR * _DOUBLE * math.sqrt(terms) * level
        doubt = doubt + rounding / h
        if _SHORT * h > _DIFFERENCE_STEP:
            # What does not depend on the large number alone may vary over less than any of these steps.
            least = (values(_DIFFERENCE_STEP) - values(-_DIFFERENCE_STEP)) / (2 * _DIFFERENCE_STEP)
            doubt = doubt + abs(near - least) + rounding / _DIFFERENCE_STEP
        apart = doubt > 0.01 * (abs(near) + math.sqrt(float((near * near).mean())))
        return Derivative(near, doubt, apart | _over(crossed(2 * h), near))


def _over(apart: Array, values: Array) -> Array:
    """Return `apart` `(K, N)`, or one for all, over the trailing axes of `values`."""
    return np.broadcast_to(apart.reshape(*apart.shape, *(1,) * (values.ndim - apart.ndim)), values.shape)


def norm_of(array: Array, apart: Array | None = None) -> float:
    """Return the L2 norm of the entries that are not set apart."""
    array = np.asarray(array, np.float64)
    return norm(array if apart is None else np.where(apart, 0, array))
