"""Heat maps: of relative errors on a logarithmic scale, or of any figure on the scale that suits it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from jactrain.report.drawings.base import WIDTH, Drawing, drawable, new_figure, tick
from jactrain.report.texts import labels, plain, shortened, shown

_WRITTEN = 12  # columns, up to which every cell's figure is written into it, to one digit from 9 on
_MOST_TICKS = 9

_MIDDLE = 0.179  # the luminance that black and white have the same contrast with


@dataclass(frozen=True)
class HeatMap(Drawing):
    """A cell for each row and column; None is left empty and marked `–`, 0 has the colour of the least.

    rows_label and columns_label name the two directions; `slanted` writes long column names at a slant.
    scale: of the shades. unit: of the figures. framed: row and column of a cell with a frame.
    """

    rows: Sequence[str]
    columns: Sequence[str]
    values: Sequence[Sequence[float | None]]
    columns_label: str
    scale_label: str
    slanted: bool = False
    rows_label: str = ""
    scale: Literal["log", "linear"] = "log"
    unit: str = "error"
    framed: tuple[int, int] | None = None

    def draw(self) -> Any:
        """Return the figure, the first row on top."""
        import numpy as np

        low, high = self._limits()
        shades = np.array([[self._shade(value, low) for value in row] for row in self.values])
        canvas, axes = new_figure(1.15 + 0.24 * len(self.rows) + (0.75 if self.slanted else 0.25))
        colours = _colours()
        image = axes.imshow(
            shades, cmap=colours, vmin=low, vmax=high, aspect="auto", interpolation="none", origin="upper"
        )
        axes.grid(visible=False)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
        axes.set_yticks(range(len(self.rows)), labels(self.rows, 30, wrapped=False), fontsize=8.5)
        if self.rows_label:
            axes.set_ylabel(shortened(self.rows_label, 30))
        self._columns(axes)
        self._figures(axes, colours, low, high)
        if self.framed is not None:
            self._frame(axes, *self.framed)
        self._scale(canvas, axes, image, low, high)
        return canvas

    def _limits(self) -> tuple[float, float]:
        """Return the ends of the scale: logarithms on a logarithmic one, whole."""
        known = [v for row in self.values for value in row if (v := drawable(value)) is not None]
        if self.scale == "linear":
            low, high = min(known, default=0.0), max(known, default=1.0)
            return (low, high) if low < high else (low - (abs(low) or 1.0), low)
        positive = [value for value in known if value > 0]
        if not positive:
            return -17, -16
        lowest = math.floor(math.log10(min(positive)))
        return lowest, max(lowest + 1, math.ceil(math.log10(max(positive))))

    @staticmethod
    def _frame(axes: Any, row: int, column: int) -> None:
        """Draw a frame around a cell, seen on light and on dark shades."""
        from matplotlib.patches import Rectangle

        for colour, width in (("#fefefe", 3.2), ("#010101", 1.4)):
            axes.add_patch(
                Rectangle(
                    (column - 0.47, row - 0.46), 0.94, 0.92, fill=False, edgecolor=colour, linewidth=width
                )
            )

    def _shade(self, value: float | None, low: float) -> float:
        known = drawable(value)
        if known is None:
            return math.nan
        if self.scale == "linear":
            return known
        return math.log10(known) if known > 0 else low

    def _columns(self, axes: Any) -> None:
        if self.slanted:
            names = labels(self.columns, 32, wrapped=False)
            axes.set_xticks(range(len(names)), names, rotation=28, ha="right", rotation_mode="anchor")
            axes.tick_params(axis="x", labelsize=8.5)
        else:
            stride = max(1, -(-len(self.columns) // _MOST_TICKS))
            kept = range(0, len(self.columns), stride)
            axes.set_xticks(list(kept), [self.columns[index] for index in kept])
        axes.set_xlabel(self.columns_label)

    def _figures(self, axes: Any, colours: Any, low: float, high: float) -> None:
        for row, values in enumerate(self.values):
            for column, value in enumerate(values):
                if value is not None and len(self.columns) > _WRITTEN:
                    continue
                if value is None:
                    axes.text(column, row, "–", ha="center", va="center", fontsize=8)
                    continue
                shade = colours((self._shade(value, low) - low) / (high - low))
                axes.text(
                    column,
                    row,
                    _written(value, len(self.columns), self.unit),
                    ha="center",
                    va="center",
                    fontsize=8 if len(self.columns) <= 6 else 6.8,
                    color="#010101" if luminance(shade) > _MIDDLE else "#fefefe",
                )

    def _scale(self, canvas: Any, axes: Any, image: Any, low: float, high: float) -> None:
        """Draw what each shade means: one strip of pixels, where matplotlib's own would be 256 paths."""
        import numpy as np

        height = canvas.get_size_inches()[1]
        strip = canvas.add_axes((0.6, 1 - 0.24 / height, 0.35, 0.11 / height), in_layout=False)
        canvas.get_layout_engine().set(rect=(0, 0, 1, 1 - 0.5 / height))
        strip.imshow(
            np.linspace(low, high, 64)[None], cmap=image.cmap, aspect="auto", interpolation="none",
            extent=(low, high, 0, 1),
        )  # fmt: skip
        strip.set_yticks([])
        strip.grid(visible=False)
        if self.scale == "linear":
            strip.set_xticks([low, high], [shown(end, self.unit) for end in (low, high)], fontsize=8)
        else:
            powers = range(int(low), int(high) + 1, max(1, -(-int(high - low) // 4)))
            strip.set_xticks(list(powers), [tick(10.0**power, "error") for power in powers], fontsize=8)
        strip.tick_params(length=2)
        for side in strip.spines.values():
            side.set_visible(False)
        canvas.text(
            0.6 - 0.08 / WIDTH, 1 - 0.19 / height, self.scale_label, ha="right", va="center", fontsize=8.5
        )


def luminance(colour: Sequence[float]) -> float:
    """Return the relative luminance of red, green and blue between 0 and 1 (WCAG 2.2)."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _written(value: float, columns: int, unit: str) -> str:
    if unit == "%" and abs(value) < 10:
        return f"{100 * value:.1f}" if columns <= 8 else f"{100 * value:.0f}"
    if unit != "error":
        return plain(value, 3 if columns <= 8 else 2)
    if value == 0 or value >= 0.1:
        return f"{value:.2g}" if value < 1000 else f"{value:.0e}"
    return f"{value:.1e}" if columns <= 8 else f"{value:.0e}"


def _colours() -> Any:
    """Return a scale whose lightness alone tells the order, nothing for what is missing."""
    from matplotlib import colormaps

    return colormaps["cividis"].with_extremes(bad=(0, 0, 0, 0))
