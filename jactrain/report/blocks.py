"""Agreement parameter by parameter, as a table of all and a heat map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from jactrain.report.drawings.heat_map import HeatMap
from jactrain.report.page import Cell, Column, Figure, Noted, Section, Table
from jactrain.report.record import ComparisonRecord, Entry, Judged, ModeRecord
from jactrain.report.texts import called, shown

MOST_ROWS = 40  # of a heat map; the parameters with the largest errors are kept


def block_section(record: ComparisonRecord) -> Section:
    """Return the section about single parameters: worst entries, and errors by mode and parameter."""
    compared = [mode for mode in record.modes if mode.verdict != "reference"]
    worst = [(mode.mode, mode) for mode in compared if mode.worst is not None and mode.relative_error]
    tables = [worst_table(worst)] if worst else []
    return Section("Where they differ", tables=tables, figures=[*_heat_map(compared)])


def worst_table(rows: Sequence[tuple[str, Judged]]) -> Table:
    """Return a table of the entries that differ most, one for each named judgement."""
    columns = [Column("mode"), *_ENTRY_COLUMNS, Column("difference", "number", "error")]
    return Table(columns, [(name, *_entry_cells(judged.worst)) for name, judged in rows], "Worst entries")


_ENTRY_COLUMNS = (
    Column("worst entry"),
    Column("value", "number", "exact"),
    Column("value of the reference", "number", "exact"),
)


def _entry_cells(entry: Entry | None) -> tuple[Cell, ...]:
    """Return the place of an entry, both values, and their difference."""
    if entry is None:
        return None, None, None, None
    known = entry.value is not None and entry.reference is not None
    difference = abs((entry.value or 0) - (entry.reference or 0)) if known else None
    return entry.place, entry.value, entry.reference, difference


def judged_columns() -> list[Column]:
    """Return the columns for `judged_cells`."""
    return [
        Column("verdict", "verdict"),
        Column("relative error", "number", "error"),
        Column("allowed", "number", "error"),
        Column("cosine", "number", "cosine"),
    ]


def judged_cells(judged: Judged, drawn: bool = False, notes: tuple[int, ...] = ()) -> tuple[Cell, ...]:
    """Return the verdict, with the numbers of its notes, and the figures that it rests on.

    drawn: whether they are of the mean of draws of an estimate, which agrees only on average.
    """
    word = "agree on average" if drawn and judged.verdict == "agree" else judged.verdict
    return (
        Noted(word, notes=notes),
        judged.relative_error,
        judged.allowed,
        judged.cosine,
    )


def detailed_columns() -> list[Column]:
    """Return the columns for `detailed_cells`."""
    return [*judged_columns(), Column("norm ratio", "number", "cosine"), *_ENTRY_COLUMNS]


def detailed_cells(judged: Judged, drawn: bool = False) -> tuple[Cell, ...]:
    """Return all figures of one comparison, with the worst entry."""
    return *judged_cells(judged, drawn), judged.norm_ratio, *_entry_cells(judged.worst)[:3]


def kinks(count: int) -> str:
    """Return in words how many entries were left out of a comparison; empty for none."""
    return f"{count:,} {'entry' if count == 1 else 'entries'} at a kink set apart" if count else ""


def most_different(errors: Mapping[str, Sequence[float | None]]) -> list[str]:
    """Return at most 40 of the names, in their order: those with the largest errors."""
    largest = {name: max([-1.0, *(e for e in values if e is not None)]) for name, values in errors.items()}
    kept = {*sorted(largest, key=lambda name: largest[name], reverse=True)[:MOST_ROWS]}
    return [name for name in errors if name in kept]


def left_out(names: int) -> str:
    """Return a sentence about the parameters that a heat map leaves out."""
    return (
        f" The {MOST_ROWS} parameters of {names:,} that differ most are shown." if names > MOST_ROWS else ""
    )


def _heat_map(modes: Sequence[ModeRecord]) -> Iterator[Figure]:
    shown_modes = [mode for mode in modes if any(block.relative_error is not None for block in mode.blocks)]
    names = [*dict.fromkeys(block.parameter for mode in shown_modes for block in mode.blocks)]
    if not names:
        return
    found = {
        mode.mode: {block.parameter: block.relative_error for block in mode.blocks} for mode in shown_modes
    }
    errors = {name: [blocks.get(name) for blocks in found.values()] for name in names}
    kept = most_different(errors)
    largest = max(
        (error, mode, name)
        for mode, blocks in found.items()
        for name, error in blocks.items()
        if error is not None
    )
    caption = (
        f"The largest error is {shown(largest[0], 'error')}, of {called(largest[1])} in "
        f"{called(largest[2])}. Lighter is larger.{left_out(len(names))}"
    )
    if any(mode.draws for mode in shown_modes):
        caption += " Of estimates it is the error of the mean of many draws."
    yield Figure(
        "error-by-parameter",
        "Relative error by mode and parameter",
        caption,
        HeatMap(kept, [*found], [errors[name] for name in kept], "", "relative error", slanted=True),
        Table(
            [Column("mode"), Column("parameter"), *detailed_columns()],
            [
                (mode.mode, block.parameter, *detailed_cells(block, mode.draws))
                for mode in shown_modes
                for block in mode.blocks
            ],
        ),
    )
