"""Scatter: many points of a few kinds, and a staircase through the best of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jactrain.report.drawings.base import INK, Axis, Drawing, drawable, mark, new_figure, set_axis
from jactrain.report.drawings.lines import Values
from jactrain.report.texts import labels


@dataclass(frozen=True)
class Cloud:
    """Points of one kind, which share their colour and marker."""

    label: str
    x: Values
    y: Values
    style: int

    def points(self) -> list[tuple[float, float]]:
        """Return the points that can be drawn."""
        pairs = ((drawable(x), drawable(y)) for x, y in zip(self.x, self.y, strict=True))
        return [(x, y) for x, y in pairs if x is not None and y is not None]


@dataclass(frozen=True)
class Scatter(Drawing):
    """Clouds of points on two axes. stairs: a cloud drawn as a staircase, each value until the next."""

    x: Axis
    y: Axis
    clouds: Sequence[Cloud]
    stairs: Cloud | None = None

    def draw(self) -> Any:
        """Return the figure, its kinds named below it where there are several."""
        several = len(self.clouds) + (self.stairs is not None) > 1
        canvas, axes = new_figure(3.5 if several else 3.2)
        drawn = [cloud.points() for cloud in self.clouds]
        steps = self.stairs.points() if self.stairs is not None else []
        everything = [point for points in drawn for point in points] + steps
        across = set_axis(axes, "x", self.x, [x for x, _ in everything])
        up = set_axis(axes, "y", self.y, [y for _, y in everything])
        if steps:
            axes.plot(*zip(*steps, strict=True), color=INK, linewidth=1.2, drawstyle="steps-post",
                      label=self.stairs.label if self.stairs is not None else "")  # fmt: skip
        for cloud, points, name in zip(
            self.clouds, drawn, labels([c.label for c in self.clouds]), strict=True
        ):
            kept = [(x, y) for x, y in points if (x > 0 or not across) and (y > 0 or not up)]
            style = mark(cloud.style)
            axes.plot([x for x, _ in kept], [y for _, y in kept], linestyle="none", color=style["color"],
                      marker=style["marker"], alpha=0.8, label=name)  # fmt: skip
        if several:
            canvas.legend(
                *axes.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8.5
            )
        return canvas
