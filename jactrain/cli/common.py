"""What several commands share: their options, plug-ins, and output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jactrain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from jactrain.config.models import Config

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="A configuration file (YAML).")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change one value, such as training.epochs=3."),
]
Plugins = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="MODULE", help="Import a Python module that registers layers, modes, …"),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def echo_json(value: Any) -> None:
    """Print `value` as JSON on stdout, with escapes for what its encoding lacks."""
    from jactrain.files import as_json

    text = as_json(value, indent=2)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = as_json(value, indent=2, ascii_only=True)
    typer.echo(text)


def echo_engine(config: Config) -> None:
    """Say that a command computes by NumPy, where the configuration trains by another engine."""
    if config.engine.kind != "numpy":
        echo_notes([f"this command computes by NumPy; engine {config.engine.kind} is for run alone"])


def echo_notes(notes: Iterable[str]) -> None:
    """Print what the user is to know of the choices made, on stderr."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def echo_table(table: Table) -> None:
    """Print `table` on stdout, without colours and at full width where that is no terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=160, no_color=True)
    console.print(table)


def cell(text: str) -> str:
    """Return `text` for a cell of a table: no markup, and nothing that a terminal acts on."""
    from rich.markup import escape

    from jactrain.config.wording import escaped

    return escape(escaped(text))


def small(value: float | None) -> str:
    """Return a relative error as people read it: two digits, a dash where there is none."""
    return "–" if value is None else f"{value:.1e}"


def require_folder(path: Path) -> None:
    """Raise UsageError unless a file can be made at `path`."""
    from jactrain.files import reachable

    with reachable(path, "written"):
        if not path.parent.is_dir():
            raise UsageError(f"there is no folder {path.parent} to write {path.name} into; make it first")
        if path.is_dir():
            raise UsageError(f"{path} is a folder; give the name of a file")
