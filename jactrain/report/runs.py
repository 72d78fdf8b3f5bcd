"""The page of one run, and of several together, from their folders alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jactrain.errors import JactrainError, RunError
from jactrain.report.agreement_over_steps import agreement_section, grouped
from jactrain.report.curves import column, curves_of_one, curves_of_several, metric_names
from jactrain.report.metric_words import lower_is_better, metric_unit, worded
from jactrain.report.page import Cell, Column, Page, Section, Table
from jactrain.report.run_record import RunRecord, read_run
from jactrain.report.texts import counted, listing, one_line, shown

_SCORES = (
    "validation_accuracy",
    "validation_r2",
    "validation_loss",
    "train_accuracy",
    "train_r2",
    "train_loss",
)


@dataclass(frozen=True)
class Unreadable:
    """A run of which nothing can be shown, and why."""

    folder: Path
    reason: str


@dataclass(frozen=True)
class Runs:
    """The runs that could be read, and those that could not."""

    records: Sequence[RunRecord]
    unreadable: Sequence[Unreadable]


def read_runs(folders: Sequence[Path]) -> Runs:
    """Return every run once; RunError where none could be read."""
    records, unreadable = [], []
    for folder in dict.fromkeys(folders):
        try:
            records.append(read_run(folder))
        except JactrainError as error:
            unreadable.append(Unreadable(folder, str(error)))
    if not records:
        raise RunError("; ".join(one.reason for one in unreadable) or "no run was given")
    return Runs(records, unreadable)


def run_page(folder: Path | str) -> Page:
    """Return the page of the run in `folder`; RunError where nothing of it can be shown."""
    return page_of_one(read_run(Path(folder)))


def runs_page(folders: Sequence[Path | str]) -> Page:
    """Return the page of several runs, with those that could not be read named; RunError for none at all."""
    return page_of_several(read_runs([Path(folder) for folder in folders]))


def page_of_one(run: RunRecord) -> Page:
    """Return the page of `run`."""
    return Page(
        title=f"Run {run.label}",
        headline=_headline(run),
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


def page_of_several(runs: Runs) -> Page:
    """Return the page of `runs`."""
    records = runs.records
    names = metric_names(records)
    warnings = [
        *(f"{one.folder}: {one.reason}" for one in runs.unreadable),
        *(f"{run.label}: {fault}" for run in records for fault in run.faults),
    ]
    return Page(
        title=f"{counted(len(records), 'run')} side by side",
        headline=_headline_of_several(records),
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


def _headline(run: RunRecord) -> str:
    name = one_line(run.meta.name or run.label)
    score = _score(run)
    mode = one_line(run.settings.get("mode", "") or _mode_of(run))
    by = f" by {mode}" if mode else ""
    endings = {"diverged": "diverged", "interrupted": "was interrupted", "failed": "failed"}
    ending = endings.get(run.meta.status, "")
    if not run.metrics:
        return f"{name} {ending or 'finished no epoch'}: {one_line(run.meta.exit_reason)}".rstrip(": ")
    last = run.metrics[-1]
    took = f"after {counted(int(last.get('epoch') or 0), 'epoch')}"
    took += f" and {counted(int(last['step'] or 0), 'step')}"
    if last.get("seconds") is not None:
        took += f", {shown(last['seconds'], 's')} of training{by}"
    if ending:
        words = f"{name} {ending} {took}: {one_line(run.meta.exit_reason)}"
    elif score:
        kept = run.kept
        early = f", at epoch {kept.get('epoch'):,.0f}" if kept is not last else ""
        words = (
            f"{name} reaches a {worded(score)} of {shown(kept.get(score), metric_unit(score))}{early} {took}"
        )
    else:
        words = f"{name} ended {took}"
    return f"{words}{_agreement_words(run)}."


def _mode_of(run: RunRecord) -> str:
    """Return the mode that trained: what others were compared with, or what the settings begin with."""
    if run.agreement:
        return run.agreement[-1].reference
    return next((key.split(".")[1] for key in run.settings if key.startswith("mode.")), "")


def _agreement_words(run: RunRecord) -> str:
    last = {mode: these[-1] for mode, these in grouped(run).items()}
    wrong = [mode for mode, one in last.items() if one.verdict in ("disagree", "failed")]
    if wrong:
        return f"; {listing(map(one_line, wrong))} disagree{'s' if len(wrong) == 1 else ''} with it"
    known = [
        f"{one_line(mode)} to {shown(one.relative_error, 'error')}"
        for mode, one in last.items()
        if one.relative_error is not None
    ]
    return f"; the gradient agrees with that of {listing(known, 3)}" if known else ""


def _score(run: RunRecord) -> str:
    names = [name for name in metric_names([run]) if any(value is not None for value in column(run, name))]
    return next((name for name in _SCORES if name in names), names[0] if names else "")


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
    last, kept = run.metrics[-1], run.kept
    early = kept is not last
    columns = [
        Column("figure"),
        Column("kept" if early else "last epoch"),
        Column("best"),
        Column("at epoch", "number", "count"),
    ]
    if early:
        columns.insert(2, Column("last epoch"))
    rows: list[list[Cell]] = []
    for name in metric_names([run]):
        unit = metric_unit(name)
        known = [(v, line.get("epoch")) for line in run.metrics if (v := line.get(name)) is not None]
        best = (min if lower_is_better(name) else max)(known, key=lambda pair: pair[0], default=(None, None))
        row: list[Cell] = [worded(name), shown(kept.get(name), unit), shown(best[0], unit), best[1]]
        if early:
            row.insert(2, shown(last.get(name), unit))
        rows.append(row)
    return Table(columns, rows)


def _headline_of_several(runs: Sequence[RunRecord]) -> str:
    having = [(run, score) for run in runs if run.metrics and (score := _score(run))]
    scores = {score for _, score in having}
    tasks = {
        tuple(item for item in run.settings.items() if item[0].startswith(("data.", "loss"))) for run in runs
    }
    if len(scores) == 1 and len(tasks) == 1 and len(having) > 1:
        (score,) = scores
        found = [(run.kept.get(score), one_line(run.label)) for run, _ in having]
        known = [(value, label) for value, label in found if value is not None]
        if known:
            lower = lower_is_better(score)
            best, worst = (min(known), max(known)) if lower else (max(known), min(known))
            word, unit = "lowest" if lower else "highest", metric_unit(score)
            if best[0] == worst[0]:
                return f"All {len(known)} runs reach a {worded(score)} of {shown(best[0], unit)}."
            return (
                f"{best[1]} has the {word} {worded(score)} of {counted(len(runs), 'run')}, "
                f"{shown(best[0], unit)}; {worst[1]} has {shown(worst[0], unit)}."
            )
    figures = [
        f"{one_line(run.label)} with a {worded(score)} of {shown(run.kept.get(score), metric_unit(score))}"
        for run, score in having
    ]
    differing = " on different data, whose figures do not compare" if len(tasks) > 1 else ""
    return (
        f"{counted(len(runs), 'run')}{differing}: {listing(figures, 4)}."
        if figures
        else f"{counted(len(runs), 'run')}."
    )


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
        kept, last = (run.kept, run.metrics[-1]) if run.metrics else ({}, {})
        places = (last.get(name) for name in ("epoch", "step", "seconds", "multiply_adds"))
        rows.append((run.label, run.meta.status, *(kept.get(name) for name in names), *places))
    return Table(columns, rows, note="Figures are those of the weights that were kept.")


def _settings_section(runs: Sequence[RunRecord]) -> Section:
    """Return the settings in which the runs differ; what a run does not have is `–`."""
    readable = [run for run in runs if run.settings]
    if len(readable) < 2:
        return Section("Differing settings")
    keys = dict.fromkeys(key for run in readable for key in run.settings)
    differing = [key for key in keys if len({run.settings.get(key) for run in readable}) > 1]
    if not differing:
        return Section("Differing settings", ["The configurations are the same."])
    places = list(dict.fromkeys(key.partition(".")[0] for key in keys))
    differing.sort(key=lambda key: places.index(key.partition(".")[0]))
    columns = [Column("setting"), *(Column(run.label) for run in readable)]
    rows = [(key, *(run.settings.get(key, "–") for run in readable)) for key in differing]
    same = len(keys) - len(differing)
    note = f"{counted(same, 'further setting')} {'is' if same == 1 else 'are'} the same."
    return Section("Differing settings", tables=[Table(columns, rows, note=note)])
