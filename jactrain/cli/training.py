"""What `run` and `resume` share: progress, interruption, and what is said at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jactrain.cli.common import echo_json, echo_notes, echo_table
from jactrain.errors import FileAccessError, UsageError

if TYPE_CHECKING:
    from jactrain.cli.progress import ProgressListener
    from jactrain.runs.session import RunResult


def trained(train: Callable[[ProgressListener], RunResult], json: bool) -> RunResult:
    """Return what `train` does, its progress shown; where it is interrupted, say how to go on, and exit."""
    from jactrain.cli.progress import ProgressListener

    try:
        with ProgressListener(quiet=json) as progress:
            return train(progress)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; {_way_on(progress.folder)}", err=True)
        raise typer.Exit(130) from None
    except FileAccessError as error:
        raise FileAccessError(f"{error}; {_way_on(progress.folder)}") from None


def _way_on(folder: Path | None) -> str:
    """Return in words what there is of a run in `folder` that ended before its end."""
    from jactrain.runs.checkpoints import command_to_go_on
    from jactrain.runs.configuration import configuration_of
    from jactrain.runs.directory import RunDirectory

    if folder is None:
        return "nothing written"
    run = RunDirectory(folder)
    command = ""
    with contextlib.suppress(UsageError):
        command = command_to_go_on(run, configuration_of(run))
    return f"go on with: {command}" if command else f"what was trained until then is in {folder}"


def echo_result(result: RunResult, json: bool) -> None:
    """Print what a training came to."""
    if json:
        echo_json(_facts(result))
    else:
        _show(result)


def _facts(result: RunResult) -> dict[str, object]:
    return {
        "folder": str(result.folder),
        "epochs": result.epochs,
        "stopped_early": result.stopped_early,
        "kept_epoch": result.kept_epoch,
        "steps": result.steps,
        "seconds": result.seconds,
        "multiply_adds": result.multiply_adds,
        "metrics": result.metrics,
        "agreement": [
            {"step": result.agreement_step, **measurement.as_json()}
            for measurement in result.agreement.values()
        ],
        "disagreements": result.disagreements,
        "notes": result.experiment.notes,
    }


def _show(result: RunResult) -> None:
    from jactrain.cli.tables import (
        agreement_heading,
        agreement_reasons,
        agreement_table,
        counted,
        disagreements,
        metrics_table,
    )

    parts: dict[str, dict[str, float | None]] = {}
    for name, value in result.metrics.items():
        part, _, score = name.partition("_")
        parts.setdefault(part, {})[score] = value
    typer.echo(
        f"{counted(result.epochs, 'epoch')}, {counted(result.steps, 'step')}, {result.seconds:.3g} s of "
        f"training, {result.multiply_adds:.3g} multiply-adds"
    )
    if result.stopped_early or result.kept_epoch < result.epochs:
        typer.echo(result.ending)
    typer.echo("")
    echo_table(metrics_table(parts))
    if result.agreement:
        typer.echo("")
        measurements = result.agreement.values()
        typer.echo(f" {agreement_heading(result)}\n")
        echo_table(agreement_table(measurements))
        typer.echo(f"\n {agreement_reasons(measurements)}")
        echo_notes(disagreements(result))
    typer.echo("")
    typer.echo(str(result.folder))
