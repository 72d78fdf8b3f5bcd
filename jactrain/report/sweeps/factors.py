"""What factors do to a figure: all settings side by side, lines, heat maps, and points."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations

from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.lines import Lines, Series
from jactrain.report.drawings.scatter import Cloud, Scatter
from jactrain.report.drawings.strips import Strip, Strips
from jactrain.report.metric_words import capital
from jactrain.report.page import Column, Figure, Table
from jactrain.report.sweeps.axes import factor_axis, factor_values, score_axis, score_spread
from jactrain.report.sweeps.heat_maps import heat_map, is_grid
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
from jactrain.report.texts import SETTINGS_APART, called, counted, shown

_SAME_COST = 1.05  # costs within this factor are the same
_MOST_STRIPS = 30
_MOST_SERIES = 8
_MOST_MAPS = 3
_MOST_CLOUDS = 4  # figures of points, one a factor

Read = Callable[[Setting], Spread | None]


def factor_figures(sweep: SweepRecord, ranking: Ranking) -> Iterator[Figure]:
    """Yield the figures that suit the factors: what ranks the settings, and their cost."""
    having = [setting for setting in ranking.everything if setting.spread(ranking.metric) is not None]
    if len(having) < 2:
        return
    if not sweep.search:
        yield _strips(ranking, having)
    numeric = numeric_factors(sweep, having)
    pairs = [pair for pair in combinations(numeric, 2) if is_grid(having, *pair)]
    if len(numeric) == 1 and not sweep.search:
        yield from _lines(sweep, ranking, having, numeric[0])
    for row, column in pairs[:_MOST_MAPS]:
        yield heat_map(sweep, ranking, having, row, column)
    paired = {index for pair in pairs for index in pair}
    if sweep.search or len(numeric) > 1:
        for index in [index for index in numeric if index not in paired][:_MOST_CLOUDS]:
            yield _points(sweep, ranking, having, index)


def _strips(ranking: Ranking, having: Sequence[Setting]) -> Figure:
    shown_ones = having[:_MOST_STRIPS]
    spreads = [score_spread(ranking, setting) for setting in shown_ones]
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
    axis = score_axis(ranking)
    table = Table(
        [Column("setting"), Column("seed"), Column(axis.label, "number", axis.unit)],
        [
            (setting.label, str(cell.entry.seed), cell.figures.get(ranking.metric))
            for setting in having
            for cell in setting.finished
        ],
    )
    return Figure("settings", f"{capital(axis.label)} of the settings", caption, Strips(axis, strips), table)


def _lines(sweep: SweepRecord, ranking: Ranking, having: Sequence[Setting], index: int) -> Iterator[Figure]:
    """Yield lines over the only numeric factor, one for each combination of the others: score and costs."""
    names = short_names(sweep.factors)
    others = [place for place in range(len(names)) if place != index]
    groups: dict[str, list[Setting]] = {}
    for setting in having:
        parts = [part(names[place], setting.values[place]) for place in others]
        groups.setdefault(SETTINGS_APART.join(parts), []).append(setting)
    x = factor_axis(names[index], factor_values(having, index))
    lines = [*groups.items()]
    yield _against(
        ranking.metric, x, score_axis(ranking), lines, index, lambda one: one.spread(ranking.metric), ranking
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
    y = score_axis(ranking)
    best, rest = having[0], having[1:]
    means = {id(setting): score_spread(ranking, setting).mean for setting in having}
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
    x = factor_axis(name, factor_values(having, index))
    return Figure(
        f"{ranking.metric}-by-{name}",
        f"{capital(y.label)} against {name}",
        caption,
        Scatter(x, y, clouds),
        table,
    )
