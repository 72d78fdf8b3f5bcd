"""What a run's record says of the examples that it was trained with, by which they are known again."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np

from jactrain.arrays import Array, ranges
from jactrain.training.experiment import Experiment

# How far sums may be apart. Columns of float32 are summed to 1e-6 of their norm; one other label among a
# million is 1e-3.
_NEAR = 1e-5
# Below this part of the largest column's norm, a column is nothing but rounding, as scaled constants are.
_LEAST, _TINY = 1e-9, 1e-300
_PORTION = 4096  # examples whose copy in float64 is summed at once


def data_record(experiment: Experiment) -> dict[str, Any]:
    """Return the numbers of examples of each part, the SHA-256 of all as they are trained with, and sums.

    By the sums they are known again where another NumPy draws or scales them with other last bits.
    """
    arrays = [np.ascontiguousarray(array) for array in _arrays(experiment)]
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array.data)
    return {
        "examples": example_counts(experiment),
        "data": digest.hexdigest(),
        "data_sums": [_sums(array) for array in arrays],
    }


def example_counts(experiment: Experiment) -> dict[str, int]:
    """Return how many examples there are, in each part."""
    parts = {"train": experiment.training, "validation": experiment.validation}
    return {name: len(part.x) for name, part in parts.items() if part is not None}


def told_counts(examples: Any) -> str:
    """Return in words how many examples a record says there are, in each part."""
    if not isinstance(examples, dict):  # somebody else wrote it
        return "no"
    return ", ".join(f"{count} {name}" for name, count in examples.items())


def are_the_same_data(before: Any, now: dict[str, Any]) -> bool:
    """Tell whether two records are of the same examples in the same order, up to their last digits."""
    try:
        return before["data"] == now["data"] or all(
            math.isclose(one, other, rel_tol=0, abs_tol=_NEAR)
            for pair in zip(before["data_sums"], now["data_sums"], strict=True)
            for one, other in zip(*pair, strict=True)
        )
    except (KeyError, TypeError, ValueError):  # somebody else wrote it
        return False


def _arrays(experiment: Experiment) -> list[Array]:
    parts = (experiment.training, experiment.validation)
    return [array for part in parts if part is not None for array in (part.x, part.targets)]


def _sums(array: Array) -> tuple[float, float] | None:
    """Return two sums over the columns, each with another weight; None where they overflow.

    Of each column: the sum of its entries, each with another weight, by its norm; and how large that is. So
    one of large numbers hides no other.
    """
    rows = array.reshape(len(array), -1)
    of_examples, of_columns = np.cos(np.arange(len(rows))), np.cos(0.7 * np.arange(rows.shape[1]))
    sums, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        for start, stop in ranges(len(rows), _PORTION):
            portion = rows[start:stop].astype(np.float64)
            sums += of_examples[start:stop] @ portion
            squares += np.einsum("nj,nj->j", portion, portion)
        norms = np.sqrt(squares)
        norms = np.maximum(norms, max(_LEAST * float(norms.max(initial=0)), _TINY))
        found = float(of_columns @ (sums / norms)), float(of_columns @ np.log(norms))
    # What overflows is known by its digest alone.
    return found if all(map(math.isfinite, found)) else None
