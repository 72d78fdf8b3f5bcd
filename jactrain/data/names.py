"""Names for features and targets that come without, and for classes given as numbers or text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

import numpy as np

from jactrain.arrays import Array

Label = TypeVar("Label", float, str)

_FRACTION = re.compile(r"[+-]?\d+\.\d*\Z")


def numbered(word: str, count: int) -> tuple[str, ...]:
    """Return `word` followed by 1 to `count`; a single one goes without a number.

    >>> numbered("y", 1), numbered("x", 3)
    (('y',), ('x1', 'x2', 'x3'))
    """
    return (word,) if count == 1 else tuple(f"{word}{index}" for index in range(1, count + 1))


def encode(labels: Sequence[Label]) -> tuple[Array, tuple[str, ...]]:
    """Return class indices (N,) int64 and the class names, for N labels, all numbers or all text.

    Classes are in the order of their values: numbers by size (2 before 10), text by code point.

    >>> encode([10.0, 2.0, 10.0])
    (array([1, 0, 1]), ('2', '10'))
    """
    values = sorted(set(labels))  # not numpy.unique: one long text would widen every label
    index = {value: position for position, value in enumerate(values)}
    indices = np.array([index[label] for label in labels], dtype=np.int64)
    return indices, tuple(_label(value) for value in values)


def encode_written(cells: Sequence[str]) -> tuple[Array, tuple[str, ...]]:
    """Return what `encode` does for N texts that all write finite numbers, in the order of the numbers.

    Names are the texts, less the zeros that end a decimal fraction: a float may be nearest to two of them.

    >>> encode_written(["10", "2.0", "007", "2", "7"])
    (array([3, 0, 1, 0, 2]), ('2', '007', '7', '10'))
    """
    labels = [_without_final_zeros(cell) for cell in cells]
    names = tuple(sorted(set(labels), key=lambda label: (Decimal(label), label)))
    index = {name: position for position, name in enumerate(names)}
    return np.array([index[label] for label in labels], dtype=np.int64), names


def _without_final_zeros(cell: str) -> str:
    return cell.rstrip("0").removesuffix(".") if _FRACTION.match(cell) else cell


def _label(value: Label) -> str:
    """Return a class name; a whole float is written as the integer it is."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
