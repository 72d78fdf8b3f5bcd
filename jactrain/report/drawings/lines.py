"""Lines: series over a common axis, each named at its end, with bands or error bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jactrain.report.drawings.base import MUTED, Axis, Drawing, drawable, mark, new_figure, set_axis
from jactrain.report.drawings.labelling import label_ends
from jactrain.report.texts import labels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = Sequence[float | None]

_MOST_ENDS = 10  # more lines than these are named in a legend
_MOST_POINTS = 400  # of one line, and below of all lines together
_MOST_POINTS_IN_ALL = 1200
_LINE, _GAP = 0.13, 0.05  # inches that a line of a label takes, and the room between two labels
_MANY_BANDS = 5  # more bands than these are drawn fainter


@dataclass(frozen=True)
class Series:
    """One line: `x` and `y` of the same length; `low` and `high` are a band around `y`, None for none.

    style: which colour, marker and line style; a mode keeps its own through all figures of a page.
    """

    label: str
    x: Values
    y: Values
    style: int
    low: Values | None = None
    high: Values | None = None


@dataclass(frozen=True)
class Upright:
    """A thin upright line at `x`, with a few words."""

    x: float
    label: str


@dataclass(frozen=True)
class Lines(Drawing):
    """Series over one x axis. `whiskers` draws `low` and `high` as error bars rather than as a band."""

    x: Axis
    y: Axis
    series: Sequence[Series]
    uprights: Sequence[Upright] = ()
    whiskers: bool = False

    def points(self) -> list[tuple[Series, list[tuple[float, float, float, float]]]]:
        """Return the series that have points to draw, with `(x, y, low, high)` of each point."""
        horizontal = self.x.is_logarithmic(_known(x for one in self.series for x in one.x))
        vertical = self.y.is_logarithmic(_known(y for one in self.series for y in one.y))
        found = []
        for one in self.series:
            points = []
            for x, y, low, high in zip(one.x, one.y, one.low or one.y, one.high or one.y, strict=True):
                x, y = drawable(x), drawable(y)
                if x is None or y is None or (horizontal and x <= 0) or (vertical and y <= 0):
                    continue
                low, high = drawable(low), drawable(high)
                low = y if low is None or (vertical and low <= 0) else low
                points.append((x, y, low, y if high is None else high))
            if points:
                found.append((one, _thinned(points, _MOST_POINTS_IN_ALL // len(self.series))))
        return found

    def draw(self) -> Any:
        """Return the figure; whiskers of one x stand side by side."""
        from matplotlib.transforms import ScaledTranslation

        found = self.points()
        beside = len(found) <= _MOST_ENDS
        names = labels([one.label for one, _ in found])
        written = sum(name.count("\n") + 1 for name in names)
        canvas, axes = new_figure(
            max(3.3, 0.6 + _LINE * written + _GAP * len(names))
            if beside
            else 3.3 + 0.19 * -(-len(found) // 2)
        )
        everything = [point for _, points in found for point in points]
        set_axis(axes, "x", self.x, [point[0] for point in everything])
        set_axis(axes, "y", self.y, [value for point in everything for value in point[1:]])
        styles = [mark(one.style) for one, _ in found]
        for index, ((_, points), style, name) in enumerate(zip(found, styles, names, strict=True)):
            shift = 3 * (index - (len(found) - 1) / 2) if self.whiskers else 0.0
            moved = axes.transData + ScaledTranslation(shift / 72, 0, canvas.dpi_scale_trans)
            self._line(axes, points, {**style, "transform": moved}, name)
        for upright in self.uprights:
            axes.axvline(upright.x, color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)))
            axes.annotate(
                upright.label,
                (upright.x, 1),
                (0, 3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="center",
                va="bottom",
                fontsize=8,
            )
        if beside:
            label_ends(canvas, axes, names, [points[-1][:2] for _, points in found], styles)
        else:
            canvas.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
        return canvas

    def _line(
        self, axes: Axes, points: list[tuple[float, float, float, float]], style: dict[str, Any], name: str
    ) -> None:
        x, y, low, high = ([point[column] for point in points] for column in range(4))
        every = max(1, len(x) // 8)
        start = min(len(x) - 1, every // 2)
        axes.plot(x, y, markevery=(start, every), label=name.replace("\n", " "), **style)
        if low == y and high == y:
            return
        if self.whiskers:
            axes.vlines(x, low, high, colors=style["color"], linewidth=0.9, transform=style["transform"])
        else:
            alpha = 0.16 if len(self.series) <= _MANY_BANDS else 0.06
            axes.fill_between(x, low, high, color=style["color"], alpha=alpha, linewidth=0)


def _known(values: Any) -> list[float]:
    return [value for value in map(drawable, values) if value is not None]


def _thinned(points: list[Any], share: int) -> list[Any]:
    """Return about as many points as `share`, at least 40, the last among them."""
    stride = -(-len(points) // max(40, min(_MOST_POINTS, share)))
    kept = points[::stride]
    return kept if kept[-1] is points[-1] else [*kept, points[-1]]
