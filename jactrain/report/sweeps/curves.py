"""Learning curves of settings: means over repeats, in bands from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.lines import Lines, Series
from jactrain.report.metric_words import capital, lower_is_better, metric_unit, worded
from jactrain.report.page import Column, Figure, Table
from jactrain.report.sweeps.settings import Ranking, Setting, Spread, spread_of
from jactrain.report.texts import called, counted, shown

MOST_CURVES = 6
_LOSSES = ("validation_loss", "train_loss")


@dataclass(frozen=True)
class _Band:
    """A figure of one setting at each epoch: where it stands, and its spread over the repeats."""

    setting: Setting
    epochs: list[float]
    x: list[float | None]
    figures: list[Spread | None]

    def series(self, style: int) -> Series:
        known = [(None, None, None) if f is None else (f.mean, f.low, f.high) for f in self.figures]
        mean, low, high = ([one[place] for one in known] for place in range(3))
        return Series(self.setting.label, self.x, mean, style, low, high)

    @property
    def end(self) -> float:
        return next((figure.mean for figure in reversed(self.figures) if figure is not None), 0.0)


def curves(ranking: Ranking) -> Iterator[Figure]:
    """Yield losses over epochs and over multiply-adds, and what ranks over epochs, of the best settings."""
    drawn = [setting for setting in ranking.ranked or ranking.others if setting.runs][:MOST_CURVES]
    wanted = [(loss, over) for loss in _LOSSES for over in ("epoch", "multiply_adds")]
    if ranking.metric and ranking.metric not in _LOSSES:
        wanted.insert(2, (ranking.metric, "epoch"))
    for metric, over in wanted:
        bands = [band for setting in drawn if (band := _band(setting, metric, over)) is not None]
        if bands:
            yield _figure(bands, drawn, ranking, metric, over)


def _band(setting: Setting, metric: str, over: str) -> _Band | None:
    """Return a band over epochs or multiply-adds; None where no repeat has such figures."""
    at: dict[float, list[tuple[float | None, float]]] = {}
    for run in setting.runs:
        for line in run.metrics:
            epoch, value = line.get("epoch"), line.get(metric)
            if epoch is not None and value is not None:
                at.setdefault(epoch, []).append((line.get(over), value))
    epochs = sorted(at)
    x = [None if (place := spread_of([p for p, _ in at[epoch]])) is None else place.mean for epoch in epochs]
    if not any(place is not None for place in x):
        return None
    return _Band(setting, epochs, x, [spread_of([value for _, value in at[epoch]]) for epoch in epochs])


def _figure(
    bands: Sequence[_Band], drawn: Sequence[Setting], ranking: Ranking, metric: str, over: str
) -> Figure:
    unit = metric_unit(metric)
    y = Axis(worded(metric), unit, "auto" if metric.endswith("loss") else "linear")
    x = Axis("epochs", "count", "linear") if over == "epoch" else Axis("multiply-adds")
    styles = {id(setting): style for style, setting in enumerate(drawn)}
    drawing = Lines(x, y, [band.series(styles[id(band.setting)]) for band in bands])
    caption = " ".join(part for part in (_ends(bands, y, metric), _which(bands, ranking)) if part)
    return Figure(
        f"{metric}-by-{over}", f"{capital(y.label)} against {x.label}", caption, drawing, _data(bands, x, y)
    )


def _ends(bands: Sequence[_Band], y: Axis, metric: str) -> str:
    """Return which of the settings drawn ends lowest and which highest, the better one first."""
    ends = [(band.end, called(band.setting.label)) for band in bands]
    low, high = min(ends), max(ends)
    if shown(low[0], y.unit) == shown(high[0], y.unit):
        return f"At the end {'it is' if len(bands) == 1 else 'all are'} at {shown(low[0], y.unit)}."
    lowest = f"{low[1]} is lowest with {shown(low[0], y.unit)}"
    highest = f"{high[1]} is highest with {shown(high[0], y.unit)}"
    first, second = (lowest, highest) if lower_is_better(metric) else (highest, lowest)
    return f"At the end {first}, and {second}."


def _which(bands: Sequence[_Band], ranking: Ranking) -> str:
    words = []
    total = len(ranking.everything)
    if len(bands) < total:
        words.append(f"Drawn are the {len(bands)} best of {counted(total, ranking.noun)}.")
    if any(figure is not None and figure.count > 1 for band in bands for figure in band.figures):
        words.append(
            "Lines are means over the repeats that finished, bands reach from the lowest to the highest."
        )
    counts = [{figure.count for figure in band.figures if figure is not None} for band in bands]
    if any(len(found) > 1 for found in counts):
        words.append("Repeats that ended early count as long as they go.")
    return " ".join(words)


def _data(bands: Sequence[_Band], x: Axis, y: Axis) -> Table:
    by_epoch = x.label == "epochs"
    columns = [
        Column("setting"),
        Column("epoch", "number", "count"),
        *([] if by_epoch else [Column(x.label, "number", "count")]),
        Column(f"mean {y.label}", "number", y.unit),
        Column("standard deviation", "number", y.unit),
        Column("lowest", "number", y.unit),
        Column("highest", "number", y.unit),
        Column("repeats", "number", "count"),
    ]
    rows = [
        (
            band.setting.label,
            epoch,
            *([] if by_epoch else [place]),
            *((f.mean, f.deviation, f.low, f.high, f.count) if f is not None else (None,) * 5),
        )
        for band in bands
        for epoch, place, f in zip(band.epochs, band.x, band.figures, strict=True)
    ]
    return Table(columns, rows)
