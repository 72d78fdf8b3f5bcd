"""Arrays in an npz file."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import Field

from jactrain.arrays import MOST_AXES, Array
from jactrain.data.archive import no_character, read_arrays
from jactrain.data.base import Classification, Dataset, Outline, Regression, Source, Task, sources
from jactrain.data.names import encode, numbered
from jactrain.data.paths import DataPath
from jactrain.errors import DataError


@sources.register("npz")
class NpzFile(Source):
    """Arrays `x` (N, …) and `y` (N,) or (N, m) of an npz file, each of at most 4 GiB as float64.

    y (N,) of integers, bools or text makes classes, in the order of the values; y of floats is regressed on.
    """

    outline_loads: ClassVar[bool] = True

    path: DataPath = Field(description="the file; a relative path is relative to the configuration's folder")

    def outline(self) -> Outline:
        """Return the outline, for which the file is read; DataError if it cannot be used."""
        return self._dataset.outline

    def load(self) -> Dataset:
        """Return the examples, read once however often it is asked for; DataError if they cannot be used."""
        return self._dataset

    @cached_property
    def _dataset(self) -> Dataset:
        arrays = read_arrays(self.path, ("x", "y"))
        x, y = _inputs(self.path, arrays["x"]), arrays["y"]
        if y.ndim not in (1, 2) or 0 in y.shape[1:]:
            raise DataError(f"{self.path}: y is (N,) or (N, m), not {y.shape}")
        if len(x) != len(y):
            raise DataError(f"{self.path}: x has {len(x)} examples and y has {len(y)}; give one y for each x")
        features = numbered("x", x.shape[1]) if x.ndim == 2 else ()
        return Dataset(x, *_targets(self.path, y), features)


def _inputs(path: Path, x: Array) -> Array:
    if x.dtype.kind not in "biuf":
        raise DataError(f"{path}: x holds {x.dtype}; inputs are numbers")
    if x.ndim < 2:
        raise DataError(f"{path}: x is (N, …), not {x.shape}; write one feature as x.reshape(-1, 1)")
    if x.ndim > MOST_AXES:
        raise DataError(f"{path}: x has {x.ndim} axes, at most {MOST_AXES} are read; join some of them")
    if x.size == 0:
        raise DataError(f"{path}: x is {x.shape} and so holds nothing; give at least one example and feature")
    return _finite(path, "x", x)


def _targets(path: Path, y: Array) -> tuple[Array, Task]:
    if y.dtype.kind == "f":
        targets = _finite(path, "y", y.reshape(len(y), -1))
        return targets, Regression(numbered("y", targets.shape[1]))
    if y.dtype.kind not in "biuSU":
        raise DataError(f"{path}: y holds {y.dtype}; classes are integers, bools or text, targets are floats")
    if y.ndim != 1:
        raise DataError(
            f"{path}: y is {y.shape} {y.dtype}, but classes are (N,); write targets to regress on as floats "
            "(y.astype(float)), and classes as one index each (y.argmax(axis=1))"
        )
    indices, classes = encode(_text(path, y).tolist())
    if len(classes) == 1:
        raise DataError(f"{path}: every y is {classes[0]}; classification needs at least two classes")
    return indices, Classification(classes)


def _text(path: Path, y: Array) -> Array:
    """Return `y` with byte strings decoded; DataError for what is no text."""
    point = no_character(y) if y.dtype.kind == "U" else None
    if point is not None:
        raise DataError(f"{path}: y holds U+{point:04X}, which is no character; write y anew")
    try:
        return np.char.decode(y, "utf-8") if y.dtype.kind == "S" else y
    except UnicodeDecodeError:
        raise DataError(f"{path}: y holds bytes that are not UTF-8; write y as text (dtype str)") from None


def _finite(path: Path, name: str, values: Array) -> Array:
    """Return `values` as float64; DataError with the first index of one that is not finite."""
    with np.errstate(over="ignore"):  # a long double may be too large, which is seen below
        values = values.astype(np.float64)
    wrong = ~np.isfinite(values)
    if wrong.any():
        index = np.unravel_index(int(wrong.argmax()), values.shape)
        place = ", ".join(map(str, index))
        raise DataError(
            f"{path}: {name}[{place}] is {values[index]}, and so are not finite {wrong.sum()} of "
            f"{wrong.size} values; mend or remove these examples"
        )
    return values
