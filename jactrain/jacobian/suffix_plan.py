"""The cheapest way to form all suffixes of a product, in the notation of planning.py (docs/modes.md)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np

from jactrain.jacobian.chain import Factor
from jactrain.jacobian.planning import ChainCosts, Order, nested

_MOST_SUFFIXES = 256  # planning all of them takes a time cubic in their number: a third of a second


@dataclass(frozen=True)
class Suffixes:
    """How all `M(k, stop)`, `start <= k < stop`, are formed.

    pull: after `inner` formed those from `split` on, the first of them is pulled through the factors in
    front of it, one after another. push: after `inner` formed all `M(k, split)`, they are pushed through the
    factors behind, one after another, each of which is formed itself for the next, from its cheaper side or
    `by_tangents`. cut: `inner` forms all `M(k, split)`, `behind` all `M(k, stop)` from `split` on, and the
    former are multiplied by `M(split, stop)`, or, where `factored`, stay two.
    """

    kind: Literal["pull", "push", "cut"]
    start: int
    split: int
    stop: int
    inner: Suffixes | None = None
    behind: Suffixes | None = None
    factored: frozenset[int] = frozenset()
    by_tangents: bool = False

    def __str__(self) -> str:
        """Return the brackets of the longest product, with the others on the way; `|` is left factored."""
        if self.kind == "cut":
            sides = [side for side in (self.behind, self.inner) if side is not None]
            return (" | " if self.start in self.factored else " · ").join(
                f"({side})" if side.stop - side.start > 1 else str(side) for side in sides
            )
        inner = "" if self.inner is None else str(self.inner)
        if self.kind == "pull":
            return nested([f"A{t}" for t in range(self.start + 1, self.split + 1)], inner, pulled=True)
        return nested([f"A{t}" for t in range(self.stop, self.split, -1)], inner)


@dataclass(frozen=True)
class SuffixPlan:
    """How to form all suffixes of a chain; the multiply-adds and the most numbers held, an example."""

    suffixes: Suffixes | None
    multiply_adds: float
    entries: int

    def __str__(self) -> str:
        """Return the brackets; `I` for an empty chain."""
        return "I" if self.suffixes is None else str(self.suffixes)


@lru_cache(maxsize=64)
def plan_suffixes(factors: tuple[Factor, ...], order: Order = "mixed", factored: bool = True) -> SuffixPlan:
    """Return the plan of all `M(k, l)`: by tangents alone, by cotangents alone, or the cheapest of all.

    The cheapest `T(i, j)` is the least of a *pull* at the input end, `T(i+1, j) + n_j v_{i+1}`, a *push* at
    the output end, `T(i, j-1) + Σ_{k<j-1} n_k j_j` and the accumulation of `A_j`, and a *cut* at s,
    `T(s, j) + T(i, s) + Σ_{k<s} n_j n_s n_k`. If `factored`, products are left undone where two factors are
    fewer numbers than one, `n_s (n_j + n_k) < n_j n_k`.

    Forward forms every suffix from its own columns, reverse all of them by one pull; of more than 256 factors
    the cheaper of these two is taken.
    """
    if not factors:
        return SuffixPlan(None, 0, 0)
    chain, last = ChainCosts(factors), len(factors)
    if order == "reverse":
        cost = chain.sizes[last] * chain.pulls[0, last]
        pulled = Suffixes("pull", 0, last, last)
        return SuffixPlan(pulled, float(cost), _entries_at_once(chain, pulled))
    if order == "forward":
        cost = sum(chain.sizes[k] * chain.pushes[k, last] for k in range(last))
        pushed = Suffixes("push", 0, 0, last, by_tangents=True)
        return SuffixPlan(pushed, float(cost), _entries_at_once(chain, pushed))
    if last > _MOST_SUFFIXES:
        pure = [plan_suffixes(factors, "reverse"), plan_suffixes(factors, "forward")]
        return min(pure, key=lambda plan: plan.multiply_adds)
    return _cheapest_suffixes(chain, factored)


def _cheapest_suffixes(chain: ChainCosts, factored: bool) -> SuffixPlan:
    n, last = chain.sizes, len(chain.factors)
    below = np.concatenate([[0.0], np.cumsum(n)])  # below[b] - below[a] = n_a + … + n_{b-1}
    costs = np.zeros((last + 1, last + 1))
    choices: dict[tuple[int, int], tuple[str, int]] = {}
    for length in range(1, last + 1):
        for i in range(last + 1 - length):
            j = i + length
            options = [(costs[i + 1, j] + n[j] * chain.pulls[i, i + 1], "pull", 0)]
            # The product of no vector with a factor that has none is free: 0 · inf.
            columns = below[j - 1] - below[i]
            pushed = columns * chain.pushes[j - 1, j] if columns else 0
            options.append((costs[i, j - 1] + pushed + chain.accumulations[j - 1], "push", 0))
            if length > 1:
                s = np.arange(i + 1, j)
                cuts = costs[s, j] + costs[i, s] + n[j] * n[s] * (below[s] - below[i])
                options.append((float(cuts.min()), "cut", int(s[cuts.argmin()])))
            costs[i, j], kind, split = min(options)
            choices[i, j] = (kind, split)

    def suffixes(i: int, j: int) -> Suffixes | None:
        if i == j:
            return None
        kind, split = choices[i, j]
        if kind == "cut":
            return Suffixes("cut", i, split, j, suffixes(i, split), suffixes(split, j))
        first, end = i, j
        while i < j and choices[i, j][0] == kind:
            i, j = (i + 1, j) if kind == "pull" else (i, j - 1)
        if kind == "pull":
            return Suffixes("pull", first, i, end, suffixes(i, j))
        return Suffixes("push", first, j, end, suffixes(i, j))

    @cache
    def with_cuts_left(i: int, j: int) -> tuple[float, Suffixes | None]:
        """Return cost and steps of the cheapest `M(k, j)`, i <= k < j, that may stay factored."""
        best: tuple[float, Suffixes | None] = float(costs[i, j]), suffixes(i, j)
        for s in range(i + 1, j):
            saving = n[s] * (n[j] + n[i:s]) < n[j] * n[i:s]
            if not saving.any():
                continue
            joins = n[j] * n[s] * n[i:s][~saving].sum()
            own, left = with_cuts_left(i, s) if saving.all() else (float(costs[i, s]), suffixes(i, s))
            cost = float(costs[s, j]) + own + float(joins)
            if cost < best[0]:
                kept = frozenset(int(k) for k in i + np.flatnonzero(saving))
                cut = Suffixes("cut", i, s, j, left, suffixes(s, j), kept)
                best = cost, cut
        return best

    cost, steps = with_cuts_left(0, last) if factored else (float(costs[0, last]), suffixes(0, last))
    return SuffixPlan(steps, cost, _entries_at_once(chain, steps))


def _entries_at_once(chain: ChainCosts, suffixes: Suffixes | None) -> int:
    """Return the most entries an example held at once while all suffixes are formed."""
    return int(_held_by_suffixes(chain, suffixes)[1])


def _held_by_suffixes(chain: ChainCosts, suffixes: Suffixes | None) -> tuple[dict[int, float], float]:
    """Return the entries of every suffix in all its factors, by its start, and the most held at once."""
    if suffixes is None:
        return {}, 0.0
    n, start, split, stop = chain.sizes, suffixes.start, suffixes.split, suffixes.stop
    found, most = _held_by_suffixes(chain, suffixes.inner)
    if suffixes.kind == "pull":
        for k in range(split - 1, start - 1, -1):
            held = sum(found.values()) + (n[stop] * n[stop] if k + 1 == stop else 0)
            found[k] = n[stop] * n[k]
            most = max(most, held + n[stop] * chain.factors[k].interior + found[k])
    elif suffixes.kind == "push":
        for k in range(split, stop):
            pushed = {position: n[k + 1] * n[position] for position in found}
            held = sum(found.values()) + sum(pushed.values())
            found = pushed | {k: n[k + 1] * n[k]}
            # Of the identity, too, every example gets its own rows.
            most = max(most, held + n[k] * (n[k] + chain.factors[k].interior) + found[k])
    else:
        behind, most_behind = _held_by_suffixes(chain, suffixes.behind)
        held = sum(found.values())
        most = max(most, held + most_behind)
        joined = {k: n[stop] * n[k] for k in found if k not in suffixes.factored}
        most = max(most, held + sum(behind.values()) + sum(joined.values()))
        # The matrix behind the cut is one for all, and counted where it starts.
        found = {**found, **joined, **behind}
    return found, most
