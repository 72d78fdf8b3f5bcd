"""What planning one product of local Jacobians and planning all suffixes have in common.

Positions 0..l lie in front of, between and behind the l factors of a chain, where arrays have `n_0 .. n_l`
entries; `M(i, j) = A_j ⋯ A_{i+1}` maps position i to j. All costs are multiply-adds an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, TypeAlias

import numpy as np

from jactrain.arrays import Array
from jactrain.jacobian.chain import Factor

Order: TypeAlias = Literal["reverse", "forward", "mixed"]


class ChainCosts:
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


def nested(names: Sequence[str], inner: str, pulled: bool = False) -> str:
    """Return `A3 (A2 (A1))`-like brackets: `names` outermost first around `inner`; mirrored if `pulled`."""
    text = inner
    for name in reversed(names):
        if not text:
            text = name
        else:
            bracketed = f"({text})" if " " in text else text
            text = f"{bracketed} {name}" if pulled else f"{name} {bracketed}"
    return text
