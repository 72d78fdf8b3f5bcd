"""Which arrays to keep and which links to run again: schedules of checkpoints for reverse mode.

A chain of links is reversed from its end. Products need residuals, and a residual needs its link to be run
with it kept, from the array `x^k` in front of the link: one that was kept there, or one that links run again
from an earlier array arrive at. `slots` arrays are kept besides the chain's own inputs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from math import comb, isqrt
from typing import NamedTuple


class Advance(NamedTuple):
    """Run links `start` to `stop` from the newest array kept, which lies in front of `start`."""

    start: int
    stop: int


class Keep(NamedTuple):
    """Keep the array in front of link `position`, where the last step has arrived."""

    position: int


class Reverse(NamedTuple):
    """Run links `start` to `stop` with their residuals kept, and take their products, last to first.

    The array in front of `start`, if it was kept, is not needed any more.
    """

    start: int
    stop: int


Action = Advance | Keep | Reverse


def at_once(links: int) -> Iterator[Action]:
    """Yield the action that keeps all residuals."""
    yield Reverse(0, links)


def in_segments(links: int, slots: int) -> Iterator[Action]:
    """Yield the actions that keep `slots` arrays, and the residuals of the segment between two at a time."""
    bounds = [part * links // (slots + 1) for part in range(slots + 2)]
    segments = list(pairwise(bounds))
    for start, stop in segments[:-1]:
        yield Advance(start, stop)
        yield Keep(stop)
    for start, stop in reversed(segments):
        yield Reverse(start, stop)


def square_root(links: int) -> int:
    """Return the number of arrays to keep between segments as many as they are long."""
    return max(0, isqrt(links) - 1)


def revolve(links: int, slots: int) -> Iterator[Action]:
    """Yield the actions of the optimal schedule, which advances over `advances(links, slots)` links."""
    return _revolve(0, links, slots)


def advances(links: int, slots: int) -> int:
    """Return the least number of links that are run only to arrive somewhere.

    `t(l, s) = r l - β(s + 1, r - 1)` with `β(s, r) = C(s + r, s)` and `β(s, r - 1) < l <= β(s, r)`, where
    `s = slots + 1` counts the inputs too (Griewank & Walther 2000, eqs. 1 to 3).
    """
    kept, repeats = slots + 1, 0
    while comb(kept + repeats, kept) < links:
        repeats += 1
    return repeats * links - comb(kept + repeats, repeats - 1) if repeats else 0


def _revolve(start: int, stop: int, slots: int) -> Iterator[Action]:
    while stop - start > 1 and slots:
        middle = start + _best_split(stop - start, slots)
        yield Advance(start, middle)
        yield Keep(middle)
        yield from _revolve(middle, stop, slots - 1)
        stop = middle
    for position in range(stop - 1, start, -1):
        yield Advance(start, position)
        yield Reverse(position, position + 1)
    yield Reverse(start, start + 1)


@lru_cache(maxsize=4096)
def _best_split(links: int, slots: int) -> int:
    """Return how far to advance before an array is kept, so that the total is least.

    `t` is convex in the number of links, so the total is convex in the split: bisection finds its least.
    """

    def total(split: int) -> int:
        return split + advances(links - split, slots - 1) + advances(split, slots)

    low, high = 1, links - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if total(middle) <= total(middle + 1) else (middle + 1, high)
    return low
