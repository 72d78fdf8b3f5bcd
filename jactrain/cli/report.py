"""`jactrain report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from jactrain.cli.common import Json, echo_json, echo_notes, require_folder

if TYPE_CHECKING:
    from jactrain.report.page import Page

NAME = "report"


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN…", help="Folders of runs; or that of one sweep, or of one comparison."),
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the page here.")] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Write every figure as SVG and PNG too.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a page of finished runs, of a sweep or of a comparison, from what they recorded.

    Example: jactrain report runs/20260101T120000Z-digits-1a2b

    The page of one run, sweep or comparison is report.html in its folder, that of several runs is in the
    current folder. Runs that cannot be read are named, and so are sweeps and comparisons, which have a page
    each; the others are shown.
    """
    from jactrain.config.wording import escaped
    from jactrain.files import write_text
    from jactrain.report.page import render, write_figures

    page, place, unreadable, notes = _page(runs)
    out = place if out is None else out
    require_folder(out)
    write_text(out, render(page))
    paths = [] if figures is None else write_figures(page, figures)
    if json:
        figure_paths = [str(path) for path in paths]
        echo_json({"out": str(out), "figures": figure_paths, "unreadable": unreadable, "notes": notes})
        return
    echo_notes(
        [
            *(f"left out: {escaped(one['reason'])}" for one in unreadable),
            *(f"{escaped(one['run'])}: {one['note']}" for one in notes),
        ]
    )
    typer.echo(str(out))


_Texts: TypeAlias = list[dict[str, str]]


def _page(paths: list[Path]) -> tuple[Page, Path, _Texts, _Texts]:
    """Return the page, where it goes by itself, the runs left out with the reason, and notes on others."""
    from jactrain.report.comparison import comparison_page
    from jactrain.report.record import read_comparison
    from jactrain.report.runs import read_runs, runs_page
    from jactrain.report.sweeps.page import sweep_page
    from jactrain.report.sweeps.record import read_sweep

    paths = list(dict.fromkeys(paths))
    if len(paths) == 1 and (folder := _sweep(paths[0])) is not None:
        sweep = read_sweep(folder)
        damaged = [
            {"run": str(cell.folder), "reason": cell.reason}
            for cell in sweep.cells
            if cell.status == "damaged"
        ]
        faults = [{"run": str(folder), "note": fault} for fault in sweep.faults]
        return sweep_page(sweep), folder / "report.html", damaged, faults
    if len(paths) == 1 and (file := _comparison(paths[0])) is not None:
        return comparison_page(read_comparison(file)), file.with_name("report.html"), [], []
    runs = read_runs(paths)
    unreadable = [{"run": str(one.folder), "reason": one.reason} for one in runs.unreadable]
    notes = [{"run": str(run.folder), "note": fault} for run in runs.records for fault in run.faults]
    place = Path("report.html") if len(paths) > 1 else runs.records[0].folder / "report.html"
    return runs_page(runs), place, unreadable, notes


def _comparison(path: Path) -> Path | None:
    """Return the comparison's file that `path` is, or that lies in it; None where it is none."""
    from jactrain.files import reachable

    with reachable(path, "read"):
        if path.is_file():
            return None if path.suffix in (".yaml", ".yml") else path
        file = path / "comparison.json"
        return file if path.is_dir() and file.is_file() else None


def _sweep(path: Path) -> Path | None:
    """Return the sweep's folder that `path` is, or whose list of cells it is; None where it is none."""
    from jactrain.files import reachable
    from jactrain.runs.directory import CELLS_FILE

    with reachable(path, "read"):
        if path.name == CELLS_FILE and path.is_file():
            return path.parent
        return path if path.is_dir() and (path / CELLS_FILE).is_file() else None
