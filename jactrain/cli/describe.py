"""`jactrain describe`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jactrain.cli.common import Json, Plugins, echo_json, echo_table, load_plugins

NAME = "describe"


def command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="layers, losses, modes, optimizers, …")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="One of `jactrain list KIND`.")],
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Describe one component: what it does, its options, ranges and defaults.

    Example: [bold]jactrain describe modes forward[/bold]
    """
    import inspect

    from jactrain.config.models import REGISTRIES
    from jactrain.errors import UsageError
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
    options = [_option(option, field) for option, field in component.model_fields.items()]
    if json:
        echo_json({"kind": kind, "name": name, "text": text, "options": options})
        return
    from rich.markup import escape
    from rich.table import Table

    typer.echo(f"{name} ({groups[kind].word})\n\n{text}\n")
    table = Table("option", "type", "default", "description", box=None)
    for option in options:
        table.add_row(*(escape(str(option[key])) for key in ("name", "type", "default", "description")))
    echo_table(table)


def _option(name: str, field: Any) -> dict[str, Any]:
    """Return the facts of one option as texts."""
    default = "required" if field.is_required() else field.get_default(call_default_factory=True)
    limits = [str(limit) for limit in field.metadata if "=" in str(limit) and "func" not in str(limit)]
    return {
        "name": name,
        "type": _type(field.annotation) + (f" ({', '.join(limits)})" if limits else ""),
        "default": default if isinstance(default, int | float | str | bool | None) else str(default),
        "description": field.description or "",
    }


def _type(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    for prefix in ("typing.", "jactrain.", "pathlib.", "NoneType"):
        text = text.replace(prefix, "" if prefix != "NoneType" else "null")
    return text
