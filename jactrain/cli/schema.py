"""`jactrain schema`."""

from __future__ import annotations

from jactrain.cli.common import Json, Plugins, echo_json, load_plugins

NAME = "schema"


def command(plugins: Plugins = None, json: Json = False) -> None:
    """Print the JSON Schema of configurations, for editors; it is JSON with --json and without.

    Example: jactrain schema > configs/jactrain.schema.json
    """
    from jactrain.config.models import REGISTRIES, Config
    from jactrain.config.schema import json_schema

    load_plugins(plugins)
    echo_json(json_schema(Config, REGISTRIES))
