"""Labels placed where they cover neither each other nor what they name."""

from __future__ import annotations

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
    for reach in (1, 2, 3.4, 5)
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
    canvas: Canvas, axes: Axes, texts: Sequence[str], ends: Sequence[tuple[float, float]], styles: Any
) -> None:
    """Write each of `texts` to the right of the axes, at the height of its line's end, with its marker.

    ends: the last point `(x, y)` of each line, in data. The axes give up the room that the texts need.
    """
    if not texts:
        return
    artists = [axes.text(0, 0, text, fontsize=8.5, in_layout=False, linespacing=1.05) for text in texts]
    renderer = canvas._get_renderer()  # type: ignore[attr-defined]
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
    canvas: Canvas, axes: Axes, texts: Sequence[str], points: Sequence[tuple[float, float]]
) -> None:
    """Write each of `texts` beside its point, at the nearest place that is free and within the figure."""
    settle(canvas)
    renderer = canvas._get_renderer()  # type: ignore[attr-defined]
    point = canvas.dpi / 72
    at = [axes.transData.transform(place) for place in points]
    taken = [_box(x, y, 5 * point) for x, y in at]
    frame = axes.get_window_extent(renderer)
    for text, place in zip(texts, points, strict=True):
        best: tuple[float, Any, Bbox] | None = None
        for index, (dx, dy, horizontal, vertical) in enumerate(_PLACES):
            artist = axes.annotate(
                text,
                place,
                (dx, dy),
                textcoords="offset points",
                ha=horizontal,
                va=vertical,
                fontsize=8.5,
                in_layout=False,
                linespacing=1.05,
                arrowprops=_LEADER if index >= 8 else None,
            )
            box = artist.get_window_extent(renderer)
            cost = sum(_shared(box, other) for other in taken) + 4 * _outside(box, frame)
            if best is None or cost < best[0]:
                if best is not None:
                    best[1].remove()
                best = (cost, artist, box)
            else:
                artist.remove()
            if cost == 0:
                break
        if best is not None:
            taken.append(best[2])


_LEADER = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 4}


def _box(x: float, y: float, half: float) -> Bbox:
    from matplotlib.transforms import Bbox

    return Bbox.from_extents(x - half, y - half, x + half, y + half)


def _shared(one: Bbox, other: Bbox) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width * height if width > 0 and height > 0 else 0.0


def _outside(box: Bbox, frame: Bbox) -> float:
    return box.width * box.height - _shared(box, frame)
