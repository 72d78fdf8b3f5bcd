"""A figure over two factors: a heat map, where most combinations of their values are there."""

from __future__ import annotations

from collections.abc import Sequence

from jactrain.report.drawings.base import WIDE
from jactrain.report.drawings.heat_map import HeatMap
from jactrain.report.metric_words import capital, worded
from jactrain.report.page import Column, Figure, Table
from jactrain.report.sweeps.axes import factor_values, score_axis, score_spread
from jactrain.report.sweeps.record import SweepRecord
from jactrain.report.sweeps.settings import Ranking, Setting, number, short_names, value_text
from jactrain.report.texts import called, counted, listing, shown

_MOST_SIDE = 40  # rows or columns of a heat map
_FILLED = 0.5  # the share of a heat map's cells that there must be


def is_grid(having: Sequence[Setting], row: int, column: int) -> bool:
    """Tell whether most combinations of two factors' values are there, and not too many to be seen."""
    pairs = {(setting.values[row], setting.values[column]) for setting in having}
    rows, columns = len({one for one, _ in pairs}), len({other for _, other in pairs})
    return max(rows, columns) <= _MOST_SIDE and len(pairs) >= _FILLED * rows * columns


def heat_map(
    sweep: SweepRecord, ranking: Ranking, having: Sequence[Setting], row: int, column: int
) -> Figure:
    """Return what ranks the settings over the values of two factors, of several settings the best."""
    names = short_names(sweep.factors)
    rows, columns = [*reversed(factor_values(having, row))], factor_values(having, column)
    at: dict[tuple[float | None, float | None], list[Setting]] = {}
    for setting in having:
        at.setdefault((number(setting.values[row]), number(setting.values[column])), []).append(setting)
    best = {place: _best(ranking, settings) for place, settings in at.items()}
    figures = {place: score_spread(ranking, setting).mean for place, setting in best.items()}
    values = [[figures.get((one, other)) for other in columns] for one in rows]
    first = (min if ranking.lower else max)(figures, key=lambda place: figures[place])
    known = [*figures.values()]
    logarithmic = score_axis(ranking).scale == "auto" and min(known) > 0 and max(known) > WIDE * min(known)
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
    means = [score_spread(ranking, setting).mean for setting in settings]
    return settings[means.index((min if ranking.lower else max)(means))]
