"""How cost grows with size, and where one mode becomes cheaper than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import exp, log
from typing import NamedTuple

import numpy as np

# Times that differ by less count as the same: machines do not repeat themselves more nearly.
_SAME = 0.1


class Cost(NamedTuple):
    """A cost at one size, and how far apart two of them have to be to differ."""

    value: float
    spread: float = 0.0


Costs = Mapping[int, Cost]  # by size


class Order(NamedTuple):
    """Which of two modes is cheaper along the sizes.

    at: where it changes, interpolated, None if it does not; cheaper: 0 or 1, the one that is cheaper where
    they differ (below `at`), None where they nowhere do; everywhere: whether they differ at all sizes; ends:
    the least and the greatest size that both have; ratios: what the second costs there over the first.
    """

    at: float | None
    cheaper: int | None
    everywhere: bool
    ends: tuple[int, int]
    ratios: tuple[float, float]


def exponent(costs: Mapping[int, float]) -> float | None:
    """Return k of the power law `cost ∝ size^k` that fits best by least squares in logarithms.

    None for fewer than three sizes, or a cost of zero.
    """
    if len(costs) < 3 or min(costs.values()) <= 0:
        return None
    sizes, values = np.log(list(costs)), np.log(list(costs.values()))
    slope, _ = np.polyfit(sizes, values, 1)
    return float(slope)


def order(first: Costs, second: Costs, tolerance: float) -> Order | None:
    """Return how two modes' costs are ordered, where both are known; None for fewer than two sizes.

    Costs count as different if they are further apart than their spreads and `tolerance` of the smaller;
    the order changes between two sizes where they differ, once this way and once the other.
    """
    sizes = sorted(set(first) & set(second))
    if len(sizes) < 2:
        return None
    ratios = {size: log(second[size].value / first[size].value) for size in sizes}
    decided = [size for size in sizes if _differ(first[size], second[size], tolerance)]
    at = None
    for size, after in pairwise(decided):
        if ratios[size] * ratios[after] < 0:
            share = ratios[size] / (ratios[size] - ratios[after])
            at = exp(log(size) + share * (log(after) - log(size)))
            break
    ends = sizes[0], sizes[-1]
    return Order(
        at=at,
        cheaper=int(ratios[decided[0]] < 0) if decided else None,
        everywhere=decided == sizes,
        ends=ends,
        ratios=(exp(ratios[ends[0]]), exp(ratios[ends[1]])),
    )


def _differ(first: Cost, second: Cost, tolerance: float) -> bool:
    apart = abs(first.value - second.value)
    return apart > max(first.spread + second.spread, tolerance * min(first.value, second.value))


def sentence(names: Sequence[str], along: str, measured: Order | None, predicted: Order | None) -> str:
    """Return in words which of two modes is cheaper, by the clock and by the multiply-adds predicted."""
    texts = [
        f"{how}: {_clause(names, along, found)}"
        for how, found in (("measured", measured), ("predicted multiply-adds", predicted))
        if found is not None
    ]
    return "; ".join(texts) or f"too few sizes to tell {names[0]} from {names[1]}"


def _clause(names: Sequence[str], along: str, found: Order) -> str:
    if found.cheaper is None:
        return f"{names[0]} and {names[1]} cost the same"
    cheaper, dearer = names[found.cheaper], names[1 - found.cheaper]
    if found.at is not None:
        return f"{cheaper} is cheaper below {_place(along, found.at)}, {dearer} above"
    least, greatest = (1 / ratio if found.cheaper else ratio for ratio in found.ratios)
    return (
        f"{cheaper} is cheaper {'throughout' if found.everywhere else 'where they differ'}: {dearer} takes "
        f"{least:.3g} times as much at {_place(along, found.ends[0])}, {greatest:.3g} times at "
        f"{_place(along, found.ends[1])}"
    )


def _place(along: str, size: float) -> str:
    number = f"{size:,}" if isinstance(size, int) else f"about {size:.3g}"
    if along == "outputs":
        return f"{number} output{'' if size == 1 else 's'}"
    return f"{along} {number}"


def crossover(
    names: Sequence[str],
    along: str,
    measured: tuple[Costs, Costs],
    predicted: tuple[Costs, Costs],
) -> dict[str, object]:
    """Return the entry of comparison.json for two modes: where their order changes, and a sentence."""
    by_clock, by_count = order(*measured, _SAME), order(*predicted, 0.0)
    return {
        "modes": list(names),
        "measured_at": by_clock.at if by_clock else None,
        "predicted_at": by_count.at if by_count else None,
        "sentence": sentence(names, along, by_clock, by_count),
    }
