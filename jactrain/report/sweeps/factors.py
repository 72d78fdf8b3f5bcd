"""What factors do to a figure: all settings side by side, lines, heat maps, and points."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations

from jactrain.report.drawings.base import WIDE, Axis
from jactrain.report.drawings.heat_map import HeatMap
from jactrain.report.drawings.lines import Lines, Series
from jactrain.report.drawings.scatter import Cloud, Scatter
from jactrain.report.drawings.strips import Strip, Strips
from jactrain.report.metric_words import capital, worded
from jactrain.report.page import Column, Figure, Table
from jactrain.report.sweeps.record import SweepRecord
from jactrain.report.sweeps.settings import (
    Ranking,
    Setting,
    Spread,
    number,
    numeric_factors,
    part,
    short_names,
    spread_of,
    value_text,
)
from jactrain.report.texts import SETTINGS_APART, called, counted, listing, shown

_SAME_COST = 1.05  # costs within this factor are the same
_MOST_STRIPS = 30
_MOST_SERIES = 8
_MOST_SIDE = 40  # rows or columns of a heat map
_MOST_MAPS = 3
_MOST_CLOUDS = 4  # figures of points, one a factor
_FAR = 8.0  # less between the least and the largest is a linear axis
_MANY_SMALL = 0.2  # the share of values below a tenth of the largest; of steps of one size it is a tenth
_FILLED = 0.5  # the share of a heat map's cells that there must be

Read = Callable[[Setting], Spread | None]


def factor_figures(sweep: SweepRecord, ranking: Ranking) -> Iterator[Figure]:
    """Yield the figures that suit the factors: what ranks the settings, and their cost."""
    having = [setting for setting in ranking.everything if setting.spread(ranking.metric) is not None]
    if len(having) < 2:
        return
    if not sweep.search:
        yield _strips(ranking, having)
    numeric = numeric_factors(sweep, having)
    pairs = [pair for pair in combinations(numeric, 2) if _is_grid(having, *pair)]
    if len(numeric) == 1 and not sweep.search:
        yield from _lines(sweep, ranking, having, numeric[0])
    for row, column in pairs[:_MOST_MAPS]:
        yield _heat_map(sweep, ranking, having, row, column)
    paired = {index for pair in pairs for index in pair}
    if sweep.search or len(numeric) > 1:
        for index in [index for index in numeric if index not in paired][:_MOST_CLOUDS]:
            yield _points(sweep, ranking, having, index)


def _score(ranking: Ranking) -> Axis:
    loss = ranking.metric.endswith("loss")
    return Axis(worded(ranking.metric), ranking.unit, "auto" if loss else "linear")


def _spread(ranking: Ranking, setting: Setting) -> Spread:
    found = setting.spread(ranking.metric)
    if found is None:  # only settings that have it come here
        raise AssertionError(setting.label)
    return found


def _strips(ranking: Ranking, having: Sequence[Setting]) -> Figure:
    shown_ones = having[:_MOST_STRIPS]
    spreads = [_spread(ranking, setting) for setting in shown_ones]
    strips = [
        Strip(
            setting.label,
            [v for cell in setting.finished if (v := cell.figures.get(ranking.metric)) is not None],
            figure.mean,
            figure.interval[0] if figure.deviation is not None else None,
            figure.interval[1] if figure.deviation is not None else None,
            style,
        )
        for style, (setting, figure) in enumerate(zip(shown_ones, spreads, strict=True))
    ]
    first, last = spreads[0], spreads[-1]
    caption = f"From {called(shown_ones[0].label)} with {first.text(ranking.unit)} to "
    caption += f"{called(shown_ones[-1].label)} with {last.text(ranking.unit)}."
    if any(figure.deviation is not None for figure in spreads):
        caption += (
            " Small points are single seeds, large ones their mean, lines a standard deviation to both sides."
        )
    behind = [setting for setting in shown_ones if any(setting is other for other in ranking.others)]
    if behind:
        caption += (
            f" {counted(len(behind), 'setting')} at the end {'is' if len(behind) == 1 else 'are'} not ranked."
        )
    if len(shown_ones) < len(having):
        caption += f" The first {len(shown_ones)} of {counted(len(having), 'setting')} are drawn."
    axis = _score(ranking)
    table = Table(
        [Column("setting"), Column("seed"), Column(axis.label, "number", axis.unit)],
        [
            (setting.label, str(cell.entry.seed), cell.figures.get(ranking.metric))
            for setting in having
            for cell in setting.finished
        ],
    )
    return Figure("settings", f"{capital(axis.label)} of the settings", caption, Strips(axis, strips), table)


def _is_grid(having: Sequence[Setting], row: int, column: int) -> bool:
    """Tell whether most combinations of two factors' values are there, and not too many to be seen."""
    pairs = {(setting.values[row], setting.values[column]) for setting in having}
    rows, columns = len({one for one, _ in pairs}), len({other for _, other in pairs})
    return max(rows, columns) <= _MOST_SIDE and len(pairs) >= _FILLED * rows * columns


def _values(settings: Sequence[Setting], index: int) -> list[float]:
    return sorted({value for one in settings if (value := number(one.values[index])) is not None})


def _axis(name: str, values: Sequence[float]) -> Axis:
    """Return the axis of a factor: logarithmic where its values are spaced by factors rather than steps."""
    powers = all(value > 0 and math.frexp(value)[0] == 0.5 for value in values)
    if (powers and values[-1] >= _FAR * values[0]) or _grows_by_factors(values):
        return Axis(called(name), "size" if powers else "", "log")
    return Axis(called(name), "", "linear")


def _grows_by_factors(values: Sequence[float]) -> bool:
    """Tell whether sorted `values` lie more evenly between the ends on a logarithmic axis, far apart.

    Or whether many of them are small, as of draws over decades that a search then crowds at one end.
    """
    low, high = values[0], values[-1]
    if low <= 0 or high < _FAR * low:
        return False
    if high > WIDE * low and sum(value < high / 10 for value in values) >= _MANY_SMALL * len(values):
        return True
    even = sum((value - low) / (high - low) for value in values) / len(values)
    by_factors = sum(math.log(value / low) / math.log(high / low) for value in values) / len(values)
    return len(values) == 2 or abs(by_factors - 0.5) < abs(even - 0.5)


def _heat_map(
    sweep: SweepRecord, ranking: Ranking, having: Sequence[Setting], row: int, column: int
) -> Figure:
    names = short_names(sweep.factors)
    rows, columns = [*reversed(_values(having, row))], _values(having, column)
    at: dict[tuple[float | None, float | None], list[Setting]] = {}
    for setting in having:
        at.setdefault((number(setting.values[row]), number(setting.values[column])), []).append(setting)
    best = {place: _best(ranking, settings) for place, settings in at.items()}
    figures = {place: _spread(ranking, setting).mean for place, setting in best.items()}
    values = [[figures.get((one, other)) for other in columns] for one in rows]
    first = (min if ranking.lower else max)(figures, key=lambda place: figures[place])
    known = [*figures.values()]
    logarithmic = _score(ranking).scale == "auto" and min(known) > 0 and max(known) > WIDE * min(known)
    title = f"{capital(worded(ranking.metric))} by {called(names[row])} and {called(names[column])}"
    caption = (
        f"Framed is the best, {shown(figures[first], ranking.unit)} at {called(names[row])} "
        f"{value_text(first[0])} and {called(names[column])} {value_text(first[1])}. Lighter is larger."
    )
    if any(len(settings) > 1 for settings in at.values()):
        others = [called(name) for index, name in enumerate(names) if index not in (row, column)]
        caption += f" Of {listing(others)} the best is taken for each cell."
    if any(len(setting.finished) > 1 for setting in having):
        caption += " Figures are means over the repeats that finished."
    missing = len(rows) * len(columns) - len(figures)
    if missing:
        caption += (
            f" {counted(missing, 'cell')} marked – {'has' if missing == 1 else 'have'} none that finished."
        )
    table = Table(
        [
            Column(names[row], "number", "exact"),
            Column(names[column], "number", "exact"),
            Column(worded(ranking.metric), "number", ranking.unit),
            Column("setting"),
        ],
        [(*place, figures[place], best[place].label) for place in sorted(figures, key=str)],
    )
    drawing = HeatMap(
        [value_text(value) for value in rows],
        [value_text(value) for value in columns],
        values,
        called(names[column]),
        worded(ranking.metric),
        rows_label=called(names[row]),
        scale="log" if logarithmic else "linear",
        unit=ranking.unit,
        framed=(rows.index(first[0] or 0.0), columns.index(first[1] or 0.0)),
    )
    return Figure(f"{ranking.metric}-{names[row]}-{names[column]}", title, caption, drawing, table)


def _best(ranking: Ranking, settings: Sequence[Setting]) -> Setting:
    means = [_spread(ranking, setting).mean for setting in settings]
    return settings[means.index((min if ranking.lower else max)(means))]


def _lines(sweep: SweepRecord, ranking: Ranking, having: Sequence[Setting], index: int) -> Iterator[Figure]:
    """Yield lines over the only numeric factor, one for each combination of the others: score and costs."""
    names = short_names(sweep.factors)
    others = [place for place in range(len(names)) if place != index]
    groups: dict[str, list[Setting]] = {}
    for setting in having:
        parts = [part(names[place], setting.values[place]) for place in others]
        groups.setdefault(SETTINGS_APART.join(parts), []).append(setting)
    x = _axis(names[index], _values(having, index))
    lines = [*groups.items()]
    yield _against(
        ranking.metric, x, _score(ranking), lines, index, lambda one: one.spread(ranking.metric), ranking
    )
    if any(_varies([_last(setting, "multiply_adds") for setting in group]) for group in groups.values()):
        for name, y in (("multiply_adds", Axis("multiply-adds")), ("seconds", Axis("training time", "s"))):
            yield _against(name, x, y, lines, index, partial(_last, key=name), ranking)


def _varies(figures: Sequence[Spread | None]) -> bool:
    known = [figure.mean for figure in figures if figure is not None]
    return bool(known) and max(known) > _SAME_COST * min(known)


def _last(setting: Setting, key: str) -> Spread | None:
    return spread_of([run.metrics[-1].get(key) for run in setting.runs if run.metrics])


def _against(
    name: str,
    x: Axis,
    y: Axis,
    groups: Sequence[tuple[str, list[Setting]]],
    index: int,
    read: Read,
    ranking: Ranking,
) -> Figure:
    """Return lines of what `read` gives over the factor at `index`, with error bars."""
    series, rows = [], []
    groups = [(label or y.label, settings) for label, settings in groups]  # a line alone is what it shows
    for style, (label, settings) in enumerate(groups[:_MOST_SERIES]):
        points = _points_of(settings, index, read)
        if points:
            series.append(
                Series(
                    label,
                    [at for at, _ in points],
                    [figure.mean for _, figure in points],
                    style,
                    [figure.interval[0] for _, figure in points],
                    [figure.interval[1] for _, figure in points],
                )
            )
    for label, settings in groups:
        rows += [(label, at, f.mean, f.deviation, f.count) for at, f in _points_of(settings, index, read)]
    table = Table(
        [
            Column("settings"),
            Column(x.label, "number", "exact"),
            Column(f"mean {y.label}", "number", y.unit or "count" if name == "multiply_adds" else y.unit),
            Column("standard deviation", "number", y.unit),
            Column("repeats", "number", "count"),
        ],
        rows,
    )
    lower = ranking.lower if name == ranking.metric else True
    ends = [(row[2], row[0], row[1]) for row in rows]
    best = (min if lower else max)(ends)
    where = f" of {called(best[1])}" if len(groups) > 1 else ""
    word, at = "Lowest" if lower else "Highest", f"{x.label} {value_text(best[2])}"
    caption = f"{word} is {shown(best[0], y.unit)}{where} at {at}."
    if any(row[3] is not None for row in rows):
        caption += (
            " Points are means over the repeats that finished, bars reach a standard deviation to both sides."
        )
    partial_ones = sum(not setting.is_whole for _, settings in groups for setting in settings)
    if partial_ones:
        caption += f" Of {counted(partial_ones, 'setting')} among these not all repeats finished."
    if len(groups) > _MOST_SERIES:
        caption += f" Drawn are {_MOST_SERIES} of {len(groups):,} lines, those with the best settings."
    return Figure(
        f"{name}-by-{x.label}", f"{capital(y.label)} against {x.label}", caption,
        Lines(x, y, series, whiskers=True), table,
    )  # fmt: skip


def _points_of(settings: Sequence[Setting], index: int, read: Read) -> list[tuple[float, Spread]]:
    found = [
        (at, figure)
        for setting in settings
        if (at := number(setting.values[index])) is not None and (figure := read(setting)) is not None
    ]
    return sorted(found, key=lambda pair: pair[0])


def _points(sweep: SweepRecord, ranking: Ranking, having: Sequence[Setting], index: int) -> Figure:
    """Return all settings as points over one numeric factor, the best one marked."""
    name = called(short_names(sweep.factors)[index])
    y = _score(ranking)
    best, rest = having[0], having[1:]
    means = {id(setting): _spread(ranking, setting).mean for setting in having}
    clouds = [
        Cloud(words, [number(one.values[index]) for one in these], [means[id(one)] for one in these], style)
        for words, these, style in ((f"{ranking.noun}s", rest, 0), (f"best {ranking.noun}", [best], 1))
    ]
    caption = (
        f"The best, {called(best.label)}, is at {value_text(best.values[index])}, with "
        f"{shown(means[id(best)], ranking.unit)}."
    )
    if len(sweep.factors) > 1:
        caption += " All other factors vary as well."
    table = Table(
        [Column(ranking.noun), Column(name, "number", "exact"), Column(y.label, "number", y.unit)],
        [(one.label, number(one.values[index]), means[id(one)]) for one in having],
    )
    x = _axis(name, _values(having, index))
    return Figure(
        f"{ranking.metric}-by-{name}",
        f"{capital(y.label)} against {name}",
        caption,
        Scatter(x, y, clouds),
        table,
    )
