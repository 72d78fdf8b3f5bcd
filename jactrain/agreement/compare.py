"""Two gradients side by side: relative error, cosine, norm ratio and the worst entry."""

from __future__ import annotations

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
    None where it is not defined: a zero norm that is divided by, or entries that are not finite.
    worst: the entry with the largest absolute difference.
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
    # Scaled to the largest entry, so that no square over- or underflows.
    finite = bool(np.isfinite(g).all() and np.isfinite(r).all())
    largest = max(float(np.abs(g).max()), float(np.abs(r).max())) if finite else 0.0
    scaled_g, scaled_r = (g / largest, r / largest) if largest > 0 else (g, r)
    g_norm, r_norm = np.linalg.norm(scaled_g), np.linalg.norm(scaled_r)
    difference = np.linalg.norm(scaled_g - scaled_r)
    worst = int(np.argmax(np.abs(g - r))) if finite else int(np.argmin(np.isfinite(g) & np.isfinite(r)))
    name, index = layout.locate(offset + worst)
    return Agreement(
        relative_error=_ratio(difference, r_norm) if finite and largest > 0 else (0.0 if finite else None),
        cosine=_cosine(scaled_g, scaled_r, g_norm, r_norm) if finite else None,
        norm_ratio=_ratio(g_norm, r_norm) if finite else None,
        worst=Entry(name, index, float(g[worst]), float(r[worst])),
    )


def _cosine(g: Array, r: Array, g_norm: Any, r_norm: Any) -> float | None:
    if not (g_norm > 0 and r_norm > 0):
        return None
    return float(np.clip((g / g_norm) @ (r / r_norm), -1, 1))


def _ratio(numerator: Any, denominator: Any) -> float | None:
    return float(numerator / denominator) if denominator > 0 else None


def _plain(agreement: Agreement) -> dict[str, Any]:
    plain = asdict(agreement)
    worst = plain["worst"]
    worst["index"] = list(worst["index"])
    for key in ("value", "reference"):
        if not np.isfinite(worst[key]):
            worst[key] = None
    return plain
