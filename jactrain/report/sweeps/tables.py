"""The tables of a sweep: what differs, what each setting reached, and the cells that did not finish."""

from __future__ import annotations

from collections.abc import Sequence

from jactrain.report.curves import metric_names
from jactrain.report.metric_words import metric_unit, worded
from jactrain.report.page import Cell, Column, Noted, Notes, Section, Table
from jactrain.report.run_record import MeasurementRecord
from jactrain.report.sweeps.record import NOT_BEGUN, SweepRecord
from jactrain.report.sweeps.settings import (
    Ranking,
    Setting,
    Spread,
    number,
    numeric_factors,
    short_names,
    spread_of,
    value_text,
)
from jactrain.report.texts import called, counted, listing, plain, shortened, shown

_MOST_SETTINGS = 500  # rows of a table; results.csv has all
_MOST_CELLS = 100
_MOST_VALUES = 12
_MOST_DIGITS = 8
_PLACES = {"seconds": ("training time", "s"), "multiply_adds": ("multiply-adds", "count")}
_WORST = ("failed", "disagree", "undecided", "agree")  # verdicts, the worst first
_ORDER = ("failed", "diverged", "damaged", "killed", "interrupted", "running", "pruned")


def factors_section(sweep: SweepRecord, settings: Sequence[Setting]) -> Section:
    """Return the section of what differs between the cells."""
    seeds = [*dict.fromkeys(cell.entry.seed for cell in sweep.cells)]
    names = short_names(sweep.factors)
    numeric = numeric_factors(sweep, settings)
    rows: list[Sequence[Cell]] = []
    for index, (factor, name) in enumerate(zip(sweep.factors, names, strict=True)):
        values = [setting.values[index] for setting in settings]
        if index in numeric:
            values = sorted(values, key=lambda value: number(value) or 0.0)
        digits = 4 if len(values) > _MOST_VALUES else 9
        rows.append((factor, name, *_values([value_text(value, digits) for value in values])))
    if len(seeds) > 1:
        rows.append(("seed", "seed", *_values([str(seed) for seed in seeds])))
    if not rows:
        return Section("What differs", ["The cells differ in nothing."])
    columns = [Column("setting"), Column("called here"), Column("values", "number", "count"), Column("which")]
    return Section("What differs", tables=[Table(columns, rows, note="All other settings are the same.")])


def _values(texts: list[str]) -> tuple[int, str]:
    found = [*dict.fromkeys(map(called, texts))]
    if len(found) > _MOST_VALUES:
        shown_ones = f"{', '.join(found[: _MOST_VALUES // 2])}, …, {', '.join(found[-_MOST_VALUES // 2 :])}"
        return len(found), shown_ones
    return len(found), ", ".join(found)


def settings_table(sweep: SweepRecord, ranking: Ranking) -> Table:
    """Return the table of all settings, the best first: figures, cost, and agreement over the repeats."""
    everything = ranking.everything
    shown_ones = everything[:_MOST_SETTINGS]
    repeated = any(len(setting.cells) > 1 for setting in everything)
    numeric = numeric_factors(sweep, everything)
    columns = [Column("trial")] if sweep.search else []
    columns += [
        Column(name, "number", _unit(everything, index)) if index in numeric else Column(name)
        for index, name in enumerate(short_names(sweep.factors))
    ]
    if not columns:
        columns = [Column("setting")]
    metrics = _metrics(everything, ranking)
    columns.append(Column("repeats finished", "number", "count") if repeated else Column("status", "verdict"))
    columns += [Column(worded(name), "number", metric_unit(name)) for name in metrics]
    columns += [Column(name, "number", unit) for name, unit in _PLACES.values()]
    compared = {id(setting): _worst(setting) for setting in shown_ones}
    agreement = any(one is not None for one in compared.values())
    if agreement:
        columns.append(Column("worst agreement", "verdict"))
    notes = Notes()
    rows = []
    for setting in shown_ones:
        row: list[Cell] = [setting.cells[0].entry.name] if sweep.search else []
        row += [
            number(value) if index in numeric else value_text(value, 9)
            for index, value in enumerate(setting.values)
        ]
        row = row or [setting.label]
        row.append(_repeats(setting, notes) if repeated else setting.cells[0].status)
        row += [_figure(setting.spread(name), metric_unit(name)) for name in metrics]
        row += [_cost(setting, key) for key in _PLACES]
        if agreement:
            row.append(_agreement(compared[id(setting)]))
        rows.append(row)
    return Table(columns, rows, note=_note(ranking, repeated, agreement), notes=notes.texts)


def _unit(settings: Sequence[Setting], index: int) -> str:
    """Return the unit of a factor's numbers: all digits where they are few, as people choose them."""
    values = [setting.values[index] for setting in settings]
    return "exact" if all(len(f"{value:.9g}") <= _MOST_DIGITS for value in values) else ""


def _metrics(settings: Sequence[Setting], ranking: Ranking) -> list[str]:
    """Return the names of the main figures, what ranks first and of the training last."""
    names = metric_names([run for setting in settings for run in setting.runs])
    main = [name for name in names if name.startswith("validation") or name in (ranking.metric, "train_loss")]
    found = main if any(name.startswith("validation") for name in main) else names
    return sorted(found, key=lambda name: (name != ranking.metric, name.startswith("train")))


def _figure(spread: Spread | None, unit: str) -> Noted:
    if spread is None:
        return Noted(None)
    if spread.deviation is None:
        return Noted(spread.mean)
    factor = 100.0 if unit == "%" else 1.0
    deviation, low, high = (
        plain(factor * value, count)
        for value, count in ((spread.deviation, 2), (spread.low, 3), (spread.high, 3))
    )
    percent = " %" if unit == "%" else ""
    return Noted(spread.mean, f"± {deviation}{percent}\n{low} to {high}{percent}")


def _cost(setting: Setting, key: str) -> float | None:
    spread = spread_of([run.metrics[-1].get(key) for run in setting.runs if run.metrics])
    return None if spread is None else spread.mean


def _repeats(setting: Setting, notes: Notes) -> Noted:
    """Return how many repeats finished, of how many, with the states of the others."""
    done, count = len(setting.finished), len(setting.cells)
    states = [cell.status for cell in setting.cells if cell.status != "finished"]
    words = listing(f"{states.count(state):,} {called(state)}" for state in dict.fromkeys(states))
    return Noted(done, f"of {count:,}", notes.number(words))


def _worst(setting: Setting) -> MeasurementRecord | None:
    """Return the measurement of agreement that speaks most against any repeat, finished or not."""
    found = [one for cell in setting.cells if cell.run is not None for one in cell.run.agreement]
    return max(found, key=_badness, default=None)


def _badness(one: MeasurementRecord) -> tuple[int, float]:
    rank = len(_WORST) - _WORST.index(one.verdict) if one.verdict in _WORST else 0
    error = one.relative_error or 0.0
    return rank, error / one.allowed if one.allowed else error


def _agreement(worst: MeasurementRecord | None) -> Cell:
    if worst is None:
        return None
    error = shown(worst.relative_error, "error")
    return Noted(worst.verdict or "not judged", f"{error}\n{shortened(worst.mode, 20)}")


def _note(ranking: Ranking, repeated: bool, agreement: bool) -> str:
    words = ["Figures are those of the weights that were kept."]
    if repeated:
        words = [
            "Figures are means over the repeats that finished, of the weights that were kept; below, ± the "
            "standard deviation, and the lowest and the highest. Times and multiply-adds are means."
        ]
    if agreement:
        words.append("Below the worst verdict stand its relative error and the mode that was compared.")
    if len(ranking.ranked) > 1:
        words.append(f"The best by {worded(ranking.metric)} come first.")
    if len(ranking.everything) > _MOST_SETTINGS:
        rows = f"The first {_MOST_SETTINGS:,} of {len(ranking.everything):,}"
        words.append(f"{rows} are here; results.csv has all.")
    return " ".join(words)


def unfinished_section(sweep: SweepRecord, ranking: Ranking) -> Section:
    """Return the section of the cells that did not finish, each with its reason; empty where all did."""
    title = "Trials that did not finish" if sweep.search else "Cells that did not finish"
    labels = {cell.entry.name: setting.label for setting in ranking.everything for cell in setting.cells}
    ended = [cell for cell in sweep.cells if cell.status not in ("finished", NOT_BEGUN)]
    ended.sort(key=lambda cell: _ORDER.index(cell.status) if cell.status in _ORDER else len(_ORDER))
    waiting = sweep.with_status(NOT_BEGUN)
    texts = []
    if waiting:
        named = listing((called(cell.entry.name) for cell in waiting), 6)
        texts.append(f"{counted(len(waiting), 'cell')} not begun: {named}.")
    if not ended:
        return Section(title, texts)
    columns = [
        Column("cell"),
        Column("status", "verdict"),
        Column("reason"),
        Column("epochs", "number", "count"),
        *([] if sweep.search else [Column("setting"), Column("seed")]),
    ]
    rows = [
        (
            cell.entry.name,
            cell.status,
            cell.reason,
            cell.run.metrics[-1].get("epoch") if cell.run is not None and cell.run.metrics else None,
            *([] if sweep.search else [labels[cell.entry.name], str(cell.entry.seed)]),
        )
        for cell in ended[:_MOST_CELLS]
    ]
    more = len(ended) - _MOST_CELLS
    note = f"{counted(more, 'further cell')} like these; results.csv has all." if more > 0 else ""
    return Section(title, texts, [Table(columns, rows, note=note)])
