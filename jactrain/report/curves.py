"""Curves of one run or of several: losses and scores over epochs, time and work."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.lines import Lines, Series
from jactrain.report.metric_words import capital, lower_is_better, metric_unit, worded
from jactrain.report.page import Column, Figure, Table
from jactrain.report.record import Number
from jactrain.report.run_record import RunRecord
from jactrain.report.texts import called, counted, shown

_PLACES = ("step", "epoch", "seconds", "multiply_adds")
_PARTS = ("train", "validation")
_LOSSES = ("validation_loss", "train_loss")
_EPOCHS = Axis("epochs", "count", "linear")
_MOST_RUNS = 24  # lines of one figure


def metric_names(runs: Sequence[RunRecord]) -> list[str]:
    """Return the names of all figures that the runs recorded, in the order in which they come."""
    return [
        *dict.fromkeys(name for run in runs for line in run.metrics for name in line if name not in _PLACES)
    ]


def column(run: RunRecord, name: str) -> list[Number]:
    """Return one figure at every epoch."""
    return [line.get(name) for line in run.metrics]


def curves_of_one(run: RunRecord) -> Iterator[Figure]:
    """Yield the loss over epochs and over multiply-adds, and every score over epochs, of one run."""
    names = metric_names([run])
    scores = [*dict.fromkeys(name.partition("_")[2] or name for name in names)]
    for score in scores:
        parts = [name for name in names if (name.partition("_")[2] or name) == score]
        yield _figure(run, score, parts, "epoch", _EPOCHS)
        if score == "loss" and any(column(run, "multiply_adds")):
            yield _figure(run, score, parts, "multiply_adds", Axis("multiply-adds", "", "linear"))


def _figure(run: RunRecord, score: str, parts: Sequence[str], over: str, x: Axis) -> Figure:
    y = Axis(worded(score), metric_unit(score), "auto" if score == "loss" else "linear")
    at = column(run, over)
    series = [
        Series(_part(name), at, column(run, name), _PARTS.index(_part(name)) if _part(name) in _PARTS else 2)
        for name in parts
    ]
    table = Table(
        [Column(x.label, "number", "count"), *(Column(worded(name), "number", y.unit) for name in parts)],
        [(place, *(line.get(name) for name in parts)) for place, line in zip(at, run.metrics, strict=True)],
    )
    words = " ".join(_words(run, name, y.unit) for name in parts)
    return Figure(
        f"{score}-by-{over}",
        f"{capital(worded(score))} against {x.label}",
        f"{words} {_epoch(run)}".strip(),
        Lines(x, y, series),
        table,
    )


def _part(name: str) -> str:
    return name.partition("_")[0]


def _words(run: RunRecord, name: str, unit: str) -> str:
    known = [(value, line.get("epoch") or 0) for line in run.metrics if (value := line.get(name)) is not None]
    if not known:
        return ""
    best = min(known) if lower_is_better(name) else max(known, key=lambda pair: (pair[0], -pair[1]))
    word = "lowest" if lower_is_better(name) else "highest"
    first, last = known[0][0], known[-1][0]
    where = "there" if best[1] == known[-1][1] else f"at epoch {best[1]:,.0f}, {shown(best[0], unit)}"
    way = f"from {shown(first, unit)} to {shown(last, unit)}"
    return f"{capital(worded(name))} goes {way} and is {word} {where}."


def _epoch(run: RunRecord) -> str:
    """Return what one epoch is in steps and in multiply-adds, since they are proportional."""
    last = run.metrics[-1]
    epochs, steps, work = (last.get(key) for key in ("epoch", "step", "multiply_adds"))
    if not epochs or not steps or steps < epochs:
        return ""
    cost = f" and {shown(work / epochs, 'count')} multiply-adds" if work else ""
    return f"An epoch is {counted(round(steps / epochs), 'step')}{cost}."


def curves_of_several(runs: Sequence[RunRecord], names: Sequence[str]) -> Iterator[Figure]:
    """Yield the curves of all runs together, of the metrics that at least two of them have."""
    styles = {id(run): index for index, run in enumerate(runs)}
    for name in dict.fromkeys([*_LOSSES, *names]):
        having = [run for run in runs if any(value is not None for value in column(run, name))]
        if len(having) < 2:
            continue
        for over, x in (
            ("epoch", _EPOCHS),
            ("seconds", Axis("training time", "s")),
            ("multiply_adds", Axis("multiply-adds")),
        ):
            if over == "epoch" or name in _LOSSES:
                yield _together(having, styles, name, over, x)


def _together(runs: Sequence[RunRecord], styles: dict[int, int], name: str, over: str, x: Axis) -> Figure:
    drawn = runs[:_MOST_RUNS]
    unit = metric_unit(name)
    y = Axis(worded(name), unit, "auto" if name.endswith("loss") else "linear")
    series = [Series(run.label, column(run, over), column(run, name), styles[id(run)]) for run in drawn]
    ends = [
        (values[-1], called(run.label))
        for run in runs
        if (values := [value for value in column(run, name) if value is not None])
    ]
    low, high = min(ends), max(ends)
    caption = (
        f"At the end {low[1]} is lowest with {shown(low[0], unit)}, {high[1]} highest with "
        f"{shown(high[0], unit)}."
        if shown(low[0], unit) != shown(high[0], unit)
        else f"All end at {shown(low[0], unit)}."
    )
    if len(runs) > len(drawn):
        caption += f" The first {len(drawn)} of {len(runs)} runs are drawn."
    table = Table(
        [
            Column("run"),
            Column("epoch", "number", "count"),
            *([] if over == "epoch" else [Column(x.label, "number", x.unit or "count")]),
            Column(y.label, "number", unit),
        ],
        [
            (run.label, line.get("epoch"), *([] if over == "epoch" else [line.get(over)]), line.get(name))
            for run in runs
            for line in run.metrics
        ],
    )
    return Figure(
        f"{name}-by-{over}", f"{capital(y.label)} against {x.label}", caption, Lines(x, y, series), table
    )
