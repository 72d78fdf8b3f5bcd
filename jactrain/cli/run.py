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
)
from jactrain.cli.training import echo_result, trained
from jactrain.plugins import load_plugins

if TYPE_CHECKING:
    from jactrain.config.build import Blueprint
    from jactrain.config.models import Config

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
    from jactrain.config.build import check
    from jactrain.config.files import load_document, located
    from jactrain.runs.run import run

    load_plugins(plugins)
    config, document = load_document(config_path, overrides or ())
    with located(document):
        if dry_run:
            blueprint = check(config, to_train=True)
            echo_notes(blueprint.agreement.notes)
            _show_plan(config, blueprint, json)
            return
        result = trained(lambda progress: run(config, runs, given=document.data, listeners=[progress]), json)
    echo_result(result, json)


def _show_plan(config: Config, blueprint: Blueprint, json: bool) -> None:
    plan = blueprint.mode.prepare(blueprint.objective, config.training.batch_size, config.dtype)
    facts = {
        "parameters": blueprint.network.size,
        "examples": blueprint.outline.examples,
        "mode": blueprint.mode.label,
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
        f"{blueprint.mode.label}: {plan.multiply_adds:,} multiply-adds a step of "
        f"{config.training.batch_size} examples, about {rounded(plan.peak_bytes)}"
    )
