"""`jactrain sweep`."""

from __future__ import annotations

import shlex
import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jactrain.cli.common import Json, Plugins, echo_json, echo_notes, echo_table
from jactrain.errors import FileAccessError, UsageError
from jactrain.plugins import load_plugins

if TYPE_CHECKING:
    from jactrain.sweeps.cells import Sweep
    from jactrain.sweeps.folder import SweepFolder
    from jactrain.sweeps.manner import Manner
    from jactrain.sweeps.prediction import Prediction, Probe
    from jactrain.sweeps.sweep import SweepResult
    from jactrain.sweeps.workers import Workers

NAME = "sweep"
_SHOWN_CELLS = 40


class Backend(StrEnum):
    """Who trains the cells."""

    local = "local"
    dask = "dask"
    ray = "ray"


def command(
    path: Annotated[Path, typer.Argument(metavar="EXPERIMENT", help="An experiment's file (YAML).")],
    runs: Annotated[
        Path, typer.Option("--runs", metavar="DIR", help="Where the experiment's folder is made.")
    ] = Path("runs"),
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes of this machine that train.")] = 1,
    threads: Annotated[
        int, typer.Option("--threads", min=1, help="Threads of each training; results may depend on them.")
    ] = 1,
    backend: Annotated[Backend, typer.Option("--backend", help="Who trains the cells.")] = Backend.local,
    address: Annotated[
        str | None, typer.Option("--address", metavar="URL", help="The scheduler: tcp://host:8786.")
    ] = None,
    bring_back: Annotated[
        bool, typer.Option("--bring-back", help="Workers have file systems of their own; bring folders back.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="List the cells and what they take; train and write nothing.")
    ] = False,
    retry: Annotated[
        bool, typer.Option("--retry", help="Train those cells anew that diverged or failed.")
    ] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Go on though the file has changed since the folder was made.")
    ] = False,
    max_cells: Annotated[
        int, typer.Option("--max-cells", min=1, help="Refuse an experiment of more cells.")
    ] = 10_000,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Train every combination of settings that an experiment lists.

    Example: jactrain sweep configs/experiments/modes.yaml --jobs 2

    Run again, it leaves what is finished, goes on with what was interrupted, and trains what is missing.
    """
    from jactrain.sweeps.manner import Manner
    from jactrain.sweeps.reading import read_sweep

    load_plugins(plugins)
    read = read_sweep(path, max_cells)
    manner = Manner(retry, update, threads, bring_back, tuple(plugins or ()))
    if dry_run:
        from jactrain.sweeps.folder import SweepFolder

        _show_plan(read, SweepFolder(runs / read.name), manner, jobs, json)
        return
    if bring_back and backend is Backend.local:
        raise UsageError("--bring-back is for the workers of a cluster; say --backend dask or ray beside it")
    from jactrain.cli.sweep_progress import SweepProgress
    from jactrain.sweeps.sweep import train_sweep

    try:
        with SweepProgress(quiet=json) as progress:
            result = train_sweep(read, runs, lambda: _workers(backend, jobs, address), manner, progress)
    except FileAccessError as error:
        raise FileAccessError(f"{error}; go on with: {_again()}") from None
    if json:
        echo_json(_facts(result))
    else:
        _show(result)
    if result.interrupted:
        raise typer.Exit(130)
    if not result.is_complete:
        raise typer.Exit(1)


def _workers(backend: Backend, jobs: int, address: str | None) -> Workers:
    from jactrain.sweeps.clusters import DaskWorkers, RayWorkers
    from jactrain.sweeps.workers import LocalWorkers

    if backend is Backend.local:
        if address is not None:
            raise UsageError("--address is a cluster's scheduler; say --backend dask or ray beside it")
        return LocalWorkers(jobs)
    if backend is Backend.ray:
        return RayWorkers(address)
    if address is None:
        raise UsageError("--backend dask needs the address of a scheduler: --address tcp://host:8786")
    return DaskWorkers(address)


def _show_plan(read: Sweep, folder: SweepFolder, manner: Manner, jobs: int, json: bool) -> None:
    """Print what is left to be trained, and what it takes."""
    from jactrain.runs.together import groups
    from jactrain.sweeps.folder import Status, standing
    from jactrain.sweeps.prediction import predictions, probe
    from jactrain.sweeps.record import changes

    if read.experiment.search is not None:
        _show_search(read, json)
        return
    told, other = changes(folder, read.cells)
    if told:
        echo_notes([f"the file has changed since {folder.path} was made: {each}" for each in told])
    anew = {cell.name for cell in other}
    todo, others = [], Counter[Status]()
    for cell in read.cells:
        status = standing(folder.run(cell.name)).status
        if cell.name in anew or manner.takes(status):
            todo.append(cell)
        else:
            others[status] += 1
    predicted = predictions(todo)
    measured = probe(todo, predicted) if todo else None
    is_auto = read.experiment.together == "auto"
    begun = len(groups([cell.config for cell in todo])) if is_auto else len(todo)
    seconds = 0.0 if measured is None else measured.seconds(predicted, begun)
    if json:
        echo_json(
            {
                "cells": [
                    {**each._asdict(), "seed": cell.seed, "settings": cell.settings}
                    for cell, each in zip(todo, predicted, strict=True)
                ],
                "done": sum(count for status, count in others.items() if status.is_end),
                "probe": None if measured is None else measured._asdict(),
                "seconds": seconds,
            }
        )
        return
    besides = ", ".join(f"{count:,} {status.value}" for status, count in others.items())
    if any(status.is_failure for status in others):
        besides += "; --retry trains anew what diverged or failed"
    if measured is None:
        typer.echo(f"nothing to train: {besides}")
        return
    _show_cells(predicted, measured)
    typer.echo(
        f"\n{len(todo):,} cells, {sum(each.multiply_adds for each in predicted):.3g} multiply-adds; about "
        f"{duration(seconds / jobs)} with {jobs} job{'s' * (jobs > 1)}, at the rate of {measured.name}"
        f"{f'; besides: {besides}' if besides else ''}"
    )


def _show_cells(predicted: list[Prediction], measured: Probe) -> None:
    from rich.table import Table

    from jactrain.cli.common import cell as shown
    from jactrain.modes.memory import rounded

    table = Table(box=None, pad_edge=False)
    table.add_column("cell")
    for heading in ("multiply-adds", "memory", "about"):
        table.add_column(heading, justify="right")
    for each in predicted[:_SHOWN_CELLS]:
        about = duration(measured.seconds([each]))
        table.add_row(shown(each.name), f"{each.multiply_adds:.3g}", rounded(each.peak_bytes), about)
    echo_table(table)
    if len(predicted) > _SHOWN_CELLS:
        typer.echo(f"… and {len(predicted) - _SHOWN_CELLS} more; --json lists all")


def _show_search(read: Sweep, json: bool) -> None:
    """Print what a search chooses from; its cells are not known beforehand."""
    search, random = read.experiment.search, read.experiment.random
    if search is None or random is None:
        return
    over = {key: each.model_dump(mode="json", exclude_none=True) for key, each in random.over.items()}
    facts = {"trials": search.optuna.trials, "metric": search.optuna.metric, "over": over}
    if json:
        echo_json(facts)
        return
    from jactrain.config.wording import flow

    typer.echo(f"{search.optuna.trials:,} trials, chosen one after another by {search.optuna.metric}, over:")
    for key, each in over.items():
        typer.echo(f"  {key}: {flow(each)}")


def duration(seconds: float) -> str:
    """Return a time as people say it: 12 s, 3 min, 2.5 h."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"


def _facts(result: SweepResult) -> dict[str, object]:
    return {
        "folder": str(result.folder),
        "interrupted": result.interrupted,
        "complete": result.is_complete,
        "trained": [outcome.name for outcome in result.outcomes],
        "cells": result.rows,
    }


def _again() -> str:
    """Return what was typed, but what has been done by it."""
    return shlex.join(["jactrain", *(each for each in sys.argv[1:] if each not in ("--retry", "--update"))])


def _show(result: SweepResult) -> None:
    from rich.table import Table

    from jactrain.cli.common import cell as shown
    from jactrain.sweeps.folder import Status

    counts = {status: result.count(status) for status in Status}
    told = ", ".join(f"{count:,} {status.value}" for status, count in counts.items() if count)
    typer.echo(f"{len(result.rows):,} cells: {told}")
    as_wanted = {"finished", "pruned"} | ({"interrupted"} if result.interrupted else set())
    failed = [row for row in result.rows if row["reason"] and row["status"] not in as_wanted]
    if failed:
        table = Table(box=None, pad_edge=False)
        for heading in ("cell", "status", "why"):
            table.add_column(heading, overflow="fold")
        for row in failed[:_SHOWN_CELLS]:
            table.add_row(shown(row["name"]), row["status"], shown(row["reason"]))
        typer.echo("")
        echo_table(table)
        if len(failed) > _SHOWN_CELLS:
            typer.echo(f"… and {len(failed) - _SHOWN_CELLS} more; results.csv has all")
    again = _again()
    if counts[Status.DIVERGED] or counts[Status.FAILED]:
        echo_notes(
            [
                f"to train anew what diverged or failed, the same way: {again} --retry; with other settings: "
                "change the file, and say --update"
            ]
        )
    if result.interrupted or any(counts[status] for status in Status if status.is_to_do):
        echo_notes([f"to go on: {again}"])
    typer.echo("")
    if counts[Status.FINISHED]:
        typer.echo(f"its page: jactrain report {shlex.quote(str(result.folder))}\n")
    typer.echo(str(result.folder))
