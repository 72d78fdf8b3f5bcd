"""The cheapest bracketing of one product of Jacobians, in the notation of planning.py (docs/modes.md)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import inf

import numpy as np

from jactrain.jacobian.chain import Factor
from jactrain.jacobian.planning import ChainCosts, Order, nested


@dataclass(frozen=True)
class Bracket:
    """How `M(start, stop)` is formed: `left` `M(split, stop)` times `right` `M(start, split)`.

    Where one of them is None it is not formed: without `left`, the columns of `right`, or of the identity,
    are pushed through the factors behind `split` as tangents; without `right`, the rows of `left`, or of the
    identity, are pulled through those in front as cotangents.
    """

    start: int
    split: int
    stop: int
    left: Bracket | None = None
    right: Bracket | None = None

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
            return nested([f"A{t}" for t in range(self.stop, self.split, -1)], inner)
        inner = "" if self.left is None else str(self.left)
        return nested([f"A{t}" for t in range(self.start + 1, self.split + 1)], inner, pulled=True)


@dataclass(frozen=True)
class ProductPlan:
    """How to form one product, the multiply-adds that takes, and the most numbers held, an example."""

    bracket: Bracket
    multiply_adds: float
    entries: int

    def __str__(self) -> str:
        """Return the brackets."""
        return str(self.bracket)


@lru_cache(maxsize=64)
def plan_product(
    factors: tuple[Factor, ...], order: Order = "mixed", entries: int | None = None
) -> ProductPlan:
    """Return the plan of `M(0, l)`: by tangents alone, by cotangents alone, or the cheapest of all.

    The cheapest `C(i, j)` is the least over s of *multiplying*, `C(i, s) + C(s, j) + n_i n_s n_j`, *pushing*,
    `C(i, s) + n_i Σ_{t>s} j_t`, and *pulling*, `C(s, j) + n_j Σ_{t<=s} v_t` (Naumann 2020).

    entries: a bound on the numbers an example held at once; where no plan keeps it, multiply_adds is inf.
    """
    chain = ChainCosts(factors)
    last = len(factors)
    if order == "mixed":
        return _cheapest_within(chain, entries)
    forward = order == "forward"
    cost = chain.sizes[0] * chain.pushes[0, last] if forward else chain.sizes[last] * chain.pulls[0, last]
    bracket = Bracket(0, 0 if forward else last, last)
    held = _held(chain, bracket)
    return ProductPlan(bracket, float(cost) if entries is None or held <= entries else inf, held)


def _cheapest_within(chain: ChainCosts, entries: int | None) -> ProductPlan:
    """Return the cheapest plan whose steps, each for itself, hold at most a share of `entries`.

    What is held for later steps comes on top, so the share is lowered until the whole keeps the bound.
    """
    last = len(chain.factors)
    if entries is None:
        cost, bracket = _cheapest(chain, inf)
        return ProductPlan(bracket, cost, _held(chain, bracket))
    for share in (1, 0.8, 0.6, 0.5, 0.4, 0.3):
        cost, bracket = _cheapest(chain, share * entries)
        held = _held(chain, bracket)
        if cost < inf and held <= entries:
            return ProductPlan(bracket, cost, held)
    pure = [Bracket(0, split, last) for split in (0, last)]
    held, bracket = min(((_held(chain, each), each) for each in pure), key=lambda pair: pair[0])
    return ProductPlan(bracket, inf, held)


def _cheapest(chain: ChainCosts, entries: float) -> tuple[float, Bracket]:
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

    def bracket(i: int, j: int) -> Bracket:
        kind, split = choices[i, j]
        left = None if kind == "push" or split == j else bracket(split, j)
        right = None if kind == "pull" or split == i else bracket(i, split)
        return Bracket(i, split, j, left, right)

    return float(costs[0, last]), bracket(0, last)


def _held(chain: ChainCosts, bracket: Bracket | None) -> int:
    """Return the most numbers an example held at once while a product is formed."""
    if bracket is None:
        return 0
    n, i, s, j = chain.sizes, bracket.start, bracket.split, bracket.stop
    if bracket.multiplies:
        operands = n[i] * n[s] + n[s] * n[j]
        left, right = _held(chain, bracket.left), _held(chain, bracket.right)
        forming = max(left, n[s] * n[j] + right)  # as it is carried out: the left one first
        return int(max(forming, operands + n[i] * n[j]))
    if bracket.pushes:
        stacks = [n[i] * (n[t] + n[t + 1]) for t in range(s, j)]
        return int(max(_held(chain, bracket.right), *stacks))
    stacks = [n[j] * (n[t] + n[t + 1]) for t in range(i, s)]
    return int(max(_held(chain, bracket.left), *stacks))
