"""`jactrain compare`."""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from jactrain.cli.common import ConfigPath, Json, Overrides, Plugins, echo_engine, echo_json
from jactrain.errors import UsageError
from jactrain.plugins import load_plugins

if TYPE_CHECKING:
    from jactrain.comparison.comparison import Request
    from jactrain.config.models import Config

NAME = "compare"

_SEEDS = 3
_LINE = 79  # characters of the line that tells of training


def command(
    config_path: ConfigPath,
    modes: Annotated[
        list[str] | None,
        typer.Option(
            "--modes",
            metavar="MODES",
            help="Such as reverse,forward; options as in tables, forward(seeds=parameters), or as YAML, "
            "{forward: {seeds: parameters}}; all modes if left out.",
        ),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Train by each mode, too, from the same start.")
    ] = False,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", metavar="N", min=1, help=f"With --train: how often each trains; {_SEEDS} if left out."
        ),
    ] = None,
    scaling: Annotated[
        Literal["width", "depth", "outputs"] | None,
        typer.Option("--scaling", help="Compare over networks that grow in this, too."),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option("--sizes", metavar="N,…", help="With --scaling: the sizes; some that fit if left out."),
    ] = None,
    examples: Annotated[
        int | None,
        typer.Option(
            "--examples", metavar="N", min=1, help="Examples of a gradient; the batch's if left out."
        ),
    ] = None,
    budget: Annotated[
        float,
        typer.Option(
            "--budget", metavar="SECONDS", help="Of each mode, above 0; what takes longer is skipped."
        ),
    ] = 30.0,
    runs: Annotated[
        Path, typer.Option("--runs", metavar="DIR", help="Where the comparison's folder is made.")
    ] = Path("runs"),
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Write each figure as PNG and SVG, too.")
    ] = None,
    overrides: Overrides = None,
    plugins: Plugins = None,
    json: Json = False,
) -> None:
    """Compare all modes side by side: agreement, time, memory, work.

    Example: jactrain compare configs/digits.yaml --train --seeds 3

    All get the same parameters, examples and noise. A new folder gets comparison.json and report.html, a page
    with figures. Exit code 1 if a mode disagrees or fails, 2 if one that is asked for does not exist.
    """
    from jactrain.cli.compare_tables import show
    from jactrain.comparison.asked import modes_asked
    from jactrain.comparison.comparison import Request
    from jactrain.config.compared import every_mode
    from jactrain.config.files import load_document, located

    load_plugins(plugins)
    grown = _sizes(sizes)
    _check(seeds is not None and not train, "--seeds says how often to train; add --train, or leave it out")
    _check(sizes is not None and scaling is None, "--sizes need --scaling, which says what grows; add it")
    _check(not 0 < budget < math.inf, f"--budget is a number of seconds above 0, not {budget:g}")
    config, document = load_document(config_path, overrides or ())
    echo_engine(config)
    request = Request(
        modes_asked(modes) if modes else every_mode(config),
        examples,
        (seeds or _SEEDS) if train else 0,
        scaling,
        grown,
        budget,
        shlex.join(["jactrain", *sys.argv[1:]]),
    )
    with located(document):
        folder, comparison = _compared(config, request, runs, figures, json)
    if json:
        echo_json({"folder": str(folder), **comparison})
    else:
        show(comparison)
        typer.echo(str(folder / "report.html"))
    rows = comparison["modes"]
    if any(row["exactness"] == "unknown" for row in rows):
        raise typer.Exit(UsageError.exit_code)
    if any(row["verdict"] in ("disagree", "failed") for row in rows):
        raise typer.Exit(1)


def _compared(
    config: Config, request: Request, runs: Path, figures: Path | None, quiet: bool
) -> tuple[Path, dict[str, Any]]:
    """Return the folder with the comparison and its page, and the comparison; exit with 130 on Ctrl-C."""
    from jactrain.comparison.comparison import compare_modes
    from jactrain.comparison.folder import RECORD, new_folder
    from jactrain.files import as_json, write_text
    from jactrain.report.comparison import comparison_page
    from jactrain.report.page import render, write_figures

    folder = None
    try:
        with new_folder(runs, f"{config.name[:50]}-comparison", figures) as folder:
            comparison = compare_modes(config, request, None if quiet else _told)
            _forget_line(quiet)
            write_text(folder / RECORD, as_json(comparison, indent=2))
            page = comparison_page(comparison)
            write_text(folder / "report.html", render(page))
            if figures is not None:
                write_figures(page, figures)
    except (Exception, KeyboardInterrupt) as error:
        _forget_line(quiet)
        kept = folder is not None and (folder / RECORD).exists()
        what = f"what was compared is in {folder}; `jactrain report` makes a page of it"
        if isinstance(error, KeyboardInterrupt):
            typer.echo(f"interrupted; {what if kept else 'nothing written'}", err=True)
            raise typer.Exit(130) from None
        if kept:
            typer.echo(what, err=True)
        raise
    return folder, comparison


def _check(wrong: bool, told: str) -> None:
    if wrong:
        raise UsageError(told)


def _sizes(text: str | None) -> list[int] | None:
    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise UsageError(f"--sizes are whole numbers from 1, such as 8,16,32, not {text!r}")
    return numbers


def _told(mode: str, seed: int, epoch: int, epochs: int) -> None:
    """Tell of training on stderr: in one changing line on a terminal, elsewhere once a mode and seed."""
    from jactrain.cli.tables import counted

    if sys.stderr.isatty():
        line = f"epoch {epoch:,} of {epochs:,}, seed {seed}, by {mode}"
        typer.echo(f"\r{line[:_LINE]:<{_LINE}}", nl=False, err=True)
    elif epoch == epochs:
        typer.echo(f"trained by {mode}, seed {seed}: {counted(epochs, 'epoch')}", err=True)


def _forget_line(quiet: bool) -> None:
    """Clear the line that told of training."""
    if not quiet and sys.stderr.isatty():
        typer.echo(f"\r{'':<{_LINE}}\r", nl=False, err=True)
