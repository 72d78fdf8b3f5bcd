"""A comparison on the terminal: tables that fit into 80 columns, and reasons below them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jactrain.cli.common import echo_table, small
from jactrain.cli.tables import counted, figure
from jactrain.comparison.crossovers import crossover_lines
from jactrain.comparison.wording import digits, multiply_adds
from jactrain.config.wording import escaped
from jactrain.modes.memory import rounded

# As recorded; see docs/agreement.md for what they mean.
_SYMBOLS = {"agree": "✓", "reference": "=", "disagree": "✗", "failed": "✗"}
_NARROW = 120  # columns
_LONGEST_LABEL = 25  # characters of a mode in a narrow table
_SIZES = 5  # of a network, in one narrow table


def show(comparison: dict[str, Any]) -> None:
    """Print what comparison.json holds."""
    width = _width()
    _say(comparison["headline"], width)
    _heading(
        f"gradients of {comparison['parameters']:,} parameters on "
        f"{counted(comparison['examples'], 'example')} in {comparison['dtype']}, against "
        f"{comparison['reference']}",
        width,
    )
    rows = comparison["modes"]
    echo_table(_agreement(rows, width))
    _reasons(((row["mode"], _reason(row)) for row in rows), width)
    _heading(
        "what a gradient takes: seconds, the median ± the interquartile range; products, applied to one "
        "vector each; multiply-adds, in brackets if predicted alone",
        width,
    )
    echo_table(_cost(rows, width))
    if comparison["training"]:
        _show_training(comparison["training"], width)
    if comparison["scaling"]:
        scaling = comparison["scaling"]
        _heading(
            f"seconds of a gradient by {scaling['along']}; exponents fitted to seconds / multiply-adds",
            width,
        )
        for table in _scaling(scaling, width):
            echo_table(table)
        _reasons(_scaling_reasons(scaling), width)
        for line in crossover_lines(scaling):
            _say(line, width, " ")
    typer.echo("")


def _show_training(training: dict[str, Any], width: int | None) -> None:
    seeds = training["seeds"]
    _heading(
        f"training, {counted(training['epochs'], 'epoch')}, over seed{'' if len(seeds) == 1 else 's'} "
        f"{', '.join(map(str, seeds))}: medians. Loss drop for 1e9 multiply-adds; divergence of the "
        "parameters from the reference's",
        width,
    )
    echo_table(_training(training, width))
    told = (
        (
            row["mode"],
            row["reason"] if row["status"] == "finished" else f"{row['status']}: {row['reason']}",
        )
        for row in training["modes"]
    )
    _reasons(told, width)


def _width() -> int | None:
    """Return the columns of the terminal, None where there is none."""
    console = Console()
    return console.width if console.is_terminal else None


def _is_narrow(width: int | None) -> bool:
    return width is not None and width < _NARROW


def _say(text: str, width: int | None, indent: str = "") -> None:
    """Print `text`, between words where it has to be broken."""
    text = indent + escaped(" ".join(text.split()))  # a layer or mode from elsewhere may say anything
    if width is not None:
        text = textwrap.fill(
            text, width, subsequent_indent=indent * 3, break_long_words=False, break_on_hyphens=False
        )
    typer.echo(text)


def _heading(text: str, width: int | None) -> None:
    typer.echo("")
    _say(text, width)


def _reasons(told: Iterable[tuple[str, str]], width: int | None) -> None:
    """Print every reason once, with the modes that have it."""
    modes: dict[str, list[str]] = {}
    for mode, reason in told:
        if reason:
            modes.setdefault(reason, []).append(mode)
    for reason, names in modes.items():
        _say(f"{', '.join(names)}: {reason}", width, " ")


def _reason(row: dict[str, Any]) -> str:
    """Return what is to be said of a verdict, nothing of those that speak for themselves."""
    entries = "entry" if row["kinked"] == 1 else "entries"
    kinks = f"{row['kinked']:,} {entries} at kinks set apart" if row["kinked"] else ""
    plain = row["verdict"] in ("agree", "reference") and row["exactness"] != "unbiased"
    return "; ".join(filter(None, ["" if plain else row["reason"], kinks]))


def _table(first: Sequence[str], numeric: Sequence[str], tight: bool = False) -> Table:
    """Return a table without lines, of texts and then of numbers, which are never broken."""
    table = Table(box=None, pad_edge=False, collapse_padding=tight)
    for name in first:
        table.add_column(name, no_wrap=True, overflow="fold")
    for name in numeric:
        table.add_column(name, justify="right", no_wrap=True, overflow="fold")
    return table


def _label(mode: str, width: int | None) -> str:
    """Return the mode's name, in a narrow table on several lines if it is long."""
    mode = escaped(mode)
    if not _is_narrow(width) or len(mode) <= _LONGEST_LABEL:
        return escape(mode)
    return escape(mode.replace("(", "\n (").replace(", ", ",\n  "))


def _agreement(rows: list[dict[str, Any]], width: int | None) -> Table:
    table = _table(("mode", "verdict"), ("error", "allowed", "cosine"))
    for row in rows:
        table.add_row(
            _label(row["mode"], width),
            f"{_SYMBOLS.get(row['verdict'], '?')} {row['verdict']}",
            small(row["relative_error"]),
            small(row["allowed"]),
            "–" if row["cosine"] is None else f"{row['cosine']:.6f}",
        )
    return table


def _cost(rows: list[dict[str, Any]], width: int | None) -> Table:
    numeric = ("seconds ± iqr", "×\nfastest", "peak", "products", "multiply\nadds")
    table = _table(("mode",), numeric, tight=_is_narrow(width))
    for row in rows:
        seconds, numbers = row["seconds"], row["multiply_adds"]
        table.add_row(
            _label(row["mode"], width),
            "–" if seconds is None else f"{_short(seconds['median'])} ± {_short(seconds['iqr'], 0)}",
            "–" if row["times_fastest"] is None else digits(row["times_fastest"], 3),
            "–" if row["peak_bytes"] is None else rounded(row["peak_bytes"]),
            "–" if row["work"] is None else multiply_adds(sum(row["work"].values())),
            _multiply_adds(numbers["predicted"], numbers["counted"]),
        )
    return table


def _short(seconds: float | None, decimals: int = 2) -> str:
    """Return `1.53e-4`."""
    if seconds is None:
        return "–"
    mantissa, _, power = f"{seconds:.{decimals}e}".partition("e")
    return f"{mantissa}e{int(power)}"


def _multiply_adds(predicted: int | None, counted: int | None) -> str:
    """Return the count, and what was predicted where that is another number, which it should never be."""
    if counted is None:
        return "–" if predicted is None else f"({multiply_adds(predicted)})"
    if predicted in (None, counted):
        return multiply_adds(counted)
    return f"{multiply_adds(counted)}, {predicted:,} predicted"


def _training(training: dict[str, Any], width: int | None) -> Table:
    metric = training["metric"]
    numeric = (
        "train\nloss",
        metric.replace("_", "\n"),
        "cosine\nat start",
        "loss drop\n/ 1e9",
        "diver-\ngence",
    )
    table = _table(("mode",), numeric)
    for row in training["modes"]:
        final, drop = row["final"], row["loss_drop_per_multiply_add"]
        ends = [run["divergence"][-1] for run in row["runs"] if run["divergence"]]
        known = sorted(end for end in ends if end is not None)
        table.add_row(
            _label(row["mode"], width),
            "–" if final["train_loss"] is None else f"{final['train_loss']['median']:.4g}",
            "–" if final["metric"] is None else figure(metric, final["metric"]["median"]),
            "–" if row["cosine_at_start"] is None else f"{row['cosine_at_start']:.3f}",
            "–" if drop is None else f"{1e9 * drop:.3g}",
            small(known[len(known) // 2] if known else None),
        )
    return table


def _scaling(scaling: dict[str, Any], width: int | None) -> list[Table]:
    """Return a table of all sizes, or several where they would not fit beside each other."""
    sizes = scaling["sizes"]
    step = _SIZES if _is_narrow(width) else len(sizes)
    tables = []
    for start in range(0, len(sizes), step):
        some = sizes[start : start + step]
        last = start + step >= len(sizes)
        table = _table(("mode",), [*(f"{size:,}" for size in some), *(["exponents"] if last else [])])
        for row in scaling["modes"]:
            points = {point["size"]: point["seconds"] for point in row["points"]}
            exponents = (row["exponent"][name] for name in ("measured", "predicted"))
            fitted = " / ".join("–" if each is None else f"{each:.2f}" for each in exponents)
            table.add_row(
                _label(row["mode"], width),
                *(_short(points[size] and points[size]["median"], 1) for size in some),
                *([fitted] if last else []),
            )
        tables.append(table)
    return tables


def _scaling_reasons(scaling: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Yield why each mode has no seconds at some sizes: the first reason, with the sizes."""
    for row in scaling["modes"]:
        missing = [point for point in row["points"] if point["reason"]]
        if missing:
            sizes = ", ".join(f"{point['size']:,}" for point in missing)
            yield row["mode"], f"not at {sizes}: {missing[0]['reason']}"
