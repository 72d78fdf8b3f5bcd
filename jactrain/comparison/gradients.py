"""Every mode's gradient of one batch, beside the reference's: how far apart, and what each takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from jactrain.agreement.compare import Comparison, Verdict, compare
from jactrain.agreement.estimates import DRAWS
from jactrain.agreement.estimates import judge as judge_draws
from jactrain.agreement.reference import distinct, reason_of, reference_of
from jactrain.agreement.tolerance import Tolerance
from jactrain.arrays import Array
from jactrain.comparison.estimators import mode_generator
from jactrain.comparison.measure import measure_side_by_side
from jactrain.comparison.measured import Measured, NotMeasured, verdict_on
from jactrain.modes.base import Exactness, Mode
from jactrain.objective import Batch, Objective
from jactrain.training.experiment import generators


@dataclass(frozen=True)
class Unknown:
    """A mode that was asked for and does not exist, by the text that it was asked for with."""

    label: str
    reason: str


@dataclass(frozen=True)
class Row:
    """One mode: what was found of its gradient, and what it took."""

    mode: str
    exactness: str
    verdict: Verdict | Literal["reference"]
    reason: str
    comparison: Comparison | None = None
    took: Measured | NotMeasured | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the row of comparison.json."""
        figures = {} if self.comparison is None else self.comparison.as_json()
        blocks = figures.pop("blocks", {})
        took = self.took or NotMeasured(Verdict.SKIPPED, self.reason)
        return {
            "mode": self.mode,
            "exactness": self.exactness,
            **dict.fromkeys(("relative_error", "cosine", "norm_ratio", "allowed", "worst")),
            "kinked": 0,
            **figures,
            "verdict": str(self.verdict),
            "reason": self.reason,
            **took.as_json(),
            "blocks": [{"parameter": name, **block} for name, block in blocks.items()],
        }


def compare_gradients(
    modes: Sequence[Mode | Unknown],
    configured: Mode,
    objective: Objective,
    parameters: Array,
    batch: Batch,
    seed: int,
    budget_seconds: float,
) -> tuple[Mode, list[Row]]:
    """Return the reference, which comes first, and a row for it and each of `modes`.

    configured: the reference, if it is exact; else reverse is. budget_seconds: each mode's; one that is
    predicted to take more for a gradient is skipped, and estimators are drawn as often as it allows.
    Raises UsageError for a network that no exact mode can differentiate.
    """
    reference = reference_of(configured, objective, batch.examples, parameters.dtype)
    known = distinct([reference, *(mode for mode in modes if isinstance(mode, Mode))])
    new = partial(mode_generator, seed)
    first, *others = measure_side_by_side(known, objective, parameters, batch, new, budget_seconds)
    judge = (
        None
        if isinstance(first, NotMeasured)
        else _Judge(reference, first, objective, parameters, batch, seed)
    )
    rows = [
        _row(mode, took, reference, judge, budget_seconds)
        for mode, took in zip(known, [first, *others], strict=True)
    ]
    unknown = [
        Row(mode.label, "unknown", Verdict.SKIPPED, mode.reason)
        for mode in modes
        if isinstance(mode, Unknown)
    ]
    return reference, [*rows, *unknown]


class _Judge:
    """Compares what modes gave with what the reference did, at one point."""

    def __init__(
        self,
        reference: Mode,
        expected: Measured,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        seed: int,
    ) -> None:
        self._point = (objective, parameters, batch)
        self._seed = seed
        self._tolerance = Tolerance(*self._point, generators(seed).agreement)
        self._expected = expected.gradient
        self._uncertainty = self._tolerance.of(reference, expected.result)

    def __call__(self, mode: Mode, took: Measured, budget_seconds: float) -> Comparison:
        """Return the comparison with a verdict; estimators are drawn for `budget_seconds` at most."""
        if mode.exactness in (Exactness.UNBIASED, Exactness.BIASED):
            draws = max(10, min(DRAWS, int(budget_seconds / took.seconds.median)))
            rounding = self._uncertainty.entries + self._tolerance.of_draws(mode)
            rng = mode_generator(self._seed)
            return judge_draws(mode, *self._point, self._expected, rounding, rng, draws)[0]
        uncertainty = self._tolerance.of(mode, took.result).with_other(self._uncertainty)
        return compare(took.gradient, self._expected, self._point[0].network.layout, uncertainty)


def _row(
    mode: Mode, took: Measured | NotMeasured, reference: Mode, judge: _Judge | None, budget_seconds: float
) -> Row:
    row = partial(Row, mode.label, mode.exactness.value, took=took)
    if isinstance(took, NotMeasured):
        return row(took.verdict, took.reason)
    if judge is None:
        return row(Verdict.UNDECIDED, "the reference was not run")
    try:
        with np.errstate(all="ignore"):  # what overflows is judged, not warned of
            comparison = judge(mode, took, budget_seconds)
    except Exception as error:  # a mode or layer from elsewhere may raise anything
        return row(verdict_on(error), reason_of(error))
    if mode == reference:
        return row("reference", "what the others are compared with", comparison)
    return row(comparison.verdict or Verdict.UNDECIDED, comparison.reason, comparison)
