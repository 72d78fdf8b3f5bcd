"""The trials of a search in their order, with the best so far."""

from __future__ import annotations

from collections.abc import Iterator

from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.scatter import Cloud, Scatter
from jactrain.report.metric_words import capital, metric_unit, worded
from jactrain.report.page import Column, Figure, Table
from jactrain.report.record import Number
from jactrain.report.sweeps.record import CellRecord, SweepRecord
from jactrain.report.sweeps.settings import Ranking
from jactrain.report.texts import called, counted, shown


def trials(sweep: SweepRecord, ranking: Ranking) -> Iterator[Figure]:
    """Yield the figure of a search's trials, where any has a figure to draw."""
    if sweep.search is None:
        return
    metric = sweep.search.metric
    figures = [_reached(cell, metric) for cell in sweep.cells]
    finished = [
        cell.status == "finished" and f is not None for cell, f in zip(sweep.cells, figures, strict=True)
    ]
    pruned = [cell.status == "pruned" and f is not None for cell, f in zip(sweep.cells, figures, strict=True)]
    if not any(finished) and not any(pruned):
        return
    best = _best_so_far([f if done else None for f, done in zip(figures, finished, strict=True)], ranking)
    places: list[float] = [float(place) for place in range(1, len(sweep.cells) + 1)]
    clouds = []
    for label, kept, style in (("finished", finished, 0), ("pruned, as far as it came", pruned, 6)):
        points = [(x, y) for x, y, is_one in zip(places, figures, kept, strict=True) if is_one]
        if points:
            clouds.append(Cloud(label, [x for x, _ in points], [y for _, y in points], style))
    y = Axis(worded(metric), metric_unit(metric), "auto" if metric.endswith("loss") else "linear")
    yield Figure(
        "trials",
        f"{capital(y.label)} of the trials in their order",
        _caption(sweep, figures, best, finished, pruned, y),
        Scatter(Axis("trial", "count", "linear"), y, clouds, Cloud("best so far", places, best, 0)),
        Table(
            [
                Column("trial"),
                Column("status", "verdict"),
                Column(y.label, "number", y.unit),
                Column("best so far", "number", y.unit),
            ],
            [
                (cell.entry.name, cell.status, f, b)
                for cell, f, b in zip(sweep.cells, figures, best, strict=True)
            ],
        ),
    )


def _reached(cell: CellRecord, metric: str) -> Number:
    """Return the figure of a trial: of the weights that were kept, or of a pruned one the last."""
    if cell.status == "pruned" and cell.run is not None and cell.run.metrics:
        return cell.run.metrics[-1].get(metric)
    return cell.figures.get(metric)


def _best_so_far(figures: list[Number], ranking: Ranking) -> list[Number]:
    found: list[Number] = []
    best: Number = None
    for figure in figures:
        if figure is not None and (best is None or ranking.is_better(figure, best)):
            best = figure
        found.append(best)
    return found


def _caption(
    sweep: SweepRecord,
    figures: list[Number],
    best: list[Number],
    finished: list[bool],
    pruned: list[bool],
    y: Axis,
) -> str:
    reached = best[-1]
    words = []
    if reached is not None:
        place = next(i for i, figure in enumerate(figures) if figure == reached and finished[i])
        words.append(
            f"The best, {shown(reached, y.unit)}, came with {called(sweep.cells[place].entry.name)}, number "
            f"{place + 1:,} of {len(sweep.cells):,}."
        )
    if any(pruned):
        count = sum(pruned)
        were, stand = ("was", "stands") if count == 1 else ("were", "stand")
        words.append(f"{counted(count, 'trial')} {were} pruned, and {stand} where the last epoch left off.")
    missing = len(sweep.cells) - sum(finished) - sum(pruned)
    if missing:
        words.append(
            f"{counted(missing, 'trial')} {'has' if missing == 1 else 'have'} no figure and no point."
        )
    return " ".join(words)
