"""Two gradients side by side: relative error, cosine, norm ratio, the worst entry, and a verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from jactrain.agreement.rounding import norm
from jactrain.agreement.tolerance import Uncertainty
from jactrain.arrays import Array
from jactrain.network import Layout


class Verdict(StrEnum):
    """What a comparison found; from what matters most to what matters least."""

    DISAGREE = "disagree"  # they differ by more than is allowed
    FAILED = "failed"  # there is nothing to compare: a mode raised
    UNDECIDED = "undecided"  # what is allowed is no smaller than what is compared
    NOT_COMPARABLE = "not comparable"  # a biased estimate: only its angle means something
    AGREE = "agree"  # they differ by no more than is allowed
    SKIPPED = "skipped"  # a mode that this network does not admit, or that takes too long

    @property
    def is_wrong(self) -> bool:
        """Whether a gradient is not what it should be, or none."""
        return self in (Verdict.DISAGREE, Verdict.FAILED)

    @classmethod
    def of(cls, difference: float, allowed: float, reference: float) -> Verdict:
        """Return the verdict on a difference from what has the norm `reference`."""
        if not difference <= allowed:
            return cls.DISAGREE
        return cls.AGREE if allowed < reference else cls.UNDECIDED


@dataclass(frozen=True)
class Entry:
    """One entry of a gradient: the parameter it belongs to, its index there, and both values."""

    parameter: str
    index: tuple[int, ...]
    value: float
    reference: float


@dataclass(frozen=True)
class Agreement:
    """How a vector `g` compares with a reference `r`.

    relative_error: `‖g - r‖ / ‖r‖`; cosine: of the angle between them; norm_ratio: `‖g‖ / ‖r‖`. Each is
    None where it is not defined: a norm of zero (or next to it) that is divided by, or entries that are not
    finite. worst: the entry with the largest absolute difference, or the first that is not finite.

    allowed: the relative error that rounding, truncation or chance explain, None where that is unknown or
    without bound. kinked: entries left out of all these figures, since differences span a kink there.
    """

    relative_error: float | None
    cosine: float | None
    norm_ratio: float | None
    worst: Entry
    allowed: float | None = None
    verdict: Verdict | None = None
    kinked: int = 0


@dataclass(frozen=True)
class Comparison:
    """A gradient against a reference: over the whole vector, and over each parameter.

    `reason` says in words where the allowed difference comes from, and which parameter disagrees if one does.
    """

    whole: Agreement
    blocks: dict[str, Agreement]
    reason: str = ""

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on the whole vector, in which that on every parameter has a say."""
        return self.whole.verdict

    @property
    def is_wrong(self) -> bool:
        """Whether the mode disagrees, or failed."""
        return self.verdict is not None and self.verdict.is_wrong

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain numbers, texts, lists and mappings; never a NaN."""
        blocks = {name: _plain(agreement) for name, agreement in self.blocks.items()}
        return {**_plain(self.whole), "reason": self.reason, "blocks": blocks}


def compare(
    gradient: Array, reference: Array, layout: Layout, uncertainty: Uncertainty | None = None
) -> Comparison:
    """Return how `gradient` compares with `reference`, both `(P,)` and laid out as `layout` says.

    Everything is computed in float64, so that the comparison adds no error of its own. There are verdicts if
    the `uncertainty` of the two is given.
    """
    g, r = np.asarray(gradient, np.float64), np.asarray(reference, np.float64)
    blocks = {
        name: _agreement(g, r, layout, part, uncertainty)
        for name, part in zip(layout.names, layout.slices, strict=True)
    }
    whole = _agreement(g, r, layout, slice(0, len(g)), uncertainty)
    if uncertainty is None:
        return Comparison(whole, blocks)
    wrong = [name for name, block in blocks.items() if block.verdict is Verdict.DISAGREE]
    reason = uncertainty.reason
    lost = np.count_nonzero(~(np.isfinite(g) & np.isfinite(r)))
    if wrong:
        whole = replace(whole, verdict=Verdict.DISAGREE)
        reason = f"{listed(wrong)} off by more than {reason}"
    if lost:
        reason = f"{lost:,} of {len(g):,} entries are not finite"
    elif not g.any() and not r.any():
        reason = "the gradient is zero here, so that nothing is compared"
    return Comparison(whole, blocks, reason)


def failed(reference: Array, layout: Layout, reason: str) -> Comparison:
    """Return the comparison of a gradient that there is none of, since its mode raised."""
    nothing = compare(np.full(len(reference), np.nan), reference, layout)
    verdict = Verdict.FAILED
    blocks = {name: replace(block, verdict=verdict) for name, block in nothing.blocks.items()}
    return Comparison(replace(nothing.whole, verdict=verdict), blocks, reason)


def unjudged(comparison: Comparison, reason: str) -> Comparison:
    """Return the figures of an estimate, of which equality is not asked, with the reason."""
    verdict = Verdict.NOT_COMPARABLE
    blocks = {name: replace(block, verdict=verdict) for name, block in comparison.blocks.items()}
    return Comparison(replace(comparison.whole, verdict=verdict), blocks, reason)


def _agreement(g: Array, r: Array, layout: Layout, part: slice, uncertainty: Uncertainty | None) -> Agreement:
    """Return the figures of one part of the vectors."""
    g, r = g[part], r[part]
    finite = np.isfinite(g) & np.isfinite(r)
    if not finite.all():
        worst = _entry(g, r, int(np.argmin(finite)), layout, part.start)
        both = not np.isfinite(g[~finite]).any() and not np.isfinite(r[~finite]).any()
        verdict = Verdict.UNDECIDED if both else Verdict.DISAGREE
        return Agreement(None, None, None, worst, verdict=verdict if uncertainty else None)
    apart = uncertainty.crossings[part] > 0 if uncertainty else np.zeros(len(g), bool)
    own_g, own_r = np.where(apart, 0, g), np.where(apart, 0, r)
    # Scaled to the largest entry, so that no difference and no square overflows.
    largest = float(max(np.abs(own_g).max(), np.abs(own_r).max()))
    scaled_g, scaled_r = (own_g / largest, own_r / largest) if largest > 0 else (own_g, own_r)
    difference = scaled_g - scaled_r
    g_norm, r_norm, error = norm(scaled_g), norm(scaled_r), norm(difference)
    found = Agreement(
        relative_error=_ratio(error, r_norm) if largest > 0 else 0.0,
        cosine=_cosine(scaled_g, scaled_r, g_norm, r_norm),
        norm_ratio=_ratio(g_norm, r_norm),
        worst=_entry(g, r, int(np.argmax(np.abs(difference))), layout, part.start),
        kinked=int(apart.sum()),
    )
    if uncertainty is None:
        return found
    allowed = norm(np.where(apart, 0, uncertainty.entries[part])) / (largest or 1.0)
    return replace(found, allowed=_ratio(allowed, r_norm), verdict=Verdict.of(error, allowed, r_norm))


def _entry(g: Array, r: Array, position: int, layout: Layout, offset: int) -> Entry:
    name, index = layout.locate(offset + position)
    return Entry(name, index, float(g[position]), float(r[position]))


def _cosine(g: Array, r: Array, g_norm: float, r_norm: float) -> float | None:
    if not (g_norm > 0 and r_norm > 0):
        return None
    return float(np.clip((g / g_norm) @ (r / r_norm), -1, 1))


def _ratio(numerator: float, denominator: float) -> float | None:
    ratio = float(numerator) / float(denominator) if denominator > 0 else math.inf
    return ratio if math.isfinite(ratio) else None


def listed(names: list[str]) -> str:
    """Return a few names with their verb."""
    few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"{few} {'is' if len(names) == 1 else 'are'}"


def _plain(agreement: Agreement) -> dict[str, Any]:
    plain = asdict(agreement)
    worst = plain["worst"]
    worst["index"] = list(worst["index"])
    for key in ("value", "reference"):
        if not np.isfinite(worst[key]):
            worst[key] = None
    return plain
