"""Strips: the repeats of each row as points, with their mean and spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jactrain.report.drawings.base import INK, Axis, Drawing, drawable, mark, new_figure, set_axis
from jactrain.report.texts import labels


class Strip(NamedTuple):
    """A row: each value a point, `middle` a mark, with a line from `low` to `high`; None for no line."""

    label: str
    values: Sequence[float]
    middle: float
    low: float | None
    high: float | None
    style: int


@dataclass(frozen=True)
class Strips(Drawing):
    """Rows of points on one axis, the first row on top."""

    axis: Axis
    strips: Sequence[Strip]

    def draw(self) -> Any:
        """Return the figure."""
        names = labels([strip.label for strip in self.strips], 38)
        lines = [name.count("\n") + 1 for name in names]
        heights = [0.09 + 0.125 * line for line in lines]
        canvas, axes = new_figure(0.75 + sum(max(0.24, height) for height in heights))
        everything = [v for s in self.strips for v in (*s.values, s.middle, s.low, s.high)]
        known = [v for value in everything if (v := drawable(value)) is not None]
        points = [v for s in self.strips for value in s.values if (v := drawable(value)) is not None]
        # A lower end of a spread may be negative where no value is; the axis goes by the values.
        logarithmic = self.axis.is_logarithmic(points)
        set_axis(
            axes,
            "x",
            Axis(self.axis.label, self.axis.unit, "log" if logarithmic else "linear", self.axis.including),
            [value for value in known if value > 0 or not logarithmic],
        )
        place, places = 0.0, []
        for height in heights:
            room = max(0.24, height)
            places.append(place + room / 2)
            place += room
        left = axes.get_xlim()[0]
        for strip, at in zip(self.strips, places, strict=True):
            style = mark(strip.style)
            values = [v for value in strip.values if (v := drawable(value)) is not None]
            axes.plot(values, [at] * len(values), linestyle="none", marker="o", markersize=4, alpha=0.6,
                      color=style["color"], markeredgewidth=0)  # fmt: skip
            low, high, middle = map(drawable, (strip.low, strip.high, strip.middle))
            if low is not None and high is not None:
                low = left if logarithmic and low <= 0 else low
                axes.plot([low, high], [at, at], color=INK, linewidth=1.1)
            if middle is not None:
                axes.plot([middle], [at], linestyle="none", marker=style["marker"], markersize=7,
                          color=style["color"], markeredgecolor=INK, markeredgewidth=0.7)  # fmt: skip
        axes.set_yticks(places, names, fontsize=8.5, linespacing=1)
        axes.set_ylim(place + 0.02, -0.02)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        return canvas
