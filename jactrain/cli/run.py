"""`jactrain run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jactrain.cli.common import (
    ConfigPath,
    Json,
    Overrides,
    Plugins,
    echo_json,
    echo_notes,
    echo_table,
    load_plugins,
)

if TYPE_CHECKING:
    from jactrain.config.build import Blueprint
    from jactrain.config.models import Config
    from jactrain.runs.run import RunResult

NAME = "run"


def command(
    config_path: ConfigPath,
    overrides: Overrides = None,
    runs: Annotated[
        Path, typer.Option("--runs", metavar="DIR", help="Where the run's folder is made.")
    ] = Path("runs"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and show the plan; train and write nothing.")
    ] = False,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Train what a configuration describes, and check its gradients.

    Example: jactrain run configs/digits.yaml --set training.epochs=10

    Losses, scores and the agreement between modes are shown, and logged in a new folder.
    """
    from jactrain.cli.progress import ProgressListener
    from jactrain.config.build import check
    from jactrain.config.files import load_document, located
    from jactrain.runs.run import run

    load_plugins(plugins)
    config, document = load_document(config_path, overrides or ())
    with located(document):
        if dry_run:
            blueprint = check(config)
            echo_notes(blueprint.agreement.notes)
            _show_plan(config, blueprint, json)
            return
        try:
            with ProgressListener(quiet=json) as progress:
                result = run(config, runs, given=document.data, listeners=[progress])
        except KeyboardInterrupt:
            kept = (
                f"what was trained until then is in {progress.folder}"
                if progress.folder
                else "nothing written"
            )
            typer.echo(f"interrupted; {kept}", err=True)
            raise typer.Exit(130) from None
    if json:
        echo_json(_facts(result))
    else:
        _show(result)


def _show_plan(config: Config, blueprint: Blueprint, json: bool) -> None:
    plan = config.mode.prepare(blueprint.objective, config.training.batch_size, config.dtype)
    facts = {
        "parameters": blueprint.network.size,
        "examples": blueprint.outline.examples,
        "mode": config.mode.label,
        "multiply_adds_per_step": plan.multiply_adds,
        "predicted_peak_bytes": plan.peak_bytes,
    }
    if json:
        echo_json(facts)
        return
    from jactrain.cli.tables import chain_table
    from jactrain.modes.memory import rounded

    echo_table(chain_table(blueprint))
    typer.echo(
        f"{config.mode.label}: {plan.multiply_adds:,} multiply-adds a step of "
        f"{config.training.batch_size} examples, about {rounded(plan.peak_bytes)}"
    )


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
        "notes": result.experiment.notes,
    }


def _show(result: RunResult) -> None:
    from jactrain.cli.tables import (
        agreement_heading,
        agreement_reasons,
        agreement_table,
        counted,
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
    typer.echo("")
    typer.echo(str(result.folder))
