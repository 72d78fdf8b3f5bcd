"""Agreement between modes while a run trained: over steps, and parameter by parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from jactrain.report.blocks import (
    detailed_cells,
    detailed_columns,
    judged_cells,
    judged_columns,
    kinks,
    left_out,
    most_different,
    worst_table,
)
from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.heat_map import HeatMap
from jactrain.report.drawings.lines import Lines, Series
from jactrain.report.page import Column, Figure, Notes, Section, Table
from jactrain.report.run_record import MeasurementRecord, RunRecord
from jactrain.report.texts import called, shown

_MOST_COLUMNS = 60  # of a heat map

Grouped = dict[str, list[MeasurementRecord]]


def grouped(run: RunRecord) -> Grouped:
    """Return the measurements of each mode, in the order of their steps."""
    found: Grouped = {}
    for measurement in run.agreement:
        found.setdefault(measurement.mode, []).append(measurement)
    return {mode: sorted(these, key=lambda one: one.step) for mode, these in found.items()}


def agreement_section(run: RunRecord) -> Section:
    """Return the section about agreement, empty where none was measured."""
    modes = grouped(run)
    if not modes:
        return Section("Agreement between modes")
    last = {mode: these[-1] for mode, these in modes.items()}
    notes = Notes()
    columns = [Column("mode"), Column("step", "number", "count"), *judged_columns()]
    rows = [
        (mode, one.step, *judged_cells(one, notes=notes.number(one.reason, kinks(one.kinked))))
        for mode, one in last.items()
    ]
    reference = next(iter(last.values())).reference
    examples = next(iter(last.values())).examples
    on = "" if examples is None else f", on {examples:,} examples of a batch"
    tables = [
        Table(columns, rows, f"At the last comparison, against {called(reference)}{on}", notes=notes.texts),
        worst_table(
            [(mode, one) for mode, one in last.items() if one.worst is not None and one.relative_error]
        ),
    ]
    figures = [*_over_steps(modes), *(figure for mode in modes for figure in _heat_map(mode, modes[mode]))]
    return Section("Agreement between modes", tables=tables, figures=figures)


def _over_steps(modes: Grouped) -> Iterator[Figure]:
    series = [
        Series(mode, [one.step for one in these], [one.relative_error for one in these], style)
        for style, (mode, these) in enumerate(modes.items())
    ]
    if not any(value for one in series for value in one.y) or max(len(one.x) for one in series) < 2:
        return
    largest = [
        (max((value for value in one.y if value is not None), default=0.0), called(one.label))
        for one in series
    ]
    words = "; ".join(f"{name} at most {shown(error, 'error')}" for error, name in largest)
    yield Figure(
        "agreement-by-steps",
        "Relative error over steps",
        f"Over the whole gradient: {words}. {_trend(modes)}".strip(),
        Lines(Axis("steps", "count", "linear"), Axis("relative error", "error", "log"), series),
        Table(
            [Column("mode"), Column("step", "number", "count"), Column("relative error", "number", "error")],
            [(mode, one.step, one.relative_error) for mode, these in modes.items() for one in these],
        ),
    )


def _trend(modes: Grouped) -> str:
    grown = []
    for mode, these in modes.items():
        errors = [one.relative_error for one in these if one.relative_error]
        if len(errors) > 2 and errors[-1] > 3 * errors[0]:
            grown.append(f"{called(mode)} by a factor of {shown(round(errors[-1] / errors[0], 1))}")
    if not grown:
        return ""
    return f"From first to last it grew: {', '.join(grown)}."


def _heat_map(mode: str, these: Sequence[MeasurementRecord]) -> Iterator[Figure]:
    names = [*dict.fromkeys(name for one in these for name in one.blocks)]
    errors = {
        name: [one.blocks[name].relative_error if name in one.blocks else None for one in these]
        for name in names
    }
    known = [
        (error, name, one.step)
        for name, values in errors.items()
        for error, one in zip(values, these, strict=True)
        if error is not None
    ]
    if not known:
        return
    kept = most_different(errors)
    stride = -(-len(these) // _MOST_COLUMNS)
    largest = max(known)
    zeros = sum(error == 0 for error, _, _ in known)
    caption = (
        f"The largest error is {shown(largest[0], 'error')}, in {called(largest[1])} at step "
        f"{largest[2]:,}. Lighter is larger"
        + (f"; in {zeros:,} of {len(known):,} cells, the darkest, nothing differs at all." if zeros else ".")
        + left_out(len(names))
        + ("" if _is_even(these) else " Steps between columns are not all the same.")
    )
    if largest[0] == 0:
        caption = f"{called(mode)} gives exactly the same gradient everywhere."
    yield Figure(
        f"agreement-{mode}",
        f"{called(mode)}: relative error by parameter over steps",
        caption,
        HeatMap(
            kept,
            [f"{one.step:,}" for one in these[::stride]],
            [errors[name][::stride] for name in kept],
            "steps",
            "relative error",
        ),
        Table(
            [Column("step", "number", "count"), Column("parameter"), *detailed_columns()],
            [(one.step, name, *detailed_cells(block)) for one in these for name, block in one.blocks.items()],
        ),
    )


def _is_even(these: Sequence[MeasurementRecord]) -> bool:
    return len({later.step - one.step for one, later in pairwise(these)}) <= 1
