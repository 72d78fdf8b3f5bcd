"""`jactrain validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jactrain.cli.common import Json, Overrides, Plugins, echo_json, echo_notes
from jactrain.plugins import load_plugins

NAME = "validate"


def command(
    configs: Annotated[list[Path], typer.Argument(metavar="CONFIG...", help="Configuration files (YAML).")],
    overrides: Overrides = None,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Check configurations, and tell every mistake with its place.

    Example: jactrain validate configs/digits.yaml
    """
    from dataclasses import asdict

    from jactrain.config.build import check
    from jactrain.config.files import load_document, located
    from jactrain.errors import ConfigurationError

    load_plugins(plugins)
    results = []
    for path in configs:
        try:
            config, document = load_document(path, overrides or ())
            with located(document):
                notes = check(config).agreement.notes
        except ConfigurationError as error:
            mistakes = [asdict(mistake) for mistake in error.mistakes]
            results.append({"config": str(path), "valid": False, "mistakes": mistakes, "text": str(error)})
            if not json:
                typer.echo(str(error), err=True)
        else:
            results.append({"config": str(path), "valid": True, "mistakes": [], "text": ""})
            if not json:
                typer.echo(f"{path}: valid")
            echo_notes(notes)
    if json:
        echo_json(results)
    if not all(result["valid"] for result in results):
        raise typer.Exit(ConfigurationError.exit_code)
