"""The planner against searches that know nothing of its recursions."""

import heapq
from functools import cache
from itertools import count, pairwise
from math import inf

import numpy as np
import pytest

from jactrain.jacobian.chain import Factor
from jactrain.jacobian.product_plan import plan_product
from jactrain.jacobian.suffix_plan import plan_suffixes


def linear_chain(*sizes):
    return tuple(Factor(i, o, i * o, i * o) for i, o in pairwise(sizes))


def random_chain(rng, most=6):
    """Return 1 to `most` factors of sizes 1 to 9, with costs of their own, here and there impossible."""
    sizes = rng.integers(1, 10, rng.integers(2, most + 2))
    costs = rng.integers(1, 40, (len(sizes) - 1, 2)).astype(float)
    for position in range(len(costs)):
        if rng.random() < 0.1:
            costs[position, rng.integers(2)] = inf
    pairs = zip(sizes[:-1], sizes[1:], costs, strict=True)
    return tuple(Factor(int(i), int(o), float(jvp), float(vjp)) for i, o, (jvp, vjp) in pairs)


CHAINS = [random_chain(np.random.default_rng(seed)) for seed in range(400)]


def least_by_search(chain):
    """Return the least cost of the product, by Dijkstra's algorithm over which segments are formed.

    A state is the set of disjoint segments (i, j) whose product is there. A move forms a factor, extends a
    segment by the factor behind or in front of it, or joins two neighbours.
    """
    sizes = [chain[0].inputs, *(factor.outputs for factor in chain)]
    goal, order = frozenset({(0, len(chain))}), count()
    best, queue = {frozenset(): 0.0}, [(0.0, next(order), frozenset())]
    while queue:
        cost, _, state = heapq.heappop(queue)
        if state == goal:
            return cost
        covered = {t for i, j in state for t in range(i, j)}
        moves = []
        for t, factor in enumerate(chain):
            if t in covered:
                continue
            each = min(sizes[t] * factor.jvp, sizes[t + 1] * factor.vjp)
            moves.append((each, state | {(t, t + 1)}))
            for i, j in state:
                if j == t:
                    moves.append((sizes[i] * factor.jvp, state - {(i, j)} | {(i, t + 1)}))
                if i == t + 1:
                    moves.append((sizes[j] * factor.vjp, state - {(i, j)} | {(t, j)}))
        for i, s in state:
            for s2, j in state:
                if s == s2:
                    moves.append((sizes[i] * sizes[s] * sizes[j], state - {(i, s), (s2, j)} | {(i, j)}))
        for step, after in moves:
            if cost + step < best.get(after, inf):
                best[after] = cost + step
                heapq.heappush(queue, (cost + step, next(order), after))
    return inf


def least_suffixes_by_trying_all(chain):
    """Return the least cost of all suffixes among every tree of pulls, pushes and cuts, 25,216 for six."""
    sizes = [chain[0].inputs, *(factor.outputs for factor in chain)]

    @cache
    def trees(i, j):
        """Return the costs of all trees for all `M(k, j)`, i <= k < j."""
        if i == j:
            return np.zeros(1)
        last = chain[j - 1]
        formed = min(last.inputs * last.jvp, last.outputs * last.vjp)
        pushed = sum(sizes[k] * last.jvp for k in range(i, j - 1))
        found = [trees(i + 1, j) + sizes[j] * chain[i].vjp, trees(i, j - 1) + pushed + formed]
        for s in range(i + 1, j):
            joins = sum(sizes[j] * sizes[s] * sizes[k] for k in range(i, s))
            found.append(np.add.outer(trees(i, s), trees(s, j)).ravel() + joins)
        return np.concatenate(found)

    costs = trees(0, len(chain))
    assert len(costs) == [1, 2, 8, 48, 352, 2880, 25216][len(chain)]
    return costs.min()


@cache
def searched(position):
    return least_by_search(CHAINS[position])


@pytest.mark.parametrize("hundred", range(0, len(CHAINS), 100))
def test_the_cheapest_product_is_the_one_that_a_search_finds(hundred):
    for position in range(hundred, hundred + 100):
        assert plan_product(CHAINS[position]).multiply_adds == searched(position)


@pytest.mark.parametrize("hundred", range(0, len(CHAINS), 100))
def test_the_cheapest_suffixes_are_the_cheapest_of_all_trees(hundred):
    for chain in CHAINS[hundred : hundred + 100]:
        assert plan_suffixes(chain, factored=False).multiply_adds == least_suffixes_by_trying_all(chain)


def test_the_published_example():
    # Factors 3 to 3, 3 to 1 and 1 to 2, whose products cost 29, 14 and 7 (Naumann 2020).
    chain = (Factor(3, 3, 29, 29), Factor(3, 1, 14, 14), Factor(1, 2, 7, 7))
    assert plan_product(chain).multiply_adds == 56
    assert plan_product(chain, "forward").multiply_adds == 150
    assert plan_product(chain, "reverse").multiply_adds == 100


def test_an_autoencoder_is_cheapest_through_its_waist():
    chain = linear_chain(784, 256, 64, 8, 64, 256, 784)
    plan = plan_product(chain)
    assert plan.multiply_adds == 8_398_848
    assert plan_product(chain, "reverse").multiply_adds == 341_196_800
    assert str(plan) == "(A6 (A5 A4)) · ((A3 A2) A1)"
    assert str(plan_suffixes(chain[1:])) == "((A5 A4) A3) | (A2 A1)"


@pytest.mark.parametrize("planned", [plan_product, plan_suffixes])
def test_no_plan_is_dearer_than_forward_or_reverse(planned):
    for chain in CHAINS:
        best = planned(chain).multiply_adds
        assert best <= min(planned(chain, order).multiply_adds for order in ("forward", "reverse"))


def test_cuts_left_factored_are_never_dearer_and_never_hold_more():
    saved = 0
    for chain in CHAINS:
        joined, factored = plan_suffixes(chain, factored=False), plan_suffixes(chain)
        assert factored.multiply_adds <= joined.multiply_adds
        assert factored.entries <= joined.entries or factored.multiply_adds < joined.multiply_adds
        saved += factored.multiply_adds < joined.multiply_adds
    assert saved > 10


def test_a_bound_on_entries_is_kept_or_told():
    kept = refused = 0
    for chain in CHAINS:
        free = plan_product(chain)
        for share in (1.0, 0.8, 0.5, 0.1):
            bound = int(share * free.entries)
            plan = plan_product(chain, entries=bound)
            assert plan.multiply_adds >= free.multiply_adds
            if plan.multiply_adds < inf:
                assert plan.entries <= bound
                kept += share < 1
            refused += plan.multiply_adds == inf
    assert kept > 20
    assert refused > 20


@pytest.mark.parametrize(
    ("sizes", "brackets"),
    [((5, 1), "A1"), ((1, 5, 5), "A2 A1"), ((9, 9, 9, 1), "(A3 A2) A1"), ((1, 9, 9, 9), "A3 (A2 A1)")],
)
def test_plans_print_as_brackets(sizes, brackets):
    assert str(plan_product(linear_chain(*sizes))) == brackets


def test_an_empty_chain_has_no_suffixes():
    plan = plan_suffixes(())
    assert (plan.suffixes, plan.multiply_adds, str(plan)) == (None, 0, "I")
