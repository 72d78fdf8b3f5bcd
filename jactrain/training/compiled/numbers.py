"""Options as traced numbers: one program for trainings in which they differ."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import jax.numpy as jnp

from jactrain.arrays import Array
from jactrain.modes.base import Mode
from jactrain.optimizers.base import Optimizer

C = TypeVar("C", Optimizer, Mode)


class TracedNumber:
    """Stands for a Python number that a rule is traced with: of its value, only whether it is 0 is known.

    With Python numbers it computes in float64, as they do; an array that it meets keeps its dtype.
    """

    __array_ufunc__ = None  # NumPy's arrays leave operators to it

    def __init__(self, value: Array, is_zero: bool | None = None) -> None:
        """Take the traced value `()`, float64, and whether it is 0; None if that is unknown."""
        self._value, self._is_zero = value, is_zero

    def __bool__(self) -> bool:
        """Return whether it is not 0."""
        if self._is_zero is None:
            raise TypeError("a number that is traced is compared")
        return not self._is_zero

    def __eq__(self, other: object) -> bool:
        """Refuse."""
        raise TypeError("a number that is traced is compared")

    __hash__ = None  # type: ignore[assignment]  # as of everything that is compared by other means

    def log(self) -> TracedNumber:
        """Return its natural logarithm."""
        return TracedNumber(jnp.log(self._value))

    def __neg__(self) -> TracedNumber:
        """Return its negative."""
        return TracedNumber(-self._value, self._is_zero)

    def _operated(self, apply: Callable[[Any, Any], Any], other: Any, is_behind: bool) -> Any:
        own, is_number = self._value, not hasattr(other, "dtype")
        if isinstance(other, TracedNumber):
            other = other._value
        elif not is_number:
            own = own.astype(other.dtype)
        result = apply(other, own) if is_behind else apply(own, other)
        return TracedNumber(result) if is_number else result


def _operation(apply: Callable[[Any, Any], Any], is_behind: bool) -> Callable[[TracedNumber, Any], Any]:
    return lambda number, other: number._operated(apply, other, is_behind)


for _name in ("add", "sub", "mul", "truediv", "pow"):
    for _prefix, _is_behind in (("", False), ("r", True)):
        setattr(
            TracedNumber,
            f"__{_prefix}{_name}__",
            _operation(getattr(operator, f"__{_name}__"), _is_behind),
        )


def with_numbers(component: C, values: Mapping[str, Array]) -> C:
    """Return `component`, whose options `values` are traced, each `()`, and 0 where its own are."""
    traced = {name: TracedNumber(value, not getattr(component, name)) for name, value in values.items()}
    return component.model_copy(update=traced) if traced else component
