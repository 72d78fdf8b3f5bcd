"""`jactrain evaluate`."""

from __future__ import annotations

from jactrain.cli.common import Json, Plugins, RunPath, echo_json, echo_table, load_plugins

NAME = "evaluate"


def command(run: RunPath, plugins: Plugins = None, json: Json = False) -> None:
    """Evaluate a trained run on its training and validation data.

    Example: jactrain evaluate runs/20260101T120000Z-digits-1a2b
    """
    from jactrain.config.build import build
    from jactrain.runs.configuration import configuration_of
    from jactrain.runs.directory import RunDirectory
    from jactrain.runs.model import Model
    from jactrain.training.metrics import evaluate

    load_plugins(plugins)
    directory = RunDirectory.open(run)
    model = Model.load(directory)
    experiment = build(configuration_of(directory))
    parts = {"train": experiment.training, "validation": experiment.validation}
    metrics = {
        name: {"examples": len(part.x), **evaluate(experiment, model.parameters, part)}
        for name, part in parts.items()
        if part is not None
    }
    if json:
        echo_json({"run": str(run), **metrics})
        return
    from jactrain.cli.tables import metrics_table

    echo_table(metrics_table(metrics))
