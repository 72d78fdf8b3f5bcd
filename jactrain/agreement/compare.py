"""Two gradients side by side: relative error, cosine, norm ratio and the worst entry."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from jactrain.arrays import Array
from jactrain.network import Layout


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
    """

    relative_error: float | None
    cosine: float | None
    norm_ratio: float | None
    worst: Entry


@dataclass(frozen=True)
class Comparison:
    """A gradient against a reference: over the whole vector, and over each parameter."""

    whole: Agreement
    blocks: dict[str, Agreement]

    def as_json(self) -> dict[str, Any]:
        """Return the figures as plain numbers, texts, lists and mappings; never a NaN."""
        blocks = {name: _plain(agreement) for name, agreement in self.blocks.items()}
        return {**_plain(self.whole), "blocks": blocks}


def compare(gradient: Array, reference: Array, layout: Layout) -> Comparison:
    """Return how `gradient` compares with `reference`, both `(P,)` and laid out as `layout` says.

    Everything is computed in float64, so that the comparison adds no error of its own.
    """
    g, r = np.asarray(gradient, np.float64), np.asarray(reference, np.float64)
    blocks = {
        name: _agreement(g[part], r[part], layout, part.start)
        for name, part in zip(layout.names, layout.slices, strict=True)
    }
    return Comparison(_agreement(g, r, layout, 0), blocks)


def _agreement(g: Array, r: Array, layout: Layout, offset: int) -> Agreement:
    finite = np.isfinite(g) & np.isfinite(r)
    if not finite.all():
        return Agreement(None, None, None, _entry(g, r, int(np.argmin(finite)), layout, offset))
    # Scaled to the largest entry, so that no difference and no square overflows.
    largest = max(np.abs(g).max(), np.abs(r).max())
    scaled_g, scaled_r = (g / largest, r / largest) if largest > 0 else (g, r)
    difference = scaled_g - scaled_r
    g_norm, r_norm = _norm(scaled_g), _norm(scaled_r)
    return Agreement(
        relative_error=_ratio(_norm(difference), r_norm) if largest > 0 else 0.0,
        cosine=_cosine(scaled_g, scaled_r, g_norm, r_norm),
        norm_ratio=_ratio(g_norm, r_norm),
        worst=_entry(g, r, int(np.argmax(np.abs(difference))), layout, offset),
    )


def _entry(g: Array, r: Array, position: int, layout: Layout, offset: int) -> Entry:
    name, index = layout.locate(offset + position)
    return Entry(name, index, float(g[position]), float(r[position]))


def _norm(v: Array) -> float:
    """Return `‖v‖`, of entries that may be so small that their squares are 0."""
    largest = float(np.abs(v).max())
    return largest * float(np.linalg.norm(v / largest)) if largest > 0 else 0.0


def _cosine(g: Array, r: Array, g_norm: float, r_norm: float) -> float | None:
    if not (g_norm > 0 and r_norm > 0):
        return None
    return float(np.clip((g / g_norm) @ (r / r_norm), -1, 1))


def _ratio(numerator: float, denominator: float) -> float | None:
    ratio = numerator / denominator if denominator > 0 else math.inf
    return ratio if math.isfinite(ratio) else None


def _plain(agreement: Agreement) -> dict[str, Any]:
    plain = asdict(agreement)
    worst = plain["worst"]
    worst["index"] = list(worst["index"])
    for key in ("value", "reference"):
        if not np.isfinite(worst[key]):
            worst[key] = None
    return plain
