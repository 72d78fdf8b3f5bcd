"""Training by every mode from the same start: curves, divergence, estimators, and loss drop for the work."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from jactrain.report.drawings.bars import Bars, is_wide_and_signed
from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.lines import Lines, Series
from jactrain.report.estimators import estimator_figures
from jactrain.report.metric_words import capital, lower_is_better, metric_unit, worded
from jactrain.report.page import Column, Figure, Noted, Notes, Section, Table
from jactrain.report.record import Range, Training, TrainingMode, TrainingRun
from jactrain.report.texts import called, counted, listing, shown

_SAME = 1e-3  # figures that differ by less than this share are named together
_EXACT = 0.9999  # a cosine with the reference from here on is that of an exact mode


def training_section(training: Training, styles: Mapping[str, int]) -> Section:
    """Return the section about training."""
    seeds = f" over {counted(len(training.seeds), 'seed')}" if len(training.seeds) > 1 else ""
    epochs = "" if training.epochs is None else f" for {counted(training.epochs, 'epoch')}"
    text = (
        f"Every mode trains{epochs} from the same parameters with the same batches and noise{seeds}, and all "
        "with the same learning rate, the configuration's, which was chosen anew for none of them. How well "
        "a gradient is aligned at the start does not by itself tell how well it trains, so that both stand "
        "side by side."
    )
    return Section(
        "Training",
        [text],
        [_table(training)],
        [*_curves(training, styles), *estimator_figures(training, styles), *_drops(training, styles)],
    )


def _table(training: Training) -> Table:
    metric = training.metric or "metric"
    parts = {
        "train_loss": ("train loss", ""),
        "validation_loss": ("validation loss", ""),
        "metric": (worded(metric), metric_unit(metric)),
    }
    kept = {key: part for key, part in parts.items() if any(_final(mode, key) for mode in training.modes)}
    columns = [
        Column("mode"),
        Column("status", "verdict"),
        *(Column(f"final {name}", "number", unit) for name, unit in kept.values()),
        Column("cosine at start, of one draw", "number", "cosine"),
        Column("loss drop a multiply-add", "number"),
        Column("loss drop a second", "number"),
    ]
    notes = Notes()
    rows = [
        (
            mode.mode,
            Noted(_status(mode), notes=notes.number(*_reasons(mode))),
            *(_range(_final(mode, key), unit, len(training.seeds)) for key, (_, unit) in kept.items()),
            mode.cosine_at_start,
            mode.loss_drop_per_multiply_add,
            mode.loss_drop_per_second,
        )
        for mode in training.modes
    ]
    note = (
        "The cosine is that of single gradients with the reference's, the mean over draws if a mode draws; "
        "that of the mean of many draws, in the first table, is larger."
    )
    if len(training.seeds) > 1:
        note = f"Medians over seeds, with the lowest and the highest below. {note}"
    return Table(columns, rows, "After training", note, notes.texts)


def _final(mode: TrainingMode, key: str) -> Range | None:
    """Return a final figure of `mode`, None where it has none."""
    found: Range | None = getattr(mode.final, key)
    return None if found is None or found.median is None else found


def _range(found: Range | None, unit: str, seeds: int) -> Noted:
    if found is None:
        return Noted(None)
    ends = f"{shown(found.low, unit)} to {shown(found.high, unit)}" if seeds > 1 else ""
    return Noted(found.median, ends if found.low != found.high else "")


def _status(mode: TrainingMode) -> str:
    return "its loss grew" if mode.status == "finished" and _has_grown(mode) else mode.status


def _has_grown(mode: TrainingMode) -> bool:
    """Tell whether the training loss ended above where it began, by the medians over seeds."""
    finished = [run.train_loss for run in mode.runs if run.status == "finished" and run.train_loss]
    first, last = _middle([losses[0] for losses in finished]), _middle([losses[-1] for losses in finished])
    return first is not None and last is not None and last > first


def _reasons(mode: TrainingMode) -> list[str]:
    """Return the mode's reason, and those of its seeds that it does not tell already."""
    seeds = [f"seed {run.seed}: {run.reason}" for run in mode.runs if run.reason]
    return [mode.reason, *(reason for reason in seeds if reason not in mode.reason)]


@dataclass(frozen=True)
class _Band:
    """A quantity over the seeds of one mode: median, lowest and highest at each point."""

    mode: str
    x: list[float | None]
    middle: list[float | None]
    low: list[float | None]
    high: list[float | None]
    step: list[float]

    def series(self, style: int) -> Series:
        return Series(self.mode, self.x, self.middle, style, self.low, self.high)


def _band(mode: TrainingMode, over: str, quantity: str) -> _Band | None:
    """Return `quantity` over `over`; None where no run has it.

    Seeds that ended early count as long as they go.
    """
    runs = [run for run in mode.runs if _has(run, over) and _has(run, quantity)]
    if not any(value is not None for run in runs for value in getattr(run, quantity)):
        return None
    steps = sorted({step for run in runs for step in run.step})
    tables = [
        {
            step: (x, y)
            for step, x, y in zip(run.step, getattr(run, over), getattr(run, quantity), strict=True)
        }
        for run in runs
    ]
    columns = [[table[step] for table in tables if step in table] for step in steps]
    x = [_middle([pair[0] for pair in column]) for column in columns]
    known = [[pair[1] for pair in column if pair[1] is not None] for column in columns]
    return _Band(
        mode.mode,
        x,
        [median(values) if values else None for values in known],
        [min(values) if values else None for values in known],
        [max(values) if values else None for values in known],
        steps,
    )


def _has(run: TrainingRun, name: str) -> bool:
    return bool(getattr(run, name))


def _middle(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _curves(training: Training, styles: Mapping[str, int]) -> Iterator[Figure]:
    steps, time = Axis("steps", "count", "linear"), Axis("training time", "s")
    work, loss = Axis("multiply-adds"), Axis("training loss")
    metric = training.metric or "metric"
    score = Axis(worded(metric), metric_unit(metric), "linear")
    for name, title, x, over, y, quantity in (
        ("loss-by-steps", "Training loss against steps", steps, "step", loss, "train_loss"),
        ("loss-by-seconds", "Training loss against time", time, "seconds", loss, "train_loss"),
        ("loss-by-multiply-adds", "Training loss against multiply-adds", work, "multiply_adds", loss,
         "train_loss"),
        ("metric-by-steps", f"{capital(score.label)} against steps", steps, "step", score, "metric"),
    ):  # fmt: skip
        yield from _figure(training, styles, name, title, x, over, y, quantity)
    yield from _divergence(training, styles)


def _figure(
    training: Training,
    styles: Mapping[str, int],
    name: str,
    title: str,
    x: Axis,
    over: str,
    y: Axis,
    quantity: str,
) -> Iterator[Figure]:
    bands = [band for mode in training.modes if (band := _band(mode, over, quantity)) is not None]
    if not bands:
        return
    if x.scale == "auto" and over != "step":
        x = Axis(x.label, x.unit, _scale_of_ends(bands))
    caption = _last_words(training, bands, y)
    if x.scale == "log":
        caption += " The start, at 0, has no place on this axis."
    yield Figure(name, title, caption, Lines(x, y, _series(bands, styles)), _data(bands, x, y))


def _scale_of_ends(bands: Sequence[_Band]) -> Literal["linear", "log"]:
    """Return `log` where one mode takes so much more than another that its curve alone would be seen."""
    ends = [max((x for x in band.x if x is not None), default=0.0) for band in bands]
    positive = [end for end in ends if end > 0]
    return "log" if positive and max(positive) > 8 * min(positive) else "linear"


def _series(bands: Sequence[_Band], styles: Mapping[str, int]) -> list[Series]:
    return [band.series(styles.get(band.mode, 0)) for band in bands]


def _last_words(training: Training, bands: Sequence[_Band], y: Axis) -> str:
    ends = [
        (values[-1], called(band.mode))
        for band in bands
        if (values := [value for value in band.middle if value is not None])
    ]
    low, high = min(ends)[0], max(ends)[0]
    if low == high:
        words = f"{listing(name for _, name in ends)} end{'s' * (len(ends) == 1)} at {shown(low, y.unit)}."
    else:
        lowest, highest = _extreme(ends, low, "lowest", y.unit), _extreme(ends, high, "highest", y.unit)
        first, second = (lowest, highest) if lower_is_better(y.label) else (highest, lowest)
        words = f"At the end {first}, and {second}."
    stopped = [called(mode.mode) for mode in training.modes if mode.status == "diverged"]
    if stopped:
        words += f" {listing(stopped)} diverged."
    grown = [called(mode.mode) for mode in training.modes if _status(mode) == "its loss grew"]
    if grown and y.label == "training loss":
        words += f" The loss of {listing(grown)} grew, at the learning rate that all modes have."
    if len(training.seeds) > 1:
        words += f" Lines are medians over {len(training.seeds)} seeds, bands span all of them."
    return words


def _extreme(ends: Sequence[tuple[float, str]], value: float, word: str, unit: str) -> str:
    """Return who has `value`, or next to it, in words."""
    names = [name for end, name in ends if math.isclose(end, value, rel_tol=_SAME)]
    return f"{listing(names)} {'is' if len(names) == 1 else 'are'} {word} with {shown(value, unit)}"


def _divergence(training: Training, styles: Mapping[str, int]) -> Iterator[Figure]:
    bands = [
        band
        for mode in training.modes
        if mode.mode != training.reference
        and (band := _band(mode, "step", "divergence")) is not None
        and any(band.middle)
    ]
    if not bands:
        return
    y = Axis("distance ÷ the reference's own way", "error", "log")
    ends = sorted(
        (next(value for value in reversed(band.middle) if value is not None), called(band.mode))
        for band in bands
    )
    nearest, farthest = ends[0], ends[-1]
    goal = called(training.reference)
    words = f"At the end {nearest[1]} is {shown(nearest[0], 'error')} of the way from where {goal} arrives"
    words += f", {farthest[1]} {shown(farthest[0], 'error')}." if len(ends) > 1 else "."
    caption = (
        "How far the parameters are from the reference's at the same step, divided by how far those have "
        f"come from the start. {words} The start itself, where all are the same, has no place on this axis."
    )
    yield Figure(
        "divergence",
        "Divergence of the trajectories",
        caption,
        Lines(Axis("steps", "count", "linear"), y, _series(bands, styles)),
        _data(bands, Axis("steps", "count"), y),
    )


def _data(bands: Sequence[_Band], x: Axis, y: Axis) -> Table:
    columns = [
        Column("mode"),
        Column("step", "number", "count"),
        *([] if x.label == "steps" else [Column(x.label, "number", x.unit or "count")]),
        Column(y.label, "number", y.unit),
        Column("lowest", "number", y.unit),
        Column("highest", "number", y.unit),
    ]
    rows = [
        (band.mode, step, *([] if x.label == "steps" else [at]), middle, low, high)
        for band in bands
        for step, at, middle, low, high in zip(
            band.step, band.x, band.middle, band.low, band.high, strict=True
        )
    ]
    return Table(columns, rows)


def _drops(training: Training, styles: Mapping[str, int]) -> Iterator[Figure]:
    """Yield loss drop for a multiply-add and for a second, each with the alignment at the start."""
    for name, attribute in (
        ("multiply-add", "loss_drop_per_multiply_add"),
        ("second", "loss_drop_per_second"),
    ):
        modes = [mode for mode in training.modes if getattr(mode, attribute) is not None]
        drops: list[float] = [getattr(mode, attribute) for mode in modes]
        values = {called(mode.mode): drop for mode, drop in zip(modes, drops, strict=True)}
        if not values:
            continue
        best = max(values, key=lambda mode: values[mode])
        aligned = [mode for mode in modes if 0 < abs(mode.cosine_at_start or 0) < _EXACT]
        caption = f"{best} gains most for a {name}."
        if len(aligned) > 1:
            least, *_, most = sorted(aligned, key=lambda mode: mode.cosine_at_start or 0)
            caption += (
                f" Of those that are not exact {called(most.mode)} is best aligned at the start, with a "
                f"cosine of {shown(most.cosine_at_start, 'cosine')}, {called(least.mode)} least, with "
                f"{shown(least.cosine_at_start, 'cosine')}, single draws on average."
            )
        if min(drops) < 0:
            caption += " Bars to the left are of losses that rose."
        if is_wide_and_signed(drops):
            caption += " The axis is logarithmic to both sides of 0."
        yield Figure(
            f"loss-drop-a-{name}",
            f"Loss drop for a {name}",
            f"{caption} Shown is how far the training loss fell, divided by all {name}s spent.",
            Bars(
                Axis(f"loss drop a {name}"),
                [mode.mode for mode in modes],
                {"drop": drops},
                [styles.get(mode.mode, 0) for mode in modes],
            ),
            Table(
                [
                    Column("mode"),
                    Column(f"loss drop a {name}", "number"),
                    Column("cosine at start", "number", "cosine"),
                ],
                [(mode.mode, drop, mode.cosine_at_start) for mode, drop in zip(modes, drops, strict=True)],
            ),
        )
