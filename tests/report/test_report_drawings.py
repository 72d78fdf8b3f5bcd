"""Drawings: what is drawn lies within its axes, is told apart without colour, and is seen on any paper."""

from __future__ import annotations

import itertools
import math

import pytest
from matplotlib.colors import to_rgb

from jactrain.report.drawings.bars import Bars
from jactrain.report.drawings.base import COLOURS, MUTED, Axis, decades, enclosing, mark
from jactrain.report.drawings.heat_map import HeatMap, luminance
from jactrain.report.drawings.labelling import spread
from jactrain.report.drawings.lines import Lines, Series, Upright
from jactrain.report.drawings.points import Point, Points
from jactrain.report.drawings.scatter import Cloud, Scatter
from jactrain.report.drawings.strips import Strip, Strips
from jactrain.report.page import Page

WHITE, DARK = luminance(to_rgb("#ffffff")), luminance(to_rgb("#101214"))


def contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("colour", [*COLOURS, MUTED])
def test_colours_are_seen_on_white_and_in_the_dark(colour: str) -> None:
    for paper in (WHITE, DARK):
        assert contrast(luminance(to_rgb(colour)), paper) >= 3


def test_series_are_told_apart_by_more_than_colour() -> None:
    shapes = [(mark(index)["marker"], str(mark(index)["linestyle"])) for index in range(60)]
    assert len(set(shapes)) == 60
    assert len({tuple(map(str, mark(index).values())) for index in range(180)}) == 180


@pytest.mark.parametrize("x_scale", ["linear", "log"])
@pytest.mark.parametrize("whiskers", [False, True])
def test_every_point_of_a_line_lies_within_its_axes(x_scale: str, whiskers: bool) -> None:
    series = [
        Series(f"mode {index}", [1.0, 10.0, 200.0], [0.1 * 10**index, None, 5.0], index, [0.05, None, 4.0],
               [0.2 * 10**index, None, 6.0])
        for index in range(3)
    ]  # fmt: skip
    lines = Lines(Axis("steps", "count", x_scale), Axis("loss"), series, [Upright(20, "20")], whiskers)
    canvas = lines.draw()
    (axes,) = canvas.axes
    frame = axes.get_window_extent()
    for _, points in lines.points():
        for x, *values in points:
            for y in values:
                across, up = axes.transData.transform((x, y))
                assert frame.x0 <= across <= frame.x1
                assert frame.y0 <= up <= frame.y1


def test_the_figures_of_a_comparison_have_their_points_within_their_axes(page: Page) -> None:
    lines = [figure.drawing for figure in page.figures if isinstance(figure.drawing, Lines)]
    assert len(lines) >= 8
    for drawing in lines:
        (axes,) = drawing.draw().axes
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        for _, points in drawing.points():
            assert all(left <= x <= right and bottom <= y <= top for x, y, *_ in points)


@pytest.mark.parametrize("values", [[2e-8, -4e-5, 1e-9], [3.0, -2.0, 1.0], [-1.0, -2.0], [5.0, 400.0]])
def test_bars_of_both_signs_lie_within_their_axes_and_are_seen(values: list[float]) -> None:
    canvas = Bars(Axis("x"), [str(value) for value in values], {"one": values}, range(len(values))).draw()
    (axes,) = canvas.axes
    left, right = axes.get_xlim()
    frame = axes.get_window_extent()
    bars = axes.patches
    assert len(bars) == len(values)
    for bar, value in zip(bars, values, strict=True):
        assert left < value < right
        edges = [axes.transData.transform((max(x, left), 0))[0] for x in (bar.get_x(), bar.get_x() + value)]
        assert abs(edges[1] - edges[0]) > 0.03 * frame.width


def test_what_has_no_place_on_a_logarithmic_axis_is_left_out() -> None:
    series = [Series("a", [0, 1, 2], [0.0, 1e-3, 1.0], 0), Series("b", [0, 1], [None, 0.0], 1)]
    ((kept, points),) = Lines(Axis("x"), Axis("y", "", "log"), series).points()
    assert kept.label == "a"
    assert [point[:2] for point in points] == [(1, 1e-3), (2, 1.0)]


@pytest.mark.parametrize("value", [0.0, 5e-324, 1e-250, 1e300, 1.7e308, -1e308, None])
def test_no_value_breaks_a_drawing(value: float | None) -> None:
    values = [value, 1.0, value]
    known = value or 0.0
    for drawing in (
        Lines(Axis("x"), Axis("y"), [Series("a", [0, 1, 2], values, 0), Series("b", values, [1, 2, 3], 1)]),
        Bars(Axis("x", "s"), ["a", "b", "c"], {"one": values, "two": values}, [0, 1, 2], values),
        Bars(Axis("x", "B"), ["a"], {"one": [value]}, [0]),
        Points(
            Axis("x", "error", "log"), Axis("y", "s"), [Point("a", known, 1.0, 0), Point("b", 1.0, known, 1)]
        ),
        HeatMap(["a"], ["b", "c", "d"], [values], "columns", "scale"),
        HeatMap(
            ["a"], ["b", "c", "d"], [values], "columns", "scale", scale="linear", unit="%", framed=(0, 1)
        ),
        Strips(
            Axis("x"), [Strip("a", [known, 1.0], known, value, 1.0, 0), Strip("b", [], 1.0, None, None, 1)]
        ),
        Scatter(Axis("x"), Axis("y"), [Cloud("a", [0, 1, 2], values, 0)], Cloud("b", values, [1, 2, 3], 0)),
    ):
        assert drawing.svg().rstrip().endswith("</svg>")


@pytest.mark.parametrize("count", [1, 11, 60])
def test_many_series_and_rows_are_drawn(count: int) -> None:
    names = [f"a very long name of a mode (number={index})" for index in range(count)]
    Lines(Axis("x"), Axis("y"), [Series(name, [1], [index], index) for index, name in enumerate(names)]).svg()
    Bars(Axis("x"), names, {"one": [1.0] * count}, range(count)).svg()
    HeatMap(names[:40], names, [[1e-3] * count] * len(names[:40]), "", "scale", slanted=True).svg()


def test_characters_without_a_glyph_are_drawn_without_a_word() -> None:
    assert "漢字 😀" in Bars(Axis("x"), ["漢字 😀"], {"one": [1.0]}, [0]).svg()


@pytest.mark.parametrize("unit", ["", "s", "B", "size", "error"])
def test_ticks_of_a_logarithmic_axis_are_few_and_within(unit: str) -> None:
    for low, factor in itertools.product((1e-12, 3e-4, 1.0, 7e5), (1.01, 3, 30, 1e4, 1e40)):
        limits = enclosing(low, low * factor)
        ticks = decades(*limits, unit, 5)
        assert all(limits[0] <= tick <= limits[1] for tick in ticks), (low, factor)
        assert len(ticks) <= 7, (low, factor)
        assert factor < 30 or len(ticks) >= 2, (low, factor)


CROWDED = [Point(f"a_long_name_of_mode_{index}", 1 + 0.1 * index, 1e-4, index) for index in range(8)]
APART = [Point(f"mode_{index}", 10.0**-index, 10.0**-index, index) for index in range(6)]


@pytest.mark.parametrize("points", [CROWDED + APART, APART])
def test_labels_of_points_cover_neither_each_other_nor_a_point(points: list[Point]) -> None:
    canvas = Points(Axis("error", "error", "log"), Axis("time", "s"), points).draw()
    (axes,) = canvas.axes
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == len(points)
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for x, y in (axes.transData.transform((point.x, point.y)) for point in points):
        assert not any(box.contains(x, y) for box in boxes)


def test_a_label_beside_a_point_is_nearer_to_it_than_to_any_other() -> None:
    (axes,) = Points(Axis("error", "error", "log"), Axis("time", "s"), APART).draw().axes
    at = {point.label: axes.transData.transform((point.x, point.y)) for point in APART}
    for text in axes.texts:
        box = text.get_window_extent()
        distances = {
            label: math.hypot(max(box.x0 - x, 0, x - box.x1), max(box.y0 - y, 0, y - box.y1))
            for label, (x, y) in at.items()
        }
        assert min(distances, key=lambda label: distances[label]) == text.get_text()


def test_where_points_crowd_the_labels_stand_beside_the_axes() -> None:
    (axes,) = Points(Axis("error", "error", "log"), Axis("time", "s"), CROWDED).draw().axes
    right = axes.get_window_extent().x1
    assert all(text.get_window_extent().x0 > right for text in axes.texts)


def test_a_linear_axis_shows_what_it_is_to_include() -> None:
    series = [Series("a", [0, 1], [0.99, 1.01], 0)]
    (axes,) = Lines(Axis("x"), Axis("y", "", "linear", (0.0, 4.0)), series).draw().axes
    low, high = axes.get_ylim()
    assert low <= 0
    assert high >= 4


def test_labels_are_spread_so_that_none_covers_another() -> None:
    found = spread([5, 5, 5, 90], [10, 10, 10, 10], 0, 100)
    ordered = sorted(found)
    assert all(later - one >= 10 - 1e-9 for one, later in itertools.pairwise(ordered))
    assert found[3] == 90
    assert min(found) >= 5
    assert max(spread([50] * 20, [10] * 20, 0, 100)) <= 195


def test_a_heat_map_on_a_linear_scale_goes_from_the_least_to_the_largest_and_frames_a_cell() -> None:
    drawing = HeatMap(
        ["a", "b"], ["c", "d"], [[0.5, 0.75], [1.0, None]], "columns", "scale", rows_label="rows",
        scale="linear", unit="%", framed=(1, 0),
    )  # fmt: skip
    axes = drawing.draw().axes[0]
    (image,) = axes.images
    assert image.get_clim() == (0.5, 1.0)
    assert image.get_array().tolist()[0] == [0.5, 0.75]
    assert [text.get_text() for text in axes.texts] == ["50.0", "75.0", "100.0", "–"]
    assert axes.get_ylabel() == "rows"
    assert {tuple(patch.get_xy()) for patch in axes.patches} == {(-0.47, 0.54)}
    for text in axes.texts[:3]:
        shade = image.cmap(image.norm({"50.0": 0.5, "75.0": 0.75, "100.0": 1.0}[text.get_text()]))
        assert contrast(luminance(to_rgb(text.get_color())), luminance(shade)) >= 4.5


LONG = ["random_forward(directions=64) · learning_rate=0.003 · units=128", "a · b", "c" * 40]


@pytest.mark.parametrize("count", [2, 10])
def test_the_names_of_lines_stay_within_the_figure_however_long(count: int) -> None:
    series = [Series(LONG[0].replace("64", str(index)), [1, 2], [1.0, 2.0], index) for index in range(count)]
    canvas = Lines(Axis("x"), Axis("y"), series).draw()
    boxes = [text.get_window_extent() for text in canvas.axes[0].texts]
    assert len(boxes) == count
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    assert max(box.y1 for box in boxes) <= canvas.bbox.y1
    assert max(box.x1 for box in boxes) <= canvas.bbox.x1


def test_strips_have_a_row_for_each_setting_whose_names_do_not_touch() -> None:
    strips = [Strip(name, [1.0, 2.0], 1.5, 1.0, 2.0, index) for index, name in enumerate(LONG * 5)]
    canvas = Strips(Axis("loss"), strips).draw()
    (axes,) = canvas.axes
    canvas.draw_without_rendering()
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert len(boxes) == 15
    for one, later in itertools.pairwise(boxes):
        assert later.y1 <= one.y0 + 1
    assert min(box.x0 for box in boxes) >= 0


def test_the_spread_of_positive_figures_may_reach_below_zero_on_a_logarithmic_axis() -> None:
    strips = [Strip("a", [1e-3, 1.0], 0.5, -0.2, 1.2, 0), Strip("b", [1e-2], 1e-2, None, None, 1)]
    (axes,) = Strips(Axis("loss"), strips).draw().axes
    assert axes.get_xscale() == "log"
    assert axes.get_xlim()[0] <= 1e-3
    assert axes.get_xlim()[1] >= 1.2


def test_a_staircase_goes_on_with_the_best_and_every_point_is_within_the_axes() -> None:
    drawing = Scatter(
        Axis("trial", "count", "linear"), Axis("loss"),
        [Cloud("finished", [1, 2, 3], [1.0, 0.5, 0.7], 0), Cloud("pruned", [4], [30.0], 1)],
        Cloud("best", [1, 2, 3, 4], [1.0, 0.5, 0.5, 0.5], 0),
    )  # fmt: skip
    canvas = drawing.draw()
    (axes,) = canvas.axes
    assert axes.lines[0].get_drawstyle() == "steps-post"
    assert [text.get_text() for text in canvas.legends[0].get_texts()] == ["best", "finished", "pruned"]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for cloud in drawing.clouds:
        assert all(left <= x <= right and bottom <= y <= top for x, y in cloud.points())


def test_the_figures_in_a_heat_map_are_black_or_white_as_can_be_read() -> None:
    canvas = HeatMap(["a"], list("bcdef"), [[0.0, 1e-8, 1e-5, None, 1e-2]], "", "scale").draw()
    texts = [text for text in canvas.axes[0].texts if text.get_text() not in ("", "–")]
    assert [text.get_text() for text in texts] == ["0", "1.0e-08", "1.0e-05", "1.0e-02"]
    colours = canvas.axes[0].images[0].cmap
    for text, share in zip(texts, (0.0, 0.0, 0.5, 1.0), strict=True):
        assert contrast(luminance(to_rgb(text.get_color())), luminance(colours(share))) >= 4.5
