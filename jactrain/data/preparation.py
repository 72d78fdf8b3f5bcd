"""Keeping examples for validation, and bringing features to one size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self, TypeAlias

import numpy as np

from jactrain.arrays import Array
from jactrain.data.base import Classification, Dataset
from jactrain.errors import DataError

ScalingName: TypeAlias = Literal["none", "standard", "minmax"]


def split(dataset: Dataset, validation: float, rng: np.random.Generator) -> tuple[Dataset, Dataset | None]:
    """Return the training part and the validation part of `dataset`, both shuffled.

    `validation` is a fraction f, 0 <= f < 1; 0 returns `(dataset, None)` and draws nothing. Of N examples,
    the nearest whole number to f N is kept for validation, at least 1 and at most N - 1. For
    Classification, each class gives f of its members, up to less than one example, and never its last.

    Raises DataError where one of the parts would be empty, or for another fraction.
    """
    if not 0 <= validation < 1:
        raise DataError(f"the validation fraction is at least 0 and less than 1, not {validation}")
    if validation == 0:
        return dataset, None
    order = rng.permutation(len(dataset.x))
    wanted = most_kept(len(order), validation)
    chosen = _stratified(dataset.y[order], validation, wanted) if _has_classes(dataset) else slice(wanted)
    kept = np.zeros(len(order), dtype=bool)
    kept[chosen] = True
    if not kept.any():
        reason = ", and a class keeps its only example for training" if _has_classes(dataset) else ""
        raise DataError(
            f"{validation} of {len(order)} examples leaves none for validation{reason}; "
            "add examples, or set validation: 0"
        )
    return dataset.take(order[~kept]), dataset.take(order[kept])


def most_kept(examples: int, validation: float) -> int:
    """Return how many of `examples` `split` keeps for validation; of classes it may keep fewer."""
    return min(max(round(validation * examples), 1), examples - 1) if validation > 0 else 0


def _has_classes(dataset: Dataset) -> bool:
    return isinstance(dataset.task, Classification)


def _stratified(y: Array, fraction: float, wanted: int) -> Array:
    """Return positions in `y`, (N,) class indices in random order, of about `wanted` for validation.

    Largest remainders: each class gives the whole part of its share, and those whose share has the largest
    rest give one more, as long as they keep one for training.
    """
    classes, members = np.unique(y, return_inverse=True)
    sizes = np.bincount(members, minlength=len(classes))
    share = fraction * sizes
    counts = np.minimum(np.floor(share).astype(np.int64), sizes - 1)
    may_give = (counts + 1 < sizes) & (share > counts)
    by_rest = np.argsort(counts - share, kind="stable")
    givers = by_rest[may_give[by_rest]][: max(wanted - int(counts.sum()), 0)]
    counts[givers] += 1
    return np.concatenate([np.flatnonzero(members == index)[:count] for index, count in enumerate(counts)])


@dataclass(frozen=True, eq=False)
class Scaling:
    """x -> (x - offset) / scale, entry by entry of an input: `offset` and `scale` are (*input) float64.

    To be fitted on training examples alone: what validation examples are like must not be known.
    """

    offset: Array
    scale: Array

    @classmethod
    def fit(cls, name: ScalingName, x: Array) -> Self:
        """Return the scaling `name` for the examples x, (N, *input), N >= 1.

        none      leaves x as it is
        standard  to mean 0 and standard deviation 1 (divisor N)
        minmax    to the range from 0 to 1

        A feature that does not vary, so that there is nothing to divide by, is moved to 0 and keeps scale 1.
        Raises DataError if x is empty or too large to compute with.
        """
        if len(x) == 0:
            raise DataError("there are no examples to fit a scaling to; give at least one")
        x = np.asarray(x, dtype=np.float64)
        if name == "none":
            return cls(np.zeros(x.shape[1:]), np.ones(x.shape[1:]))
        low = x.min(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):  # seen below
            extent = x.max(axis=0) - low
            offset, scale = (x.mean(axis=0), x.std(axis=0)) if name == "standard" else (low, extent)
            if (lost := (scale == 0) & (extent > 0)).any():  # the squares of tiny numbers are 0
                units = np.where(lost, extent, 1.0)
                scale = np.where(lost, (x / units).std(axis=0) * units, scale)
        # The standard deviation of equal numbers is not exactly 0.
        constant = (extent == 0) | (scale == 0)
        offset, scale = np.where(constant, low, offset), np.where(constant, 1.0, scale)
        if not (np.isfinite(offset) & np.isfinite(scale)).all():
            raise DataError(f"inputs as large as {np.abs(x).max():.3g} cannot be scaled; use smaller units")
        return cls(offset, scale)

    def apply(self, x: Array) -> Array:
        """Return x, (N, *input), scaled."""
        return (x - self.offset) / self.scale

    def invert(self, x: Array) -> Array:
        """Return scaled x, (N, *input), as it was."""
        return x * self.scale + self.offset


def in_dtype(scaled: Array, dtype: np.dtype[Any], word: str, own: Array) -> Array:
    """Return finite examples `scaled` in `dtype`; DataError where one is beyond its range.

    `word` is what the message calls a value, `own` are the examples in their own units.
    """
    with np.errstate(over="ignore"):  # seen below
        cast = scaled.astype(dtype)
    wrong = np.argwhere(~np.isfinite(cast))
    if wrong.size:
        value = own[tuple(wrong[0])] if own.shape == scaled.shape else scaled[tuple(wrong[0])]
        raise DataError(
            f"there are {word}s as large as {value:.3g}, and numbers in {dtype} are at most "
            f"{np.finfo(dtype).max:.3g}; scale them, use smaller units, or set dtype: float64"
        )
    return cast
