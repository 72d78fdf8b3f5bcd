"""`jactrain describe`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jactrain.cli.common import Json, Plugins, cell, echo_json, echo_table
from jactrain.plugins import load_plugins

NAME = "describe"

_LIMITS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="layers, losses, modes, optimizers, …")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of `jactrain list KIND`.")],
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Describe one component, its options and defaults.

    Example: jactrain describe modes forward
    """
    import inspect

    from jactrain.config.models import REGISTRIES, Config
    from jactrain.config.schema import json_schema
    from jactrain.errors import UsageError
    from jactrain.files import as_json
    from jactrain.registry import suggest

    load_plugins(plugins)
    groups = {registry.group: registry for registry in REGISTRIES}
    if kind not in groups:
        raise UsageError(f"there is no kind of component {kind!r}; {suggest(kind, groups)}")
    try:
        component = groups[kind].get(name)
    except KeyError as error:
        raise UsageError(error.args[0]) from None
    text = inspect.cleandoc(component.__doc__ or "")
    definitions = json_schema(Config, REGISTRIES)["$defs"]
    options = [
        {
            "name": option,
            "values": values(schema, definitions),
            "default": schema.get("default", "required") if field.is_required() else schema.get("default"),
            "description": field.description or "",
        }
        for (option, schema), field in zip(
            _properties(definitions, kind, name).items(), component.model_fields.values(), strict=True
        )
    ]
    exactness = getattr(component, "exactness", None)  # of modes
    if json:
        told = {} if exactness is None else {"exactness": exactness.value}
        echo_json({"kind": kind, "name": name, **told, "text": text, "options": options})
        return
    from rich.table import Table

    sort = "" if exactness is None else f", {exactness.value}"
    typer.echo(f"{name} ({groups[kind].word}{sort})\n\n{text}\n")
    if not options:
        typer.echo("It has no options.")
        return
    table = Table("option", "values", "default", "description", box=None)
    for option in options:
        default = option["default"]
        shown = default if isinstance(default, str) else as_json(default)
        table.add_row(*map(cell, (option["name"], option["values"], shown, option["description"])))
    echo_table(table)


def _properties(definitions: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """Return the JSON Schemas of the options of one component, by name."""
    schema = next(
        choice["properties"][name]
        for choice in definitions[kind]["anyOf"]
        if name in choice.get("properties", {})
    )
    properties: dict[str, Any] = _resolved(schema, definitions).get("properties", {})
    return properties


def values(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Return in words which values a JSON Schema admits: "integer > 0 or null"."""
    if "anyOf" in schema:
        return " or ".join(values(choice, definitions) for choice in schema["anyOf"])
    if "allOf" in schema:
        return " and ".join(values(part, definitions) for part in schema["allOf"])
    if "$ref" in schema:
        group = schema["$ref"].rpartition("/")[2]
        if "anyOf" in definitions[group]:
            return f"one of `jactrain list {group}`"
        return values(definitions[group], definitions)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if schema.get("type") == "array":
        return f"list of {values(schema.get('items', {}), definitions)}"
    kinds = schema.get("type", "any")
    text = " or ".join(kinds) if isinstance(kinds, list) else kinds
    return text + "".join(f" {sign} {schema[key]:g}" for key, sign in _LIMITS.items() if key in schema)


def _resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow references to the schema of a mapping."""
    while "$ref" in schema or "anyOf" in schema or "allOf" in schema:
        if "$ref" in schema:
            schema = definitions[schema["$ref"].rpartition("/")[2]]
        else:
            choices = schema.get("anyOf") or schema["allOf"]
            schema = next(choice for choice in choices if choice.get("type") != "null")
    return schema
