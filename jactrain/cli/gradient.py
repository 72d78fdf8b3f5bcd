"""`jactrain gradient`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jactrain.cli.common import (
    ConfigPath,
    Json,
    Overrides,
    Plugins,
    echo_engine,
    echo_json,
    require_folder,
)
from jactrain.plugins import load_plugins

NAME = "gradient"


def command(
    config_path: ConfigPath,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.npz", help="The npz file to write.")],
    mode_text: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="MODE",
            help="A mode by name, or as '{forward: {seeds: outputs}}'; the configuration's if left out.",
        ),
    ] = None,
    overrides: Overrides = None,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Write the loss and the gradient of one batch to a file.

    Example: jactrain gradient configs/iris.yaml --mode forward --out gradient.npz

    The batch is the first of the training data, the parameters are the initial ones, and noise (dropout)
    is off. The file holds loss, x, y, parameters/<layer>/<name>, gradient/<layer>/<name>, and config, the
    resolved configuration as JSON.
    """
    import numpy as np

    from jactrain.config.build import build
    from jactrain.config.files import load_document, located
    from jactrain.config.resolved import resolved
    from jactrain.files import as_json, write_atomically
    from jactrain.objective import Batch
    from jactrain.runs.model import named_parameters

    load_plugins(plugins)
    require_folder(out)
    changes = [*(overrides or ()), *([f"mode={mode_text}", "agreement=null"] if mode_text else ())]
    config, document = load_document(config_path, changes)
    echo_engine(config)
    with located(document):
        experiment = build(config)
    count = config.training.batch_size
    part = experiment.training
    batch = Batch(part.x[:count], part.targets[:count])
    parameters = experiment.initial_parameters
    plan = config.mode.prepare(experiment.objective, batch.examples, experiment.dtype)
    result = config.mode.value_and_gradient(
        experiment.objective, parameters, batch, plan, np.random.default_rng(config.seed)
    )
    y = part.y[:count] if part.y.ndim == 1 else batch.targets
    arrays = {
        "loss": np.asarray(result.value),
        "x": batch.x,
        "y": y,
        "config": np.asarray(as_json(resolved(config))),
        **named_parameters(experiment.network, parameters),
        **named_parameters(experiment.network, result.gradient, "gradient"),
    }
    write_atomically(out, lambda file: np.savez(file, **arrays))
    if json:
        echo_json(
            {
                "out": str(out),
                "mode": config.mode.label,
                "loss": float(result.value),
                "gradient_norm": float(np.linalg.norm(result.gradient)),
                "examples": batch.examples,
                "parameters": experiment.network.size,
                "multiply_adds": result.work.multiply_adds,
            }
        )
        return
    typer.echo(
        f"{config.mode.label}: loss {float(result.value):.6g}, gradient norm "
        f"{float(np.linalg.norm(result.gradient)):.6g}, {batch.examples} examples, "
        f"{experiment.network.size} parameters, {result.work.multiply_adds:.3g} multiply-adds",
        err=True,
    )
    typer.echo(str(out))
