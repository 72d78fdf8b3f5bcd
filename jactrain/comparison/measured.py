"""What was found of one mode's gradient: what it took, or why it was not run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from jactrain.agreement.compare import Verdict
from jactrain.arrays import Array
from jactrain.errors import UsageError
from jactrain.linearization import Work
from jactrain.modes.base import GradientResult, Plan


class Timing(NamedTuple):
    """Seconds of one gradient: the median, the difference of the quartiles and the least of the repeats."""

    median: float
    iqr: float
    repeats: int
    least: float

    def as_json(self) -> dict[str, Any]:
        """Return the numbers by name."""
        return self._asdict()


@dataclass(frozen=True)
class Measured:
    """One mode's gradient, and what it took.

    seconds: as training pays it, recorded and played back; peak_bytes: of all arrays alive at once, as
    Python's allocator sees one unrecorded gradient; result: the first gradient, with the work counted.
    """

    plan: Plan
    predicted_seconds: float
    seconds: Timing
    peak_bytes: int
    result: GradientResult

    @property
    def gradient(self) -> Array:
        """The gradient `(P,)` of the first call, drawn from a generator that was new."""
        return self.result.gradient

    @property
    def work(self) -> Work:
        """The products applied, and the multiply-adds counted."""
        return self.result.work

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds counted."""
        return self.result.work.multiply_adds

    def as_json(self) -> dict[str, Any]:
        """Return `seconds, peak_bytes, predicted_peak_bytes, work, multiply_adds` as plain values."""
        products = asdict(self.work)
        counted = products.pop("multiply_adds")
        return {
            "seconds": self.seconds.as_json(),
            "peak_bytes": self.peak_bytes,
            "predicted_peak_bytes": self.plan.peak_bytes,
            "work": products,
            "multiply_adds": {"predicted": self.plan.multiply_adds, "counted": counted},
        }


@dataclass(frozen=True)
class NotMeasured:
    """A mode that was skipped, or failed, with the reason in words; plan: None where there could be none."""

    verdict: Verdict
    reason: str
    plan: Plan | None = None
    predicted_seconds: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the same keys as of what was measured, with what was predicted alone."""
        plan = self.plan
        return {
            "seconds": None,
            "peak_bytes": None,
            "predicted_peak_bytes": plan.peak_bytes if plan else None,
            "work": None,
            "multiply_adds": {"predicted": plan.multiply_adds if plan else None, "counted": None},
        }


def verdict_on(error: Exception) -> Verdict:
    """Return what becomes of a mode that raised: a UsageError says that the network does not admit it."""
    return Verdict.SKIPPED if isinstance(error, UsageError) else Verdict.FAILED


def too_long(what: str, predicted: float, budget: float) -> str:
    """Return why something is skipped, and what to do."""
    return (
        f"{what} is predicted to take {predicted:.3g} s, over the {budget:.3g} s that the budget has for it; "
        "raise the budget to have it run"
    )
