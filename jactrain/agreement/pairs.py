"""Every mode against every other, at one point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from jactrain.agreement.compare import Comparison, Verdict, compare
from jactrain.agreement.estimates import DRAWS, judge
from jactrain.agreement.reference import reason_of, require_form
from jactrain.agreement.tolerance import Tolerance, Uncertainty
from jactrain.arrays import Array
from jactrain.errors import ShapeError, UsageError
from jactrain.layers.base import Product
from jactrain.modes.base import Exactness, GradientResult, Mode
from jactrain.objective import Batch, Objective

# How much slower than the first mode's a multiply-add of others is at most; a guess to skip by.
_SLOWER_VALUES, _SLOWER_PRODUCTS = 20.0, 3.0


@dataclass(frozen=True)
class Pair:
    """A mode compared with another; without a comparison, the reason says why there is none."""

    mode: str
    reference: str
    verdict: Verdict
    reason: str
    comparison: Comparison | None = None

    @property
    def excess(self) -> float:
        """How many times the allowed difference the whole vectors differ by."""
        whole = None if self.comparison is None else self.comparison.whole
        if whole is None or whole.relative_error is None or not whole.allowed:
            return 0.0
        return whole.relative_error / whole.allowed

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        figures = {} if self.comparison is None else self.comparison.as_json()
        return {
            **figures,
            "mode": self.mode,
            "reference": self.reference,
            "verdict": self.verdict.value,
            "reason": self.reason,
        }


class _Computed(NamedTuple):
    mode: Mode
    result: GradientResult
    uncertainty: Uncertainty


def compare_pairs(
    objective: Objective,
    parameters: Array,
    batch: Batch,
    modes: Sequence[Mode],
    rng: np.random.Generator,
    budget: float,
) -> list[Pair]:
    """Return the comparisons of all modes that are no estimators, and of estimators with the first of those.

    Modes that cannot run, or are predicted to take more than `budget` seconds, come first, with the reason.
    """
    tolerance = Tolerance(objective, parameters, batch, rng)
    computed: list[_Computed] = []
    failed: list[Pair] = []
    estimators: list[Mode] = []
    second = 0.0  # for one multiply-add of the first mode
    for mode in modes:
        try:
            plan = mode.prepare(objective, batch.examples, parameters.dtype)
            seconds = second * _slower(mode) * plan.multiply_adds
            if seconds > budget or budget == 0:
                reason = f"predicted to take about {seconds:.2g} s, over the budget of {budget:g} s"
                failed.append(Pair(mode.label, "", Verdict.SKIPPED, reason))
            elif mode.exactness in (Exactness.UNBIASED, Exactness.BIASED):
                estimators.append(mode)
            else:
                start = perf_counter()
                with np.errstate(all="ignore"):  # what overflows is judged, not warned of
                    result = mode.value_and_gradient(objective, parameters, batch, plan, rng)
                    require_form(result, parameters)
                    second = second or (perf_counter() - start) / max(1, plan.multiply_adds)
                    computed.append(_Computed(mode, result, tolerance.of(mode, result)))
        except UsageError as error:  # it cannot run on this network, and says why
            verdict = Verdict.FAILED if isinstance(error, ShapeError) else Verdict.SKIPPED
            failed.append(Pair(mode.label, "", verdict, str(error)))
        except Exception as error:  # whatever a rule from elsewhere raises is what was found
            failed.append(Pair(mode.label, "", Verdict.FAILED, f"raised {reason_of(error)}"))
    pairs = [_pair(one, other, objective) for other, one in combinations(computed, 2)]
    if computed:
        reference = computed[0]
        for mode in estimators:
            try:
                pairs.append(_estimated(mode, reference, tolerance, objective, parameters, batch, rng))
            except Exception as error:  # as above
                failed.append(Pair(mode.label, "", Verdict.FAILED, f"raised {reason_of(error)}"))
    return [*failed, *sorted(pairs, key=lambda pair: list(Verdict).index(pair.verdict))]


def _slower(mode: Mode) -> float:
    """Return how many multiply-adds of the first mode one of this mode's may take, draws included."""
    if mode.exactness is Exactness.UNBIASED:
        return DRAWS * _SLOWER_PRODUCTS
    return _SLOWER_VALUES if mode.uses == {Product.FORWARD} else _SLOWER_PRODUCTS


def _pair(one: _Computed, other: _Computed, objective: Objective) -> Pair:
    uncertainty = one.uncertainty.with_other(other.uncertainty)
    layout = objective.network.layout
    comparison = compare(one.result.gradient, other.result.gradient, layout, uncertainty)
    verdict = comparison.verdict or Verdict.UNDECIDED
    return Pair(one.mode.label, other.mode.label, verdict, comparison.reason, comparison)


def _estimated(
    mode: Mode,
    reference: _Computed,
    tolerance: Tolerance,
    objective: Objective,
    parameters: Array,
    batch: Batch,
    rng: np.random.Generator,
) -> Pair:
    rounding = reference.uncertainty.entries + tolerance.of_draws(mode)
    with np.errstate(all="ignore"):
        comparison, _ = judge(mode, objective, parameters, batch, reference.result.gradient, rounding, rng)
    verdict = comparison.verdict or Verdict.UNDECIDED
    return Pair(mode.label, reference.mode.label, verdict, comparison.reason, comparison)
