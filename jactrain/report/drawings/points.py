"""Points: one figure against another, each point named beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jactrain.report.drawings.base import MUTED, Axis, Drawing, drawable, mark, new_figure, set_axis
from jactrain.report.drawings.labelling import label_points
from jactrain.report.texts import labels


class Point(NamedTuple):
    """A point and its name; an `x` of 0 stands at the left edge of a logarithmic axis."""

    label: str
    x: float
    y: float
    style: int


@dataclass(frozen=True)
class Points(Drawing):
    """Points on two axes."""

    x: Axis
    y: Axis
    points: Sequence[Point]

    def draw(self) -> Any:
        """Return the figure."""
        canvas, axes = new_figure(max(3.7, 0.26 * len(self.points)))
        drawn = [
            (point, x, y)
            for point in self.points
            if (x := drawable(point.x)) is not None and (y := drawable(point.y)) is not None
        ]
        positive = [x for _, x, _ in drawn if x > 0]
        left = 10 ** (math.floor(math.log10(min(positive))) - 1.5) if positive else 1e-17
        values = [x if x > 0 else left for _, x, _ in drawn]
        logarithmic = set_axis(axes, "x", self.x, [*values, *([10 * left] if len({*values}) == 1 else [])])
        if logarithmic and len(positive) < len(drawn):
            ticks = [tick for tick in axes.get_xticks() if tick > 20 * left]
            axes.set_xticks([left, *ticks], ["0", *(self._tick(axes, tick) for tick in ticks)])
            axes.axvline(3 * left, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
        set_axis(axes, "y", self.y, [y for _, _, y in drawn])
        for (point, _, y), x in zip(drawn, values, strict=True):
            axes.plot([x], [y], linewidth=0, markersize=8, **{**mark(point.style), "linestyle": "none"})
        names = labels([point.label for point, _, _ in drawn])
        places = [(x, y) for (_, _, y), x in zip(drawn, values, strict=True)]
        label_points(canvas, axes, names, places, [mark(point.style) for point, _, _ in drawn])
        return canvas

    @staticmethod
    def _tick(axes: Any, value: float) -> str:
        return str(axes.xaxis.get_major_formatter()(value))
