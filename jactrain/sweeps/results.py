"""What came of the cells: a row each, as a table of figures."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from typing import Any

from jactrain.config.wording import flow
from jactrain.files import write_text
from jactrain.runs.directory import RunDirectory
from jactrain.sweeps.cells import Cell
from jactrain.sweeps.folder import Status, SweepFolder, standing


def row(cell: Cell, directory: RunDirectory) -> dict[str, Any]:
    """Return what is known of a cell: settings, status, figures, each under the name of its column.

    `final_…` are the metrics at the end of the last epoch, `best_…` those at the end of the epoch with the
    lowest validation loss (training loss, where no examples were kept), `best_epoch`.
    """
    status, reason = standing(directory)
    found: dict[str, Any] = {"name": cell.name, "seed": cell.seed, **cell.settings}
    found |= {"status": status.value, "reason": reason}
    epochs = _lines(directory.metrics) if status is not Status.NOT_BEGUN else []
    if epochs:
        last = epochs[-1]
        found |= {name: last.get(name) for name in ("epoch", "step", "seconds", "multiply_adds")}
        watched = "validation_loss" if "validation_loss" in last else "train_loss"
        best = min(epochs, key=lambda line: _number(line.get(watched)))
        found["best_epoch"] = best.get("epoch")
        for word, line in (("final", last), ("best", best)):
            found |= {f"{word}_{name}": value for name, value in line.items() if _is_metric(name)}
    measured = _lines(directory.agreement) if epochs else []
    if measured:
        errors = [
            line["relative_error"] for line in measured if isinstance(line.get("relative_error"), float)
        ]
        found["agreement_worst"] = max(errors, default=None)
        found["agreement_disagreements"] = sum(line.get("verdict") == "disagree" for line in measured)
    return found


def kept_metrics(directory: RunDirectory) -> dict[str, Any]:
    """Return the metrics of the weights that a run keeps: of its best epoch, where it stopped early."""
    kept = directory.read_meta().get("kept_epoch")
    return next((line for line in _lines(directory.metrics) if line.get("epoch") == kept), {})


def rows(cells: Iterable[Cell], folder: SweepFolder) -> list[dict[str, Any]]:
    """Return the rows of `cells`, in their order."""
    return [row(cell, folder.run(cell.name)) for cell in cells]


def write_results(folder: SweepFolder, found: Sequence[dict[str, Any]]) -> None:
    """Write `results.csv`; components are written as YAML has them."""
    columns = list(dict.fromkeys(name for each in found for name in each))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for each in found:
        writer.writerow([_text(each.get(column)) for column in columns])
    write_text(folder.results, text.getvalue())


def _text(value: Any) -> Any:
    if value is None:
        return ""
    return flow(value) if isinstance(value, dict | list | bool) else value


def _is_metric(name: str) -> bool:
    return name.startswith(("train_", "validation_"))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else float("inf")


def _lines(path: Any) -> list[dict[str, Any]]:
    """Return the lines of a run's file that can be read; one that was being written when it ended is not."""
    found = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            value = json.loads(line)
            if isinstance(value, dict):
                found.append(value)
    except (OSError, ValueError, RecursionError):
        pass
    return found
