"""The cheapest bracketing of a product of local Jacobians, and of all its suffixes (docs/modes.md).

Positions 0..l lie in front of, between and behind the l factors of a chain, where arrays have `n_0 .. n_l`
entries; `M(i, j) = A_j ⋯ A_{i+1}` maps position i to j. All costs are multiply-adds an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import accumulate
from math import inf
from typing import Literal, TypeAlias

import numpy as np

from jactrain.arrays import Array
from jactrain.jacobian.chain import Factor

_MOST_SUFFIXES = 256  # planning all of them takes a time cubic in their number: a third of a second

Order: TypeAlias = Literal["reverse", "forward", "mixed"]


@dataclass(frozen=True)
class Product:
    """How `M(start, stop)` is formed: `left` `M(split, stop)` times `right` `M(start, split)`.

    Where one of them is None it is not formed: without `left`, the columns of `right`, or of the identity,
    are pushed through the factors behind `split` as tangents; without `right`, the rows of `left`, or of the
    identity, are pulled through those in front as cotangents.
    """

    start: int
    split: int
    stop: int
    left: Product | None = None
    right: Product | None = None

    @property
    def multiplies(self) -> bool:
        """Whether two matrices are multiplied."""
        return self.left is not None and self.right is not None

    @property
    def pushes(self) -> bool:
        """Whether tangents are pushed, rather than cotangents pulled."""
        return self.left is None and (self.right is not None or self.split == self.start)

    def __str__(self) -> str:
        """Return the brackets: `A3 (A2 A1)` is pushed, `(A3 A2) A1` is pulled, `·` multiplies matrices."""
        if self.multiplies:
            return " · ".join(
                f"({side})" if side.stop - side.start > 1 else str(side)
                for side in (self.left, self.right)
                if side
            )
        if self.pushes:
            inner = "" if self.right is None else str(self.right)
            return _nested([f"A{t}" for t in range(self.stop, self.split, -1)], inner)
        inner = "" if self.left is None else str(self.left)
        return _nested([f"A{t}" for t in range(self.start + 1, self.split + 1)], inner, pulled=True)


@dataclass(frozen=True)
class ProductPlan:
    """How to form one product, the multiply-adds that takes, and the most numbers held, an example."""

    product: Product
    multiply_adds: float
    entries: int

    def __str__(self) -> str:
        """Return the brackets."""
        return str(self.product)


@lru_cache(maxsize=64)
def plan_product(
    factors: tuple[Factor, ...], order: Order = "mixed", entries: int | None = None
) -> ProductPlan:
    """Return the plan of `M(0, l)`: by tangents alone, by cotangents alone, or the cheapest of all.

    The cheapest `C(i, j)` is the least over s of *multiplying*, `C(i, s) + C(s, j) + n_i n_s n_j`, *pushing*,
    `C(i, s) + n_i Σ_{t>s} j_t`, and *pulling*, `C(s, j) + n_j Σ_{t<=s} v_t` (Naumann 2020).

    entries: a bound on the numbers an example held at once; where no plan keeps it, multiply_adds is inf.
    """
    chain = _Chain(factors)
    last = len(factors)
    if order == "mixed":
        return _cheapest_within(chain, entries)
    forward = order == "forward"
    cost = chain.sizes[0] * chain.pushes[0, last] if forward else chain.sizes[last] * chain.pulls[0, last]
    product = Product(0, 0 if forward else last, last)
    held = _held(chain, product)
    return ProductPlan(product, float(cost) if entries is None or held <= entries else inf, held)


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
            return _nested([f"A{t}" for t in range(self.start + 1, self.split + 1)], inner, pulled=True)
        return _nested([f"A{t}" for t in range(self.stop, self.split, -1)], inner)


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
    chain, last = _Chain(factors), len(factors)
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


class _Chain:
    """Sizes, and the costs of pushing or pulling one vector from any position to any other."""

    def __init__(self, factors: Sequence[Factor]) -> None:
        self.factors = list(factors)
        self.sizes = np.array([factors[0].inputs, *(factor.outputs for factor in factors)], float)
        self.pushes = _sums([factor.jvp for factor in factors])
        self.pulls = _sums([factor.vjp for factor in factors])
        self.accumulations = [factor.accumulation for factor in factors]


def _sums(costs: Sequence[float]) -> Array:
    """Return `Σ costs[i:j]` at `[i, j]`; sums are formed one by one, as costs may be infinite."""
    table = np.zeros((len(costs) + 1, len(costs) + 1))
    for i in range(len(costs)):
        table[i, i + 1 :] = list(accumulate(costs[i:]))
    return table


# -------------------------------------------------------------------------------------------- one product


def _cheapest_within(chain: _Chain, entries: int | None) -> ProductPlan:
    """Return the cheapest plan whose steps, each for itself, hold at most a share of `entries`.

    What is held for later steps comes on top, so the share is lowered until the whole keeps the bound.
    """
    last = len(chain.factors)
    if entries is None:
        cost, product = _cheapest(chain, inf)
        return ProductPlan(product, cost, _held(chain, product))
    for share in (1, 0.8, 0.6, 0.5, 0.4, 0.3):
        cost, product = _cheapest(chain, share * entries)
        held = _held(chain, product)
        if cost < inf and held <= entries:
            return ProductPlan(product, cost, held)
    pure = [Product(0, split, last) for split in (0, last)]
    held, product = min(((_held(chain, each), each) for each in pure), key=lambda pair: pair[0])
    return ProductPlan(product, inf, held)


def _cheapest(chain: _Chain, entries: float) -> tuple[float, Product]:
    """Return cost and steps of the cheapest product whose steps hold at most `entries` numbers each."""
    n, last = chain.sizes, len(chain.factors)
    costs = np.zeros((last + 1, last + 1))
    choices: dict[tuple[int, int], tuple[str, int]] = {}
    for length in range(1, last + 1):
        for i in range(last + 1 - length):
            j = i + length
            held = n[i] * n[j] + np.where(np.arange(i, j + 1) == i, 0, n[i] * n[i : j + 1])
            pushed = np.where(held > entries, inf, costs[i, i : j + 1] + n[i] * chain.pushes[i : j + 1, j])
            pushed[-1] = inf
            held = n[i] * n[j] + np.where(np.arange(i, j + 1) == j, 0, n[j] * n[i : j + 1])
            pulled = np.where(held > entries, inf, costs[i : j + 1, j] + n[j] * chain.pulls[i, i : j + 1])
            pulled[0] = inf
            held = n[i] * n[j] + (n[i] + n[j]) * n[i : j + 1]
            joins = n[i] * n[j] * n[i : j + 1]
            joined = np.where(held > entries, inf, costs[i, i : j + 1] + costs[i : j + 1, j] + joins)
            joined[[0, -1]] = inf
            options = {"push": pushed, "pull": pulled, "multiply": joined}
            kind = min(options, key=lambda name: options[name].min())
            costs[i, j] = options[kind].min()
            # Of equals, the longest run.
            best = np.flatnonzero(options[kind] == costs[i, j])
            choices[i, j] = (kind, i + int(best[-1] if kind == "pull" else best[0]))

    def product(i: int, j: int) -> Product:
        kind, split = choices[i, j]
        left = None if kind == "push" or split == j else product(split, j)
        right = None if kind == "pull" or split == i else product(i, split)
        return Product(i, split, j, left, right)

    return float(costs[0, last]), product(0, last)


def _held(chain: _Chain, product: Product | None) -> int:
    """Return the most numbers an example held at once while a product is formed."""
    if product is None:
        return 0
    n, i, s, j = chain.sizes, product.start, product.split, product.stop
    if product.multiplies:
        operands = n[i] * n[s] + n[s] * n[j]
        left, right = _held(chain, product.left), _held(chain, product.right)
        forming = max(left, n[s] * n[j] + right)  # as it is carried out: the left one first
        return int(max(forming, operands + n[i] * n[j]))
    if product.pushes:
        stacks = [n[i] * (n[t] + n[t + 1]) for t in range(s, j)]
        return int(max(_held(chain, product.right), *stacks))
    stacks = [n[j] * (n[t] + n[t + 1]) for t in range(i, s)]
    return int(max(_held(chain, product.left), *stacks))


# ------------------------------------------------------------------------------------------- all suffixes


def _cheapest_suffixes(chain: _Chain, factored: bool) -> SuffixPlan:
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


def _entries_at_once(chain: _Chain, suffixes: Suffixes | None) -> int:
    """Return the most entries an example held at once while all suffixes are formed."""
    return int(_held_by_suffixes(chain, suffixes)[1])


def _held_by_suffixes(chain: _Chain, suffixes: Suffixes | None) -> tuple[dict[int, float], float]:
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


def _nested(names: Sequence[str], inner: str, pulled: bool = False) -> str:
    """Return `A3 (A2 (A1))`-like brackets: `names` outermost first around `inner`; mirrored if `pulled`."""
    text = inner
    for name in reversed(names):
        if not text:
            text = name
        else:
            bracketed = f"({text})" if " " in text else text
            text = f"{bracketed} {name}" if pulled else f"{name} {bracketed}"
    return text
