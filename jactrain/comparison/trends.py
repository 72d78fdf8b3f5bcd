"""How cost grows with size, and where one mode becomes cheaper than another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import exp, log
from typing import NamedTuple

import numpy as np

from jactrain.comparison.wording import digits

# Times that differ by less count as the same: machines do not repeat themselves more nearly.
SAME = 0.1


class Cost(NamedTuple):
    """A cost at one size, and how far it may be off: costs nearer than both together are the same."""

    value: float
    noise: float = 0.0


Costs = Mapping[int, Cost]  # by size


class Order(NamedTuple):
    """Which of two modes is cheaper along the sizes.

    at: where it changes first, interpolated, None if it does not; again: whether it then changes back;
    cheaper: 0 or 1, the one that is cheaper where they differ (below `at`), None where they nowhere do;
    everywhere: whether they differ at all sizes; ends: the least and the greatest size at which they differ;
    ratios: what the second costs there over the first.
    """

    at: float | None
    again: bool
    cheaper: int | None
    everywhere: bool
    ends: tuple[int, ...]
    ratios: tuple[float, ...]


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

    Costs count as different if they are further apart than their noise and `tolerance` of the smaller;
    the order changes between two sizes where they differ, once this way and once the other.
    """
    sizes = sorted(set(first) & set(second))
    if len(sizes) < 2:
        return None
    ratios = {size: log(second[size].value / first[size].value) for size in sizes}
    decided = [size for size in sizes if _differ(first[size], second[size], tolerance)]
    changes = [(size, after) for size, after in pairwise(decided) if ratios[size] * ratios[after] < 0]
    at = None
    if changes:
        size, after = changes[0]
        share = ratios[size] / (ratios[size] - ratios[after])
        at = exp(log(size) + share * (log(after) - log(size)))
    ends = (decided[0], decided[-1]) if decided else ()
    return Order(
        at=at,
        again=len(changes) > 1,
        cheaper=int(ratios[decided[0]] < 0) if decided else None,
        everywhere=decided == sizes,
        ends=ends,
        ratios=tuple(exp(ratios[size]) for size in ends),
    )


def _differ(first: Cost, second: Cost, tolerance: float) -> bool:
    apart = abs(first.value - second.value)
    return apart > max(first.noise + second.noise, tolerance * min(first.value, second.value))


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
        again = ", and the order changes again above" if found.again else ""
        return f"{cheaper} is cheaper below {_place(along, found.at)}, {dearer} above{again}"
    least, greatest = (digits(1 / ratio if found.cheaper else ratio, 3) for ratio in found.ratios)
    first, last = (_place(along, size) for size in found.ends)
    if first == last:
        return f"{cheaper} is cheaper at {first} alone, where {dearer} takes {least} times as much"
    where = "throughout" if found.everywhere else "wherever they differ"
    return (
        f"{cheaper} is cheaper {where}: {dearer} takes {least} times as much at {first}, {greatest} times at "
        f"{last}"
    )


def _place(along: str, size: float) -> str:
    number = f"{size:,}" if isinstance(size, int) else f"about {size:.3g}"
    if along == "outputs":
        return f"{number} output{'' if size == 1 else 's'}"
    return f"{along} {number}"
