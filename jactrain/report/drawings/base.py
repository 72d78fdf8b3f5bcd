"""What all drawings share: the style, axes with their ticks, and the way into SVG and PNG."""

from __future__ import annotations

import io
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from jactrain.report.texts import plain, seconds, shortened, shown, superscript

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

WIDTH = 5.6  # inches
INK = "#1b1d20"  # what inline drawings take from the page instead
MUTED = "#777b82"
# Every colour has a contrast of at least 3 with white and with the page in the dark; markers and line styles
# differ too, so that colour is not needed: no two of the first sixty series have both in common.
COLOURS = (
    "#2b7bd4", "#c2571a", "#238a52", "#b0489b", "#7d7f1f", "#0f8598", "#d13c46", "#7a66d0", "#7b7f86",
    "#9a6150", "#b07d00", "#c0628f", "#4c7a2e",
)  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "p", "d")
LINE_STYLES: tuple[Any, ...] = (
    "-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (7, 2, 1.5, 2)), (0, (4, 1.5, 1, 1.5, 1, 1.5)),
)  # fmt: skip

_STYLE: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.5,
    "axes.titlesize": 9.5,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": MUTED,
    "grid.alpha": 0.28,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.7,
    "lines.markersize": 5,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a name is a dollar
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "hatch.linewidth": 0.7,
    "svg.fonttype": "none",
    "svg.hashsalt": "jactrain",
    "figure.dpi": 100,
}
# A logarithmic axis is for what spans more than this factor.
WIDE = 20.0
# Beyond these, logarithms and margins leave the range of floating point.
_LEAST, _MOST = 1e-200, 1e200


@dataclass(frozen=True)
class Axis:
    """An axis: its label, the unit of its ticks (as `texts.shown` knows it) and its scale.

    scale: `auto` is logarithmic where all values are positive and span more than a factor of 20. including:
    values that a linear axis shows whatever the others are.
    """

    label: str
    unit: str = ""
    scale: Literal["auto", "linear", "log"] = "auto"
    including: tuple[float, ...] = ()

    def is_logarithmic(self, values: Iterable[float | None]) -> bool:
        """Tell whether `values` are drawn on a logarithmic axis."""
        known = [value for value in values if value is not None]
        positive = [value for value in known if value > 0]
        if self.scale != "auto":
            return self.scale == "log" and bool(positive)
        return bool(known) and min(known) > 0 and max(known) > WIDE * min(known)


class Drawing(ABC):
    """Something that can be drawn from plain values."""

    @abstractmethod
    def draw(self) -> Canvas:
        """Return the finished matplotlib figure; called within the style of all drawings."""

    def svg(self, background: str = "white") -> str:
        """Return the drawing as an SVG file, the same bytes each time; `none` lets the page through."""
        return self._saved("svg", {"Date": None, "Creator": None}, background).decode()

    def png(self) -> bytes:
        """Return the drawing as a PNG file, on white."""
        return self._saved("png", {"Software": None}, "white")

    def _saved(self, kind: str, metadata: dict[str, None], background: str) -> bytes:
        import matplotlib

        with matplotlib.rc_context(), warnings.catch_warnings():
            # Names may hold characters that the font lacks; browsers have other fonts for them.
            warnings.filterwarnings("ignore", message="Glyph ")
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(_STYLE)
            file = io.BytesIO()
            canvas = self.draw()
            settle(canvas)
            canvas.savefig(file, format=kind, metadata=metadata, dpi=200, facecolor=background)
        return file.getvalue()


def new_figure(height: float) -> tuple[Canvas, Axes]:
    """Return a figure of the common width and `height` inches, and its axes."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(WIDTH, height), layout="constrained")
    return canvas, canvas.subplots()


def settle(canvas: Canvas) -> None:
    """Lay the figure out as it is now, once and for all, which saves drawing it a second time."""
    engine = canvas.get_layout_engine()
    if engine is not None:
        engine.execute(canvas)
        canvas.set_layout_engine(None)


def drawable(value: float | None) -> float | None:
    """Return `value` if it can be drawn at all: not missing, and not so large that axes overflow."""
    if value is None or not math.isfinite(value) or abs(value) > _MOST:
        return None
    return value if abs(value) >= _LEAST else 0.0


def mark(index: int) -> dict[str, Any]:
    """Return colour, marker and line style of the series with this number."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": LINE_STYLES[index % len(LINE_STYLES)],
    }


def set_axis(
    axes: Axes, which: Literal["x", "y"], axis: Axis, values: Iterable[float | None], most: int = 5
) -> bool:
    """Scale and label one axis for `values`, with about `most` ticks; return whether it is logarithmic."""
    from matplotlib import ticker

    known = [value for value in values if value is not None]
    logarithmic = axis.is_logarithmic(known)
    target = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xlabel if which == "x" else axes.set_ylabel)(shortened(axis.label, 44))
    if logarithmic:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        positive = [value for value in known if value > 0]
        limits = enclosing(min(positive), max(positive))
        (axes.set_xlim if which == "x" else axes.set_ylim)(*limits)
        target.set_major_locator(ticker.FixedLocator(decades(*limits, axis.unit, most)))
        target.set_minor_locator(ticker.NullLocator())
    else:
        (axes.set_xlim if which == "x" else axes.set_ylim)(*around([*known, *axis.including]))
        target.set_major_locator(_locator(axis.unit, [*known, *axis.including], most))
    target.set_major_formatter(ticker.FuncFormatter(lambda value, _: tick(value, axis.unit)))
    return logarithmic


def tick(value: float, unit: str) -> str:
    """Return the text at a tick."""
    if unit == "s":
        return seconds(value) if value else "0"
    if unit == "B":
        return shown(value, "B") if value else "0"
    if unit == "%":
        return f"{100 * value:.4g} %"
    if unit == "error" and value > 0 and math.log10(value).is_integer():
        return plain(value, 1) if value == 1 else f"10{superscript(round(math.log10(value)))}"
    if value and not 1e-3 <= abs(value) < 1e5:
        return plain(value, 3)
    return f"{value:,.6g}"


def enclosing(low: float, high: float) -> tuple[float, float]:
    """Return limits a little outside of `low` and `high`, in the sense of a logarithmic axis."""
    room = max(0.06 * math.log10(high / low), 0.15)
    return 10 ** (math.log10(low) - room), 10 ** (math.log10(high) + room)


def around(values: Sequence[float]) -> tuple[float, float]:
    """Return limits a little outside of `values`, in the sense of a linear axis."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.05 * (high - low) or 0.1 * abs(high) or 0.5
    return low - room, high + room


def decades(low: float, high: float, unit: str, most: int) -> list[float]:
    """Return at most about `most` logarithmic ticks: powers of ten, or of two for bytes and sizes."""
    base = 2.0 if unit in ("B", "size") else 10.0
    first, last = math.ceil(math.log(low, base) - 1e-9), math.floor(math.log(high, base) + 1e-9)
    powers = list(range(first, last + 1))
    if base == 10 and len(powers) <= most // 2:
        for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3)):
            ticks = [step * 10.0**power for power in range(first - 1, last + 1) for step in steps]
            ticks = [value for value in ticks if low <= value <= high]
            if len(ticks) <= most:
                return ticks
    stride = max(1, math.ceil(len(powers) / most))
    return [base**power for power in powers if power % stride == 0]


def _locator(unit: str, values: list[float], most: int) -> Any:
    from matplotlib import ticker

    if unit == "B" and values and max(values) > 0:
        return ticker.MultipleLocator(2.0 ** math.ceil(math.log2(max(values) / most)))
    whole = unit == "count"
    return ticker.MaxNLocator(most, integer=whole, steps=[1, 2, 5, 10] if whole else [1, 2, 2.5, 5, 10])
