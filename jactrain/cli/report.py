"""`jactrain report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jactrain.cli.common import Json, echo_json, echo_notes, require_folder

if TYPE_CHECKING:
    from jactrain.report.page import Page

NAME = "report"
_COMPARISON = "comparison.json"


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN…", help="Folders of runs, or one comparison.json or its folder."),
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write the page here.")] = None,
    figures: Annotated[
        Path | None, typer.Option("--figures", metavar="DIR", help="Write every figure as SVG and PNG too.")
    ] = None,
    json: Json = False,
) -> None:
    """Make a page of finished runs, or of a comparison, from what they recorded.

    Example: jactrain report runs/20260101T120000Z-digits-1a2b

    One run's page is report.html in its folder, that of several is in the current folder. Runs that cannot
    be read are named, and the others are shown.
    """
    from jactrain.files import write_text
    from jactrain.report.page import render, write_figures

    page, place, unreadable, notes = _page(runs)
    out = place if out is None else out
    require_folder(out)
    write_text(out, render(page))
    paths = [] if figures is None else write_figures(page, figures)
    if json:
        echo_json({"out": str(out), "figures": [str(path) for path in paths], "unreadable": unreadable})
        return
    echo_notes(notes)
    typer.echo(str(out))


def _page(paths: list[Path]) -> tuple[Page, Path, list[dict[str, Any]], list[str]]:
    """Return the page, where it goes by itself, what could not be read, and what is to be told."""
    from jactrain.config.yaml import escaped
    from jactrain.errors import UsageError
    from jactrain.report.comparison import comparison_page
    from jactrain.report.record import read_comparison
    from jactrain.report.runs import page_of_one, page_of_several, read_runs

    comparisons = [found for path in paths if (found := _comparison(path)) is not None]
    if comparisons:
        if len(paths) > 1:
            raise UsageError(
                f"{escaped(str(comparisons[0]))} is a comparison, which has a page of its own; give it "
                "alone, or runs alone"
            )
        (file,) = comparisons
        return comparison_page(read_comparison(file)), file.with_name("report.html"), [], []
    given = read_runs(paths)
    unreadable = [{"run": str(one.folder), "reason": one.reason} for one in given.unreadable]
    notes = [f"left out: {escaped(one.reason)}" for one in given.unreadable]
    notes += [f"{escaped(str(run.folder))}: {fault}" for run in given.records for fault in run.faults]
    if len({*paths}) == 1:
        (run,) = given.records
        return page_of_one(run), run.folder / "report.html", unreadable, notes
    return page_of_several(given), Path("report.html"), unreadable, notes


def _comparison(path: Path) -> Path | None:
    """Return the comparison's file that `path` is, or that lies in it; None where it is a run."""
    from jactrain.files import reachable

    with reachable(path, "read"):
        if path.is_file():
            return path
        file = path / _COMPARISON
        return file if path.is_dir() and file.is_file() else None
