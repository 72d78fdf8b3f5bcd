"""The page of a sweep, from its folder alone."""

from __future__ import annotations

import shlex
from typing import Any

from jactrain.report.metric_words import worded
from jactrain.report.page import Page, Section
from jactrain.report.sweeps.curves import curves
from jactrain.report.sweeps.factors import factor_figures
from jactrain.report.sweeps.headline import headline, lead
from jactrain.report.sweeps.record import CellRecord, SweepRecord
from jactrain.report.sweeps.settings import Ranking, ranking_of, settings_of, spread_of
from jactrain.report.sweeps.tables import factors_section, settings_table, unfinished_section
from jactrain.report.sweeps.trials import trials
from jactrain.report.texts import counted, one_line, shown
from jactrain.runs.directory import RunDirectory


def sweep_page(sweep: SweepRecord) -> Page:
    """Return the page of `sweep`."""
    settings = settings_of(sweep)
    ranking = ranking_of(sweep, settings)
    best = best_cell(ranking)
    noun = "Trials" if sweep.search else "Settings"
    return Page(
        title=f"{'Search' if sweep.search else 'Sweep'}: {one_line(sweep.name) or sweep.folder.name}",
        headline=headline(sweep, ranking),
        lead=lead(sweep, ranking),
        facts=_facts(sweep, ranking, best),
        warnings=[
            *(f"{one_line(cell.entry.name)}: {cell.reason}" for cell in sweep.with_status("damaged")),
            *sweep.faults,
        ],
        sections=[
            Section(
                noun,
                tables=[settings_table(sweep, ranking)] if settings else [],
                figures=[*trials(sweep, ranking), *factor_figures(sweep, ranking)],
            ),
            Section("Learning curves", figures=[*curves(ranking)]),
            unfinished_section(sweep, ranking),
            factors_section(sweep, settings),
        ],
        configurations=_configurations(sweep, best),
        environments=_environments(best),
    )


def best_cell(ranking: Ranking) -> CellRecord | None:
    """Return the best repeat of the best setting; None where nothing is ranked."""
    if not ranking.ranked:
        return None
    known = [
        (figure, cell)
        for cell in ranking.ranked[0].finished
        if (figure := cell.figures.get(ranking.metric)) is not None
    ]
    return (min if ranking.lower else max)(known, key=lambda pair: pair[0])[1]


def _facts(sweep: SweepRecord, ranking: Ranking, best: CellRecord | None) -> dict[str, str]:
    runs = [cell.run for cell in sweep.cells if cell.run is not None and cell.run.metrics]
    took = spread_of([run.metrics[-1].get("seconds") for run in runs])
    seeds = {cell.entry.seed for cell in sweep.cells}
    facts = {
        "Folder": str(sweep.folder),
        "Cells": ""
        if sweep.search
        else f"{len(sweep.cells):,}, of {counted(len(ranking.everything), 'setting')}",
        "Trials": f"{len(sweep.cells):,} of {sweep.search.trials:,}" if sweep.search else "",
        "Seeds": f"{len(seeds):,}",
        "Training time, all together": "" if took is None else shown(took.mean * took.count, "s"),
        **_best_facts(ranking, best),
        "The sweep again, or on": sweep.command,
    }
    return {name: one_line(fact) for name, fact in facts.items() if fact}


def _best_facts(ranking: Ranking, best: CellRecord | None) -> dict[str, str]:
    if best is None:
        return {}
    figure = shown(best.figures.get(ranking.metric), ranking.unit)
    config = RunDirectory(best.folder).resolved_config
    return {
        "Best cell": f"{best.entry.name}, seed {best.entry.seed}: {worded(ranking.metric)} {figure}",
        "The best cell again": f"jactrain run {shlex.quote(str(config))}"
        if best.run is not None and best.run.configured
        else "",
    }


def _configurations(sweep: SweepRecord, best: CellRecord | None) -> dict[str, str]:
    found = {"Experiment": sweep.experiment}
    if best is not None and best.run is not None:
        found["Configuration of the best cell"] = best.run.configuration
    return {name: text for name, text in found.items() if text}


def _environments(best: CellRecord | None) -> dict[str, dict[str, Any]]:
    if best is None or best.run is None or not best.run.environment:
        return {}
    return {"Environment of the best cell": best.run.environment}
