"""`jactrain predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from jactrain.cli.common import Json, Plugins, RunPath, echo_json, echo_notes, require_folder
from jactrain.plugins import load_plugins

NAME = "predict"


def command(
    run: RunPath,
    file: Annotated[
        Path, typer.Option("--input", metavar="FILE", help="Inputs: a csv file, or an npz file with x.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write a csv file instead of stdout.")
    ] = None,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Predict with a trained run.

    Example: jactrain predict runs/20260101T120000Z-iris-1a2b --input flowers.csv

    Classes come by name, numbers in the data's own units, one row for each input.
    """
    import csv
    import io

    from jactrain.config.wording import escaped
    from jactrain.data.base import Classification
    from jactrain.data.inputs import read_inputs
    from jactrain.files import write_text
    from jactrain.runs.configuration import configuration_of
    from jactrain.runs.directory import RunDirectory
    from jactrain.runs.model import Model, age_of_weights

    load_plugins(plugins)
    if out is not None:
        require_folder(out)
    directory = RunDirectory.open(run)
    model, source = Model.load(directory), configuration_of(directory).data.source
    echo_notes(age_of_weights(directory))
    predictions = model.predict(read_inputs(file, model.network.input_shape, model.features, source))
    if json:
        echo_json({"predictions": predictions.tolist()})
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if isinstance(model.task, Classification):
        writer.writerow(["class"])
        writer.writerows([row] for row in predictions)
    else:
        writer.writerow(model.task.targets)
        writer.writerows(predictions.tolist())
    if out is None and sys.stdout is None:  # it was closed
        return
    if out is None:
        # A terminal acts on what it is sent; a pipe gets the very text, which typer would strip.
        told = text.getvalue()
        sys.stdout.write("\n".join(map(escaped, told.split("\n"))) if sys.stdout.isatty() else told)
    else:
        write_text(out, text.getvalue())
        typer.echo(f"{len(predictions)} predictions written to {out}", err=True)
