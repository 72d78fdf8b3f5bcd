"""`jactrain evaluate`."""

from __future__ import annotations

from jactrain.cli.common import Json, Plugins, RunPath, echo_json, echo_notes, echo_table
from jactrain.plugins import load_plugins

NAME = "evaluate"


def command(run: RunPath, plugins: Plugins = None, json: Json = False) -> None:
    """Evaluate a trained run on its training and validation data, scaled as in its training.

    Example: jactrain evaluate runs/20260101T120000Z-digits-1a2b
    """
    from jactrain.runs.directory import RunDirectory
    from jactrain.runs.evaluation import evaluate_run

    load_plugins(plugins)
    evaluation = evaluate_run(RunDirectory.open(run))
    echo_notes(evaluation.notes)
    if json:
        echo_json({"run": str(run), **evaluation.parts})
        return
    from jactrain.cli.tables import metrics_table

    echo_table(metrics_table(evaluation.parts))
