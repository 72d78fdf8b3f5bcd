"""Bars: a figure for each of several rows, written at the bar's end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jactrain.report.drawings.base import (
    INK,
    MUTED,
    WIDE,
    Axis,
    Drawing,
    decades,
    drawable,
    mark,
    new_figure,
    set_axis,
    tick,
)
from jactrain.report.texts import labels, plain, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HATCHES = ("", "////", "....")


def is_wide_and_signed(values: Sequence[float]) -> bool:
    """Tell whether bars of `values` are drawn on an axis that is logarithmic to both sides of 0."""
    sizes = [abs(value) for value in values if value]
    return min(values, default=0) < 0 < max(values, default=0) and max(sizes) > WIDE * min(sizes)


@dataclass(frozen=True)
class Bars(Drawing):
    """Horizontal bars: `groups` is what is drawn for every row, by name, one value a row.

    spread: half-widths of a thin line around the end of the first group's bars, one a row.
    styles: which colour each row has. Groups after the first are hatched.
    """

    axis: Axis
    rows: Sequence[str]
    groups: dict[str, Sequence[float | None]]
    styles: Sequence[int]
    spread: Sequence[float | None] | None = None

    def draw(self) -> Any:
        """Return the figure, the first row on top."""
        count = len(self.groups)
        thick = 0.78 / count
        names = labels(self.rows)
        row = 0.35 if any("\n" in name for name in names) else 0.28
        canvas, axes = new_figure(0.75 + max(row, 0.2 * count + 0.08) * len(self.rows))
        values = [drawable(value) for group in self.groups.values() for value in group]
        logarithmic = set_axis(axes, "x", self.axis, values, most=4)
        if logarithmic:
            left, right = axes.get_xlim()
            left = min(left, min(value for value in values if value is not None and value > 0) / 3)
            axes.set_xlim(left, right * (right / left) ** 0.16)
        else:
            self._signed(axes, [value for value in values if value is not None])
        for number, (name, group) in enumerate(self.groups.items()):
            shift = (number - (count - 1) / 2) * thick
            for row, value in enumerate(group):
                self._bar(axes, row, row + shift, drawable(value), thick, number, logarithmic, name)
        if self.spread is not None:
            self._spread(axes, logarithmic)
        axes.set_yticks(range(len(self.rows)), names, fontsize=8.5, linespacing=1)
        axes.set_ylim(len(self.rows) - 0.45, -0.55)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        if count > 1:
            self._legend(canvas)
        return canvas

    def _signed(self, axes: Axes, known: list[float]) -> None:
        """Set the x axis for values that may be of both signs, logarithmic in both where they span much."""
        from matplotlib import ticker

        low, high = min([0.0, *known]), max([0.0, *known])
        if is_wide_and_signed(known):
            least = 10.0 ** math.floor(math.log10(min(abs(value) for value in known if value)))
            axes.set_xscale("symlog", linthresh=least)
            room = max(high / least, -low / least) ** 0.7
            axes.set_xlim(low * room, high * room)
            powers = decades(least * WIDE, max(high, -low), self.axis.unit, 3)
            right = [power for power in powers if power <= high][-1:]  # one a side: they stand close
            left = [-power for power in powers if power <= -low][-1:]
            axes.xaxis.set_major_locator(ticker.FixedLocator([*left, 0, *right]))
            axes.xaxis.set_minor_locator(ticker.NullLocator())
            axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: tick(value, self.axis.unit)))
        else:
            room = 0.3 * ((high - low) or 1)
            axes.set_xlim(low - (room if low < 0 else 0), high + (room if high > 0 or low == 0 else 0))
        axes.axvline(0, color=INK, linewidth=0.8)

    def _bar(
        self,
        axes: Axes,
        row: int,
        at: float,
        value: float | None,
        thick: float,
        group: int,
        logarithmic: bool,
        name: str,
    ) -> None:
        if value is None or (logarithmic and value <= 0):
            axes.annotate(
                "–" if value is None else shown(value, self.axis.unit),
                (0 if not logarithmic else axes.get_xlim()[0], at),
                (4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
            return
        colour = mark(self.styles[row])["color"]
        axes.barh(
            at,
            value,
            height=0.9 * thick,
            color=colour if group == 0 else "none",
            edgecolor=colour,
            hatch=_HATCHES[group % len(_HATCHES)] or None,
            linewidth=0.8,
        )
        half = self.spread[row] if self.spread is not None and group == 0 else None
        text = shown(value, self.axis.unit) if self.axis.unit else plain(value, 3)
        end = value + (half or 0) if value >= 0 else value - (half or 0)
        axes.annotate(
            text,
            (end, at),
            (4 if value >= 0 else -4, 0),
            textcoords="offset points",
            va="center",
            ha="left" if value >= 0 else "right",
            fontsize=8,
        )

    def _spread(self, axes: Axes, logarithmic: bool) -> None:
        first = next(iter(self.groups.values()))
        shift = -(len(self.groups) - 1) / 2 * 0.78 / len(self.groups)
        for row, (value, half) in enumerate(zip(first, self.spread or (), strict=True)):
            if value is None or not half:
                continue
            low = value - half
            if logarithmic and low <= 0:
                low = axes.get_xlim()[0]
            axes.plot([low, value + half], [row + shift] * 2, color=INK, linewidth=1.2)

    def _legend(self, canvas: Any) -> None:
        from matplotlib.patches import Patch

        handles = [
            Patch(
                facecolor=MUTED if number == 0 else "none",
                edgecolor=MUTED,
                hatch=_HATCHES[number % len(_HATCHES)] or None,
                label=name,
            )
            for number, name in enumerate(self.groups)
        ]
        canvas.legend(handles=handles, loc="outside upper right", ncols=len(handles), fontsize=8.5)
