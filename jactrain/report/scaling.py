"""Cost over growing networks, measured and predicted, and where one mode overtakes another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.lines import Lines, Series, Upright
from jactrain.report.page import Column, Figure, Section, Table
from jactrain.report.record import Scaling, ScalingMode, ScalingPoint
from jactrain.report.texts import called, listing, plain, shown

_MOST_UPRIGHTS = 3


def scaling_section(scaling: Scaling, styles: Mapping[str, int]) -> Section:
    """Return the section about growing networks."""
    examples = "" if scaling.examples is None else f", {scaling.examples:,} examples each"
    grown = f"The network is made larger in its {called(scaling.along)}{examples}; nothing is trained."
    return Section(
        f"Growing networks: {called(scaling.along)}",
        [grown],
        [_exponents(scaling), *_crossovers(scaling)],
        [*_figures(scaling, styles)],
    )


def _exponents(scaling: Scaling) -> Table:
    rows = [
        (
            mode.mode,
            mode.exponent.measured,
            mode.exponent.predicted,
            "; ".join(dict.fromkeys(f"at {shown(p.size)}: {p.reason}" for p in mode.points if p.reason)),
        )
        for mode in scaling.modes
    ]
    columns = [
        Column("mode"),
        Column("measured exponent", "number"),
        Column("predicted exponent", "number"),
        Column("left out"),
    ]
    note = (
        f"Cost grows as {called(scaling.along)} to this power: time where measured, multiply-adds where "
        "predicted."
    )
    return Table(columns, rows, "How cost grows", note)


def _crossovers(scaling: Scaling) -> Iterator[Table]:
    if not scaling.crossovers:
        return
    along = called(scaling.along)
    columns = [
        Column("modes"),
        Column(f"measured at {along}", "number"),
        Column(f"predicted at {along}", "number"),
        Column("in words"),
    ]
    rows = [
        (" and ".join(crossing.modes), crossing.measured_at, crossing.predicted_at, crossing.sentence)
        for crossing in scaling.crossovers
    ]
    yield Table(columns, rows, "Where one overtakes the other")


def _figures(scaling: Scaling, styles: Mapping[str, int]) -> Iterator[Figure]:
    measured = [(c.measured_at, c.modes) for c in scaling.crossovers if c.measured_at is not None]
    predicted = [(c.predicted_at, c.modes) for c in scaling.crossovers if c.predicted_at is not None]
    yield from _figure(
        scaling, styles, "scaling-seconds", "Measured time of a gradient", Axis("time", "s", "log"),
        lambda point: point.seconds.median if point.seconds else None,
        lambda mode: mode.exponent.measured, measured,
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
