"""Labels placed where they cover neither each other nor what they name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jactrain.report.drawings.base import MUTED, settle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas
    from matplotlib.transforms import Bbox

_GAP = 3.0  # points between labels
# Places to try around a point, nearest first: offsets in points, and how the text is aligned to them.
_PLACES = tuple(
    (dx * reach, dy * reach, horizontal, vertical)
    for reach in (1, 1.5)
    for dx, dy, horizontal, vertical in (
        (7, 0, "left", "center"),
        (-7, 0, "right", "center"),
        (0, 7, "center", "bottom"),
        (0, -7, "center", "top"),
        (5, 6, "left", "bottom"),
        (5, -6, "left", "top"),
        (-5, 6, "right", "bottom"),
        (-5, -6, "right", "top"),
    )
)


def _renderer(canvas: Canvas) -> Any:
    """Return what measures texts on `canvas`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn: Any = FigureCanvasAgg(canvas)
    return drawn.get_renderer()


def spread(wanted: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Return positions near `wanted`, in its order, with room for `sizes`, between `low` and `high`.

    Where all of them do not fit between the limits they reach above `high`.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    found = [0.0] * len(wanted)
    floor = low
    for index in order:
        found[index] = max(wanted[index], floor + sizes[index] / 2)
        floor = found[index] + sizes[index] / 2
    ceiling = max(high, low + sum(sizes))
    for index in reversed(order):
        found[index] = min(found[index], ceiling - sizes[index] / 2)
        ceiling = found[index] - sizes[index] / 2
    return found


def label_ends(
    canvas: Canvas,
    axes: Axes,
    texts: Sequence[str],
    ends: Sequence[tuple[float, float]],
    styles: Any,
    leaders: bool = True,
) -> None:
    """Write each of `texts` to the right of the axes, at the height of its line's end, with its marker.

    ends: the last point `(x, y)` of each line, in data. leaders: whether dotted lines lead there. The axes
    give up the room that the texts need.
    """
    if not texts:
        return
    artists = [axes.text(0, 0, text, fontsize=8.5, in_layout=False, linespacing=1.05) for text in texts]
    renderer = _renderer(canvas)
    boxes = [artist.get_window_extent(renderer) for artist in artists]
    width = max(box.width for box in boxes) + 26 * canvas.dpi / 72
    layout: Any = canvas.get_layout_engine()
    layout.set(rect=(0, 0, 1 - width / canvas.bbox.width, 1))
    settle(canvas)
    frame = axes.get_window_extent(renderer)
    wanted = [float(axes.transData.transform(end)[1]) for end in ends]
    sizes = [box.height + _GAP * canvas.dpi / 72 for box in boxes]
    heights = spread(wanted, sizes, frame.y0, frame.y1)
    to_axes = axes.transAxes.inverted()
    point = canvas.dpi / 72
    for artist, end, height, style in zip(artists, ends, heights, styles, strict=True):
        if leaders:
            last = axes.transData.transform(end)
            bend = to_axes.transform((frame.x1 + 10 * point, height))
            start = to_axes.transform((min(last[0] + 3 * point, frame.x1 + 2 * point), last[1]))
            axes.plot(
                [start[0], bend[0]],
                [start[1], bend[1]],
                color=MUTED,
                linewidth=0.8,
                linestyle=(0, (1, 2)),
                transform=axes.transAxes,
                clip_on=False,
            )
        at = to_axes.transform((frame.x1 + 14 * point, height))
        axes.plot(
            [at[0]],
            [at[1]],
            color=style["color"],
            marker=style["marker"],
            linestyle="none",
            transform=axes.transAxes,
            clip_on=False,
        )
        artist.set_transform(axes.transAxes)
        left, middle = to_axes.transform((frame.x1 + 21 * point, height))
        artist.set_position((float(left), float(middle)))
        artist.set_verticalalignment("center")


def label_points(
    canvas: Canvas, axes: Axes, texts: Sequence[str], points: Sequence[tuple[float, float]], styles: Any
) -> None:
    """Write each of `texts` beside its point, at a place that is free and near to no other point.

    Where one of them finds none, all of them stand to the right of the axes, each with its marker.
    """
    layout: Any = canvas.get_layout_engine()
    layout.execute(canvas)
    renderer = _renderer(canvas)
    point = canvas.dpi / 72
    at = [(float(x), float(y)) for x, y in map(axes.transData.transform, points)]
    half = 5 * point
    taken = [_box(x - half, y - half, x + half, y + half) for x, y in at]
    frame = axes.get_window_extent(renderer)
    chosen = []
    for text, own in zip(texts, at, strict=True):
        artist = axes.text(0, 0, text, fontsize=8.5, in_layout=False, linespacing=1.05)
        size = artist.get_window_extent(renderer)
        artist.remove()
        for place in _PLACES:
            box = _beside(own, size, place, point)
            if not (_outside(box, frame) or any(map(box.overlaps, taken)) or _is_ambiguous(box, own, at)):
                taken.append(box)
                chosen.append(place)
                break
        else:
            label_ends(canvas, axes, texts, points, styles, leaders=False)
            return
    for text, end, (dx, dy, horizontal, vertical) in zip(texts, points, chosen, strict=True):
        axes.annotate(
            text,
            end,
            (dx, dy),
            textcoords="offset points",
            ha=horizontal,
            va=vertical,
            fontsize=8.5,
            in_layout=False,
            linespacing=1.05,
        )


# Where the point lies that a text is aligned to, as a share of its box from the left or from below.
_SHARES = {"left": 0.0, "center": 0.5, "right": 1.0, "bottom": 0.0, "top": 1.0}


def _beside(own: tuple[float, float], size: Bbox, place: tuple[float, float, str, str], point: float) -> Bbox:
    """Return the box of a text of this size at a place beside a point, `point` pixels a typographic one."""
    dx, dy, horizontal, vertical = place
    left = own[0] + dx * point - _SHARES[horizontal] * size.width
    bottom = own[1] + dy * point - _SHARES[vertical] * size.height
    return _box(left, bottom, left + size.width, bottom + size.height)


def _box(left: float, bottom: float, right: float, top: float) -> Bbox:
    from matplotlib.transforms import Bbox

    return Bbox.from_extents(left, bottom, right, top)


def _is_ambiguous(box: Bbox, own: tuple[float, float], points: Sequence[tuple[float, float]]) -> bool:
    """Tell whether a text in `box` might as well name another of `points` as its `own`."""
    limit = 1.5 * _distance(box, own)
    return any(_distance(box, point) < limit for point in points if point != own)


def _distance(box: Bbox, point: tuple[float, float]) -> float:
    across = max(box.x0 - point[0], 0.0, point[0] - box.x1)
    up = max(box.y0 - point[1], 0.0, point[1] - box.y1)
    return math.hypot(across, up)


def _outside(box: Bbox, frame: Bbox) -> bool:
    return bool(box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1)
