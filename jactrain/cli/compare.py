"""`jactrain compare`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from jactrain.cli.common import (
    ConfigPath,
    Json,
    Overrides,
    Plugins,
    echo_json,
    echo_table,
    load_plugins,
    small,
)

if TYPE_CHECKING:
    from rich.table import Table

NAME = "compare"

# As recorded; see docs/modes.md for what they mean.
_SYMBOLS = {"agree": "✓", "reference": "=", "disagree": "✗", "failed": "✗"}


def command(
    config_path: ConfigPath,
    modes: Annotated[
        list[str] | None,
        typer.Option("--modes", metavar="MODES", help="Such as reverse,forward; all modes if left out."),
    ] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Train by each mode, too, from the same start.")
    ] = False,
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", min=1, help="How many times each trains.")
    ] = 3,
    scaling: Annotated[
        Literal["width", "depth", "outputs"] | None,
        typer.Option("--scaling", help="Compare over networks that grow in this, too."),
    ] = None,
    sizes: Annotated[
        str | None,
        typer.Option("--sizes", metavar="N,…", help="The sizes to grow over; some that fit if left out."),
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
            "--budget", metavar="SECONDS", min=0, help="Of each mode; what takes longer is skipped."
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
    with figures. Exit code 1 if a mode disagrees.
    """
    from jactrain.comparison.asked import modes_asked
    from jactrain.comparison.comparison import Request, compare_modes
    from jactrain.config.compared import every_mode
    from jactrain.config.files import load_document, located
    from jactrain.files import as_json, write_text
    from jactrain.report.comparison import comparison_page
    from jactrain.report.page import render, write_figures
    from jactrain.runs.directory import RunDirectory

    load_plugins(plugins)
    config, document = load_document(config_path, overrides or ())
    asked = Request(
        modes_asked(modes) if modes else every_mode(config),
        examples,
        seeds if train else 0,
        scaling,
        _numbers(sizes),
        budget,
    )
    with located(document):
        comparison = compare_modes(config, asked, None if json else _told)
    folder = RunDirectory.create(runs, f"{config.name[:50]}-comparison").path
    write_text(folder / "comparison.json", as_json(comparison, indent=2))
    page = comparison_page(comparison)
    write_text(folder / "report.html", render(page))
    if figures is not None:
        write_figures(page, figures)
    if json:
        echo_json({"folder": str(folder), **comparison})
    else:
        _show(comparison)
        typer.echo(str(folder / "report.html"))
    if any(row["verdict"] in ("disagree", "failed") for row in comparison["modes"]):
        raise typer.Exit(1)


def _numbers(text: str | None) -> list[int] | None:
    from jactrain.errors import UsageError

    if text is None:
        return None
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1:
        raise UsageError(f"--sizes are whole numbers from 1, such as 8,16,32, not {text!r}")
    return numbers


def _told(mode: str, done: int, of: int) -> None:
    """Tell of training on stderr: in one changing line on a terminal, elsewhere once a mode."""
    if sys.stderr.isatty():
        line = f"training by {mode}: epoch {done} of {of}"
        typer.echo(f"\r{line:<79}" + ("\n" if done == of else ""), nl=False, err=True)
    elif done == of:
        typer.echo(f"trained by {mode}: {of} epochs in all", err=True)


def _show(comparison: dict[str, Any]) -> None:
    from jactrain.cli.tables import counted

    typer.echo(f"{comparison['headline']}\n")
    typer.echo(
        f"gradients of {comparison['parameters']:,} parameters on {comparison['examples']:,} examples in "
        f"{comparison['dtype']}, against {comparison['reference']}"
    )
    echo_table(_agreement(comparison["modes"]))
    for row in comparison["modes"]:
        if row["verdict"] not in ("agree", "reference") or row["exactness"] == "unbiased":
            typer.echo(f" {row['mode']}: {row['reason']}")
    typer.echo("\nwhat a gradient takes; products are those applied to one vector")
    echo_table(_cost(comparison["modes"]))
    if comparison["training"]:
        seeds = comparison["training"]["seeds"]
        typer.echo(
            f"\ntraining, {counted(comparison['training']['epochs'], 'epoch')}, over "
            f"seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}; medians. Loss drop for 1e9 "
            "multiply-adds; divergence of the parameters from the reference's"
        )
        echo_table(_training(comparison["training"]))
    if comparison["scaling"]:
        typer.echo(f"\ngrowth with {comparison['scaling']['along']}, fitted exponents")
        echo_table(_scaling(comparison["scaling"]))
        for crossover in comparison["scaling"]["crossovers"]:
            typer.echo(f" {crossover['sentence']}")
    typer.echo("")


def _agreement(rows: list[dict[str, Any]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("mode", "verdict", box=None)
    for column in ("error", "allowed", "cosine"):
        table.add_column(column, justify="right")
    for row in rows:
        told = row["verdict"] + (f", {row['kinked']:,} entries at kinks apart" if row["kinked"] else "")
        table.add_row(
            escape(row["mode"]),
            f"{_SYMBOLS.get(row['verdict'], '?')} {told}",
            small(row["relative_error"]),
            small(row["allowed"]),
            "–" if row["cosine"] is None else f"{row['cosine']:.6f}",
        )
    return table


def _cost(rows: list[dict[str, Any]]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from jactrain.modes.memory import rounded

    table = Table("mode", box=None)
    for column in ("seconds", "× fastest", "peak", "products", "multiply-adds"):
        table.add_column(column, justify="right")
    for row in rows:
        seconds, numbers = row["seconds"], row["multiply_adds"]
        table.add_row(
            escape(row["mode"]),
            "–" if seconds is None else f"{seconds['median']:.2e} ± {seconds['iqr']:.0e}",
            "–" if row["times_fastest"] is None else f"{row['times_fastest']:.3g}",
            "–" if row["peak_bytes"] is None else rounded(row["peak_bytes"]),
            "–" if row["work"] is None else f"{sum(row['work'].values()):,}",
            _multiply_adds(numbers["predicted"], numbers["counted"]),
        )
    return table


def _multiply_adds(predicted: int | None, counted: int | None) -> str:
    """Return the count, and what was predicted where that is another number, which it should never be."""
    if counted is None:
        return "–" if predicted is None else f"{predicted:.3g} predicted"
    return f"{counted:.3g}" if counted == predicted else f"{counted:.3g}, {predicted:.3g} predicted"


def _training(training: dict[str, Any]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    from jactrain.cli.tables import figure

    table = Table("mode", "status", box=None)
    metric = training["metric"]
    for column in (
        "train loss",
        metric.replace("_", " "),
        "cosine at start",
        "loss drop / Gmul-add",
        "divergence",
    ):
        table.add_column(column, justify="right")
    for row in training["modes"]:
        final, drop = row["final"], row["loss_drop_per_multiply_add"]
        ends = [run["divergence"][-1] for run in row["runs"] if run["divergence"]]
        known = sorted(end for end in ends if end is not None)
        table.add_row(
            escape(row["mode"]),
            escape(row["status"] if not row["reason"] else f"{row['status']}: {row['reason']}"),
            "–" if final["train_loss"] is None else f"{final['train_loss']['median']:.4g}",
            "–" if final["metric"] is None else figure(metric, final["metric"]["median"]),
            "–" if row["cosine_at_start"] is None else f"{row['cosine_at_start']:.3f}",
            "–" if drop is None else f"{1e9 * drop:.3g}",
            small(known[len(known) // 2] if known else None),
        )
    return table


def _scaling(scaling: dict[str, Any]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table("mode", box=None)
    for size in scaling["sizes"]:
        table.add_column(f"{size:,}", justify="right")
    for column in ("exponent of seconds", "of multiply-adds"):
        table.add_column(column, justify="right")
    for row in scaling["modes"]:
        points = {point["size"]: point["seconds"] for point in row["points"]}
        measured, predicted = row["exponent"]["measured"], row["exponent"]["predicted"]
        table.add_row(
            escape(row["mode"]),
            *(small(points[size] and points[size]["median"]) for size in scaling["sizes"]),
            "–" if measured is None else f"{measured:.2f}",
            "–" if predicted is None else f"{predicted:.2f}",
        )
    return table
