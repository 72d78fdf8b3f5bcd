"""Cost over growing networks, measured and predicted, and where one mode overtakes another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.lines import Lines, Series, Upright
from jactrain.report.page import Column, Figure, Noted, Notes, Section, Table
from jactrain.report.record import Crossover, Scaling, ScalingMode, ScalingPoint
from jactrain.report.texts import called, counted, listing, plain, shown

_MOST_UPRIGHTS = 3
_FLAT = 0.3  # an exponent of time nearer to 0 than this is overhead's
_TOO_SMALL = "too small to measure growth at these sizes"


def scaling_section(scaling: Scaling, styles: Mapping[str, int]) -> Section:
    """Return the section about growing networks."""
    grown = (
        f"The network is made larger in its {called(scaling.along)}, {counted(scaling.examples, 'example')} "
        "each; nothing is trained."
    )
    if scaling.fitted:
        grown += " The sizes are the largest that every mode was expected to have time for."
    crossed = [one for one in scaling.crossovers if _is_one(one)]
    texts = [grown] if crossed or not scaling.crossovers else [grown, _nothing_overtakes(scaling)]
    tables = [_exponents(scaling), *([_crossovers(scaling, crossed)] if crossed else [])]
    return Section(f"Growing networks: {called(scaling.along)}", texts, tables, [*_figures(scaling, styles)])


def _exponents(scaling: Scaling) -> Table:
    notes = Notes()
    rows = [
        (
            Noted(
                mode.mode,
                notes=notes.number(*(f"at {shown(p.size)}: {p.reason}" for p in mode.points if p.reason)),
            ),
            _TOO_SMALL if _is_flat(mode) else mode.exponent.measured,
            mode.exponent.predicted,
        )
        for mode in scaling.modes
    ]
    columns = [
        Column("mode"),
        Column("measured exponent", "number"),
        Column("predicted exponent", "number"),
    ]
    note = (
        f"Cost grows as {called(scaling.along)} to this power: time where measured, multiply-adds where "
        "predicted."
    )
    return Table(columns, rows, "How cost grows", note, notes.texts)


def _is_flat(mode: ScalingMode) -> bool:
    """Tell whether the times are nearly the same at all sizes: they are overhead, and tell of no growth."""
    return mode.exponent.measured is not None and abs(mode.exponent.measured) < _FLAT


def _is_one(crossover: Crossover) -> bool:
    return crossover.measured_at is not None or crossover.predicted_at is not None


def _crossovers(scaling: Scaling, crossed: list[Crossover]) -> Table:
    along = called(scaling.along)
    columns = [
        Column("modes"),
        Column(f"measured at {along}", "number"),
        Column(f"predicted at {along}", "number"),
        Column("in words"),
    ]
    rows = [(" and ".join(one.modes), one.measured_at, one.predicted_at, one.sentence) for one in crossed]
    others = [one for one in scaling.crossovers if one not in crossed]
    note = f"{counted(len(others), 'other pair')} of modes nowhere change places." if others else ""
    return Table(columns, rows, "Where one overtakes the other", note)


def _nothing_overtakes(scaling: Scaling) -> str:
    """Return in a sentence that no two of the modes compared change places."""
    first = {one.modes[0] for one in scaling.crossovers if one.modes}
    who = f"No mode overtakes {called(next(iter(first)))}" if len(first) == 1 else "No mode overtakes another"
    back = ", or is overtaken by it," if len(first) == 1 else ""
    return (
        f"{who}{back} between these sizes, neither by the time measured nor by the multiply-adds predicted."
    )


def _figures(scaling: Scaling, styles: Mapping[str, int]) -> Iterator[Figure]:
    measured = [(c.measured_at, c.modes) for c in scaling.crossovers if c.measured_at is not None]
    predicted = [(c.predicted_at, c.modes) for c in scaling.crossovers if c.predicted_at is not None]
    yield from _figure(
        scaling, styles, "scaling-seconds", "Measured time of a gradient", Axis("time", "s", "log"),
        lambda point: point.seconds.median if point.seconds else None,
        lambda mode: None if _is_flat(mode) else mode.exponent.measured, measured,
    )  # fmt: skip
    yield from _figure(
        scaling, styles, "scaling-multiply-adds", "Predicted multiply-adds of a gradient",
        Axis("multiply-adds", "count", "log"), lambda point: point.multiply_adds,
        lambda mode: mode.exponent.predicted, predicted,
    )  # fmt: skip
    yield from _figure(
        scaling, styles, "scaling-memory", "Peak memory of a gradient", Axis("peak memory", "B", "log"),
        lambda point: point.peak_bytes, lambda _: None, [],
    )  # fmt: skip


def _figure(
    scaling: Scaling,
    styles: Mapping[str, int],
    name: str,
    title: str,
    y: Axis,
    read: Callable[[ScalingPoint], float | None],
    exponent: Callable[[ScalingMode], float | None],
    crossings: list[tuple[float, list[str]]],
) -> Iterator[Figure]:
    modes = [mode for mode in scaling.modes if any(read(point) is not None for point in mode.points)]
    if not modes:
        return
    x = Axis(called(scaling.along), "size", "log")
    series = [
        Series(
            mode.mode,
            [point.size for point in mode.points],
            [read(point) for point in mode.points],
            styles.get(mode.mode, 0),
            *_iqr(mode, y.unit),
        )
        for mode in modes
    ]
    uprights = [Upright(at, plain(at, 3)) for at, _ in crossings[:_MOST_UPRIGHTS] if at > 0]
    table = Table(
        [
            Column("mode"),
            Column(called(scaling.along), "number", "count"),
            Column("parameters", "number", "count"),
            Column(y.label, "number", y.unit),
            Column("left out"),
        ],
        [
            (mode.mode, point.size, point.parameters, read(point), point.reason)
            for mode in scaling.modes
            for point in mode.points
        ],
    )
    caption = _caption(modes, y, read, exponent, crossings)
    title = f"{title} against {called(scaling.along)}"
    yield Figure(name, title, caption, Lines(x, y, series, uprights), table)


def _iqr(mode: ScalingMode, unit: str) -> tuple[list[float | None], list[float | None]] | tuple[()]:
    if unit != "s":
        return ()
    spreads = [point.seconds for point in mode.points]
    low = [None if s is None else s.median - (s.iqr or 0) / 2 for s in spreads]
    high = [None if s is None else s.median + (s.iqr or 0) / 2 for s in spreads]
    return low, high


def _caption(
    modes: list[ScalingMode],
    y: Axis,
    read: Callable[[ScalingPoint], float | None],
    exponent: Callable[[ScalingMode], float | None],
    crossings: list[tuple[float, list[str]]],
) -> str:
    slopes = [(slope, called(mode.mode)) for mode in modes if (slope := exponent(mode)) is not None]
    words = []
    if len(slopes) > 1:
        flat, steep = min(slopes), max(slopes)
        words.append(
            f"{flat[1]} grows slowest, with exponent {shown(round(flat[0], 2))}, and {steep[1]} fastest, "
            f"with {shown(round(steep[0], 2))}."
        )
    flat_ones = [called(mode.mode) for mode in modes if y.unit == "s" and _is_flat(mode)]
    if flat_ones:
        words.append(f"The times of {listing(flat_ones)} are {_TOO_SMALL}.")
    size = max(point.size for mode in modes for point in mode.points if read(point) is not None)
    ends = [
        (value, called(mode.mode))
        for mode in modes
        for point in mode.points
        if point.size == size and (value := read(point)) is not None
    ]
    least, most = min(ends), max(ends)
    at = f"At {shown(size, 'count')}, the largest,"
    if least[0] == most[0]:
        words.append(f"{at} {listing(name for _, name in ends)} need {shown(least[0], y.unit)}.")
    else:
        words.append(
            f"{at} {least[1]} needs least, {shown(least[0], y.unit)}, and {most[1]} most, "
            f"{shown(most[0], y.unit)}."
        )
    words += [
        f"The upright line at {plain(at, 3)} is where {listing(map(called, names))} change places."
        for at, names in crossings[:_MOST_UPRIGHTS]
    ]
    return " ".join(words)
