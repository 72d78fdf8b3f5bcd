"""One gradient by every mode: how right it is, and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from jactrain.report.blocks import block_section, judged_cells, judged_columns, kinks
from jactrain.report.drawings.bars import Bars
from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.points import Point, Points
from jactrain.report.metric_words import capital
from jactrain.report.page import Column, Figure, Noted, Notes, Section, Table
from jactrain.report.record import ComparisonRecord, ModeRecord, Spread
from jactrain.report.texts import called, listing, plain, shown

_REFERENCE = " (reference)"


def gradient_sections(record: ComparisonRecord, styles: Mapping[str, int]) -> list[Section]:
    """Return the sections about one gradient: the table of modes, agreement by parameter, and cost."""
    agreement = Section("The modes side by side", tables=[_modes_table(record)])
    figures = [*_cost_against_error(record, styles), *_cost_figures(record.modes, styles)]
    return [
        agreement,
        Section("What a gradient costs", tables=_work_tables(record.modes), figures=figures),
        block_section(record),
    ]


def _modes_table(record: ComparisonRecord) -> Table:
    columns = [
        Column("mode"),
        *judged_columns(),
        Column("time", "number", "s"),
        Column("to the fastest", "number", "×"),
        Column("peak memory", "number", "B"),
        Column("multiply-adds", "number", "count"),
    ]
    notes = Notes()
    rows = [
        (
            Noted(mode.mode, mode.exactness),
            *judged_cells(mode, mode.draws, _numbers(mode, notes)),
            _median(mode.seconds),
            mode.times_fastest,
            mode.peak_bytes,
            mode.multiply_adds.predicted
            if mode.multiply_adds.counted is None
            else mode.multiply_adds.counted,
        )
        for mode in record.modes
    ]
    words = [f"Errors are relative to {called(record.reference)}" if record.reference else ""]
    if any(mode.draws for mode in record.modes):
        words.append("error and cosine of an estimate (unbiased) are those of the mean of many draws")
    words.append("times are medians of one gradient each")
    note = f"{'; '.join(word for word in words if word)}."
    return Table(columns, rows, note=capital(note), notes=notes.texts)


def _numbers(mode: ModeRecord, notes: Notes) -> tuple[int, ...]:
    """Return the numbers of the notes about a mode; what the reference is needs none."""
    return notes.number("" if mode.verdict == "reference" else mode.reason, kinks(mode.kinked))


def _work_tables(modes: Sequence[ModeRecord]) -> list[Table]:
    worked = [mode for mode in modes if mode.work]
    if not worked:
        return []
    names = [*dict.fromkeys(name for mode in worked for name in mode.work or {})]
    columns = [Column("mode"), *(Column(name.replace("_", " "), "number", "count") for name in names)]
    rows = [(mode.mode, *((mode.work or {}).get(name) for name in names)) for mode in worked]
    note = "How many vectors crossed a layer by each product, counted while the gradient was taken."
    return [Table(columns, rows, "Products applied", note)]


def _cost_against_error(record: ComparisonRecord, styles: Mapping[str, int]) -> Iterator[Figure]:
    timed = [(mode, mode.seconds.median) for mode in record.modes if mode.seconds is not None]
    same = [
        called(mode.mode) for mode, _ in timed if mode.verdict != "reference" and mode.relative_error == 0
    ]
    points = [
        Point(_marked(mode), error, median, styles[mode.mode])
        for mode, median in timed
        if (error := 0.0 if mode.verdict == "reference" else mode.relative_error or None) is not None
    ]
    if len(points) < 2:
        return
    goal = called(record.reference) or "the reference"
    fastest = min(points, key=lambda point: point.y)
    others = [point for point in points if not point.label.endswith(_REFERENCE)] or points
    nearest = min(others, key=lambda point: point.x)
    caption = (
        f"Lower is faster, further left is nearer to {goal}. "
        f"{called(fastest.label)} is the fastest, {shown(fastest.y, 's')} a gradient; of those compared "
        f"{called(nearest.label)} is the nearest, with a relative error of {shown(nearest.x, 'error')} in "
        f"{shown(nearest.y, 's')}."
    )
    if same:
        caption += f" Left out: {listing(same)}, bit for bit the same as {goal}."
    yield Figure(
        "cost-against-error",
        "Time against error",
        caption,
        Points(Axis("relative error", "error", "log"), Axis("time of a gradient", "s"), points),
        Table(
            [Column("mode"), Column("relative error", "number", "error"), Column("time", "number", "s")],
            [(point.label, point.x, point.y) for point in points],
        ),
    )


def _marked(mode: ModeRecord) -> str:
    return f"{mode.mode}{_REFERENCE}" if mode.verdict == "reference" else mode.mode


def _cost_figures(modes: Sequence[ModeRecord], styles: Mapping[str, int]) -> Iterator[Figure]:
    timed = [mode for mode in modes if mode.seconds is not None]
    if timed:
        spreads = [mode.seconds for mode in timed if mode.seconds is not None]
        yield Figure(
            "seconds",
            "Time of one gradient",
            f"{_extremes(timed, lambda mode: _median(mode.seconds), 's')} Thin lines span the interquartile "
            "range of the repeats.",
            Bars(
                Axis("time of a gradient", "s"),
                [mode.mode for mode in timed],
                {"median": [spread.median for spread in spreads]},
                [styles[mode.mode] for mode in timed],
                [None if spread.iqr is None else spread.iqr / 2 for spread in spreads],
            ),
            Table(
                [
                    Column("mode"),
                    Column("median", "number", "s"),
                    Column("interquartile range", "number", "s"),
                    Column("repeats", "number", "count"),
                ],
                [
                    (mode.mode, spread.median, spread.iqr, spread.repeats)
                    for mode, spread in zip(timed, spreads, strict=True)
                ],
            ),
        )
    yield from _pair(
        modes, styles, "multiply-adds", "Multiply-adds of one gradient", "multiply-adds", "count",
        ("counted", lambda mode: mode.multiply_adds.counted),
        ("predicted", lambda mode: mode.multiply_adds.predicted),
    )  # fmt: skip
    yield from _pair(
        modes, styles, "peak-memory", "Peak memory of one gradient", "bytes", "B",
        ("measured", lambda mode: mode.peak_bytes),
        ("predicted", lambda mode: mode.predicted_peak_bytes),
    )  # fmt: skip


_Reader = tuple[str, Callable[[ModeRecord], float | None]]


def _pair(
    modes: Sequence[ModeRecord],
    styles: Mapping[str, int],
    name: str,
    title: str,
    label: str,
    unit: str,
    found: _Reader,
    predicted: _Reader,
) -> Iterator[Figure]:
    """Yield a figure of what was found beside what was predicted, where there is either."""
    readers = [
        (word, read) for word, read in (found, predicted) if any(read(mode) is not None for mode in modes)
    ]
    rows = [mode for mode in modes if any(read(mode) is not None for _, read in readers)]
    if not rows:
        return
    caption = _extremes(rows, readers[0][1], unit)
    if len(readers) == 2:
        caption += f" {_prediction(rows, *found, predicted[1])}"
    yield Figure(
        name,
        title,
        caption,
        Bars(
            Axis(label, unit),
            [mode.mode for mode in rows],
            {word: [read(mode) for mode in rows] for word, read in readers},
            [styles[mode.mode] for mode in rows],
        ),
        Table(
            [Column("mode"), *(Column(word, "number", unit) for word, _ in readers)],
            [(mode.mode, *(read(mode) for _, read in readers)) for mode in rows],
        ),
    )


def _prediction(
    modes: Sequence[ModeRecord],
    word: str,
    found: Callable[[ModeRecord], float | None],
    predicted: Callable[[ModeRecord], float | None],
) -> str:
    """Return in words how far predictions are from what was found."""
    pairs = [(mode, found(mode), predicted(mode)) for mode in modes]
    factors = {
        called(mode.mode): max(one / other, other / one) for mode, one, other in pairs if one and other
    }
    if not factors:
        return ""
    worst = max(factors, key=lambda mode: factors[mode])
    if factors[worst] == 1:
        return f"Predicted and {word} are equal wherever both are known."
    if factors[worst] < 1.005:
        return f"Predicted and {word} differ by less than half a percent."
    return f"Predicted and {word} differ at most by a factor of {shown(factors[worst])}, for {worst}."


def _extremes(modes: Sequence[ModeRecord], read: Callable[[ModeRecord], float | None], unit: str) -> str:
    """Return a sentence about the least and the most of what `read` returns."""
    known = [(value, called(mode.mode)) for mode in modes if (value := read(mode)) is not None]
    if not known:
        return ""
    least, most = min(known), max(known)
    if least[0] == most[0]:
        same = listing(name for _, name in known)
        return f"{same}: {shown(least[0], unit)}{' each' if len(known) > 1 else ''}."
    times = f", {plain(most[0] / least[0], 3)} times as much" if least[0] > 0 else ""
    first = listing((name for value, name in known if value == least[0]), 4)
    return (
        f"Least: {first} with {shown(least[0], unit)}. "
        f"Most: {called(most[1])} with {shown(most[0], unit)}{times}."
    )


def _median(spread: Spread | None) -> float | None:
    return None if spread is None else spread.median
