"""What a law found: two sides judged, the worse of several places, and what would be caught."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jactrain.agreement.compare import Verdict
from jactrain.agreement.derivative import norm_of
from jactrain.agreement.reference import reason_of
from jactrain.agreement.sides import Sides
from jactrain.errors import ShapeError


@dataclass(frozen=True)
class Finding:
    """What one law found of one product of a layer, at the place where it looked worst.

    error, allowed: relative L2, None where undefined or without bound; part: the parameter concerned, if
    one is; value, reference: both sides of the entry that differs most; advice: what to do about it, if that
    is known.
    """

    layer: str
    product: str
    law: str
    error: float | None
    allowed: float | None
    reason: str
    verdict: Verdict
    part: str = ""
    value: float | None = None
    reference: float | None = None
    advice: str = ""

    @property
    def excess(self) -> float:
        """How many times the allowed difference they differ by."""
        if self.error is None or not self.allowed:
            return 0.0 if self.error in (None, 0.0) else math.inf
        return self.error / self.allowed

    def as_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Sensitivity:
    """The smallest relative error that is caught when planted in one product; None if none up to 1 is."""

    layer: str
    product: str
    smallest_caught: float | None

    def as_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return asdict(self)


def judged(layer: str, sides: Sides) -> Finding:
    """Return what both sides of a law say about a layer."""
    got, expected = (np.asarray(side, np.float64) for side in (sides.got, sides.expected))
    if got.shape != expected.shape:
        reason = f"gives {got.shape}, not {expected.shape}"
        return Finding(layer, sides.product, sides.law, None, None, reason, Verdict.DISAGREE, sides.part)
    if sides.apart is not None:
        got, expected = np.where(sides.apart, 0, got), np.where(sides.apart, 0, expected)
    difference = abs(got - expected)
    at = int(np.argmax(np.where(np.isfinite(difference), difference, np.inf)))
    value, reference = float(got.flat[at]), float(expected.flat[at])
    error, length = norm_of(difference), norm_of(expected)
    verdict, reason = Verdict.of(error, sides.allowed, length), sides.reason
    if not np.isfinite(expected).all():
        verdict, reason = Verdict.UNDECIDED, "what it is compared with is not finite here"
    elif verdict is Verdict.UNDECIDED:
        reason = "it is zero here" if length == 0 else f"{reason}, is no smaller than what is compared"
    return Finding(
        layer,
        sides.product,
        sides.law,
        _ratio(error, length),
        _ratio(sides.allowed, length),
        reason,
        verdict,
        sides.part,
        value if math.isfinite(value) else None,
        reference if math.isfinite(reference) else None,
        sides.advice if verdict is Verdict.DISAGREE else "",
    )


def broken(layer: str, product: str, error: Exception) -> Finding:
    """Return what is found of a rule that raises, or gives arrays of another form."""
    reason = str(error) if isinstance(error, ShapeError) else f"raised {reason_of(error)}"
    return Finding(layer, product, "runs", None, None, reason, Verdict.DISAGREE)


def worst_of(findings: list[Finding]) -> Finding:
    """Return the worst of the findings of one law: a place that decides nothing says nothing."""
    deciding = [finding for finding in findings if finding.verdict is not Verdict.UNDECIDED]
    return min(deciding or findings, key=rank)


def rank(finding: Finding) -> tuple[int, float]:
    """Return what findings are sorted by, the worst first."""
    return list(Verdict).index(finding.verdict), -finding.excess


def _ratio(numerator: float, denominator: float) -> float | None:
    ratio = numerator / denominator if denominator > 0 else math.inf
    if numerator == 0:
        return 0.0
    return ratio if math.isfinite(ratio) else None
