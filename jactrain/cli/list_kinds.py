"""`jactrain list`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from jactrain.cli.common import Json, Plugins, echo_json, echo_table
from jactrain.plugins import load_plugins

NAME = "list"


def command(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="layers, losses, modes, optimizers, …")
    ] = None,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """List what a configuration can ask for.

    Example: jactrain list modes

    Without a kind: layers, losses, modes, optimizers, schedules and data sources.
    """
    from jactrain.config.models import REGISTRIES
    from jactrain.errors import UsageError
    from jactrain.registry import suggest, summary

    load_plugins(plugins)
    groups = {registry.group: registry for registry in REGISTRIES}
    if kind is not None and kind not in groups:
        raise UsageError(f"there is no kind of component {kind!r}; {suggest(kind, groups)}")
    chosen = [groups[kind]] if kind else list(groups.values())
    if json:
        echo_json(
            {
                registry.group: [
                    {"name": name, "summary": summary(registry.get(name)), **_exactness(registry.get(name))}
                    for name in registry.names()
                ]
                for registry in chosen
            }
        )
        return
    from rich.table import Table

    for registry in chosen:
        table = Table(title=registry.group, title_justify="left", box=None, show_header=False)
        table.add_column(no_wrap=True)
        for name in registry.names():
            component = registry.get(name)
            table.add_row(name, *_exactness(component).values(), summary(component))
        echo_table(table)


def _exactness(component: type[Any]) -> dict[str, str]:
    """Return how exact a mode is; nothing for other kinds."""
    exactness = getattr(component, "exactness", None)
    return {} if exactness is None else {"exactness": exactness.value}
