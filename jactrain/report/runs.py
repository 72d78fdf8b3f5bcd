"""The page of one run, and of several together, from their folders alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jactrain.errors import JactrainError, RunError
from jactrain.report.agreement_over_steps import agreement_section
from jactrain.report.curves import curves_of_one, curves_of_several, metric_names
from jactrain.report.metric_words import lower_is_better, metric_unit, worded
from jactrain.report.page import Cell, Column, Page, Section, Table
from jactrain.report.run_headlines import headline_of_one, headline_of_several
from jactrain.report.run_record import RunRecord, read_run
from jactrain.report.settings import differences
from jactrain.report.texts import counted, listing, one_line, shown


@dataclass(frozen=True)
class Unreadable:
    """A run of which nothing can be shown, and why."""

    folder: Path
    reason: str


@dataclass(frozen=True)
class Runs:
    """The runs that could be read, told apart by their labels, and those that could not."""

    records: Sequence[RunRecord]
    unreadable: Sequence[Unreadable] = ()


def read_runs(folders: Sequence[Path]) -> Runs:
    """Return every run once, and why others cannot be read; RunError where none could be."""
    records, unreadable = [], []
    for folder in dict.fromkeys(folders):
        try:
            records.append(read_run(folder))
        except JactrainError as error:
            unreadable.append(Unreadable(folder, str(error)))
    if not records:
        raise RunError("; ".join(one.reason for one in unreadable) or "no run was given")
    return Runs(_told_apart(records), unreadable)


def _told_apart(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Return `runs` with labels: the name, with what differs where several have the same.

    That is the setting in which they differ if it is a single one, else the four hexadecimal digits of the
    folder, or at last its path.
    """
    labels = []
    for run in runs:
        namesakes = [other for other in runs if other.name == run.name]
        if len(namesakes) == 1:
            labels.append(run.name)
            continue
        found = (
            differences([other.configured for other in namesakes])
            if all(other.configured for other in namesakes)
            else []
        )
        if len(found) == 1 and len({*found[0].cells}) == len(namesakes):
            cell = found[0].cells[next(i for i, other in enumerate(namesakes) if other is run)]
            labels.append(f"{run.name} ({_last_part(found[0].path)}: {cell})")
        else:
            labels.append(run.label)
    return [
        replace(run, label=label if labels.count(label) == 1 else str(run.folder))
        for run, label in zip(runs, labels, strict=True)
    ]


def _last_part(path: str) -> str:
    """Return `learning_rate` of `optimizer.sgd.learning_rate`, but `network.1` whole."""
    part = path.rpartition(".")[2]
    return path if part.isdecimal() else part


def runs_page(runs: Runs) -> Page:
    """Return the page of `runs`: a run's own where one alone was given, and that of several elsewhere."""
    if len(runs.records) == 1 and not runs.unreadable:
        return _page_of_one(runs.records[0])
    return _page_of_several(runs)


def _page_of_one(run: RunRecord) -> Page:
    """Return the page of `run`."""
    return Page(
        title=f"Run {run.label}",
        headline=headline_of_one(run),
        facts=_facts(run),
        warnings=run.faults,
        sections=[
            Section("Final figures", tables=[_final_table(run)], figures=[*curves_of_one(run)])
            if run.metrics
            else Section("Final figures", ["No epoch was finished."]),
            agreement_section(run),
        ],
        configurations={"Configuration": run.configuration} if run.configuration else {},
        environments={"Environment": run.environment} if run.environment else {},
    )


def _page_of_several(runs: Runs) -> Page:
    """Return the page of `runs`."""
    records = runs.records
    names = metric_names(records)
    warnings = [
        *(one.reason for one in runs.unreadable),
        *(f"{run.label}: {fault}" for run in records for fault in run.faults),
    ]
    return Page(
        title=f"{counted(len(records), 'run')} side by side",
        headline=headline_of_several(records),
        warnings=warnings,
        sections=[
            Section("Final figures", tables=[_figures_table(records, names)]),
            _settings_section(records),
            Section("Curves", figures=[*curves_of_several(records, names)]),
        ],
        configurations={
            f"Configuration of {run.label}": run.configuration for run in records if run.configuration
        },
        environments={f"Environment of {run.label}": run.environment for run in records if run.environment},
    )


def _facts(run: RunRecord) -> dict[str, str]:
    facts = {
        "Folder": str(run.folder),
        "Status": run.meta.status,
        "Ending": run.meta.exit_reason,
        "Started": run.meta.started.replace("T", " "),
        "Ended": run.meta.ended.replace("T", " "),
        "Examples": listing(f"{count:,} {part}" for part, count in run.meta.examples.items()),
        "Epochs": _last(run, "epoch", "count"),
        "Steps": _last(run, "step", "count"),
        "Training time": _last(run, "seconds", "s"),
        "Multiply-adds": _last(run, "multiply_adds", "count"),
    }
    return {name: one_line(fact) for name, fact in facts.items() if fact}


def _last(run: RunRecord, name: str, unit: str) -> str:
    value = run.metrics[-1].get(name) if run.metrics else None
    return "" if value is None else shown(value, unit)


def _final_table(run: RunRecord) -> Table:
    last = run.metrics[-1]
    early = run.kept is not None and run.kept is not last
    recorded = "last epoch recorded" if run.cut_short else "last epoch"
    columns = [
        Column("figure"),
        Column("kept" if early else recorded),
        Column("best"),
        Column("at epoch", "number", "count"),
    ]
    if early:
        columns.insert(2, Column(recorded))
    rows: list[list[Cell]] = []
    for name in metric_names([run]):
        unit = metric_unit(name)
        known = [(v, line.get("epoch")) for line in run.metrics if (v := line.get(name)) is not None]
        best = (min if lower_is_better(name) else max)(known, key=lambda pair: pair[0], default=(None, None))
        row: list[Cell] = [worded(name), shown(run.figures.get(name), unit), shown(best[0], unit), best[1]]
        if early:
            row.insert(2, shown(last.get(name), unit))
        rows.append(row)
    return Table(columns, rows)


def _figures_table(runs: Sequence[RunRecord], names: Sequence[str]) -> Table:
    columns = [Column("run"), Column("status", "verdict")]
    columns += [Column(worded(name), "number", metric_unit(name)) for name in names]
    columns += [
        Column("epochs", "number", "count"),
        Column("steps", "number", "count"),
        Column("training time", "number", "s"),
        Column("multiply-adds", "number", "count"),
    ]
    rows = []
    for run in runs:
        last = run.metrics[-1] if run.metrics else {}
        places = (last.get(name) for name in ("epoch", "step", "seconds", "multiply_adds"))
        rows.append((run.label, run.meta.status, *(run.figures.get(name) for name in names), *places))
    unkept = [one_line(run.label) for run in runs if run.metrics and run.kept is None]
    note = "Figures are those of the weights that were kept."
    if unkept:
        of = "" if len(unkept) == len(runs) else f" of {listing(unkept)}"
        last_epoch = f"Those{of} are of the last epoch recorded: which weights were kept is not known."
        note = last_epoch.replace("Those", "Figures") if not of else f"{note} {last_epoch}"
    return Table(columns, rows, note=note)


def _settings_section(runs: Sequence[RunRecord]) -> Section:
    """Return the settings in which the runs differ; what a run does not have is `–`."""
    readable = [run for run in runs if run.configured]
    if len(readable) < 2:
        return Section("Differing settings")
    found = differences([run.configured for run in readable])
    if not found:
        return Section("Differing settings", ["The configurations are the same."])
    columns = [Column("setting"), *(Column(run.label) for run in readable)]
    rest = [one_line(run.label) for run in runs if not run.configured]
    note = (
        f"The configuration of {listing(rest)} cannot be read."
        if rest
        else "All other settings are the same."
    )
    rows = [(path, *cells) for path, cells in found]
    return Section("Differing settings", tables=[Table(columns, rows, note=note)])
