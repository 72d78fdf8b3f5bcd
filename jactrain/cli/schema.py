"""`jactrain schema`."""

from __future__ import annotations

from typing import Annotated

import typer

from jactrain.cli.common import Json, Plugins, echo_json
from jactrain.plugins import load_plugins

NAME = "schema"


def command(
    experiment: Annotated[
        bool, typer.Option("--experiment", help="That of experiments, which jactrain sweep takes.")
    ] = False,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Print the JSON Schema of configurations, for editors; it is JSON with --json and without.

    Example: jactrain schema > configs/jactrain.schema.json
    """
    from jactrain.config.models import REGISTRIES, Config
    from jactrain.config.schema import json_schema

    load_plugins(plugins)
    if experiment:
        from jactrain.sweeps.models import Experiment

        echo_json(json_schema(Experiment, []))
        return
    echo_json(json_schema(Config, REGISTRIES))
