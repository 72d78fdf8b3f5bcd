"""`jactrain init`."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from jactrain.cli.common import Json, echo_json

NAME = "init"
# What to do with a template, where it is not to run it.
_NEXT = {
    "csv": "put your file and columns into it, then: jactrain validate",
    "experiment": "train its cells with: jactrain sweep",
}


def command(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[PATH]", help="The file to write: config.yaml, or experiment.yaml, if left out."
        ),
    ] = None,
    template: Annotated[
        str, typer.Option("--template", metavar="T", help="classification, regression, csv, or experiment.")
    ] = "classification",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
    json: Json = False,
) -> None:
    """Write a commented configuration, or an experiment over one, to start from.

    Example: jactrain init my.yaml --template csv
    """
    from importlib.resources import files

    from jactrain.errors import UsageError
    from jactrain.files import reachable, write_text
    from jactrain.registry import suggest

    folder = files("jactrain.cli").joinpath("templates")
    names = sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir())
    if template not in names:
        raise UsageError(f"there is no template {template!r}; {suggest(template, names)}")
    own_name = "experiment.yaml" if template == "experiment" else "config.yaml"
    path = path or Path(own_name)
    with reachable(path, "written"):
        if path.is_dir():
            path = path / own_name
        if path.exists() and not force:
            raise UsageError(f"{path} is there already; choose another name, or overwrite it with --force")
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent}; make it first")
    write_text(path, folder.joinpath(f"{template}.yaml").read_text(encoding="utf-8"))
    if json:
        echo_json({"path": str(path), "template": template})
    else:
        typer.echo(f"{path} written; {_NEXT.get(template, 'train it with: jactrain run')} {quote(str(path))}")
