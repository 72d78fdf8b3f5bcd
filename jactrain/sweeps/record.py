"""`cells.json`: what cells an experiment has, and whether its file still says the same."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jactrain.config.files import load_config
from jactrain.config.resolved import resolved
from jactrain.errors import RunError, UsageError
from jactrain.files import as_json, write_bytes, write_text
from jactrain.runs.directory import RunDirectory
from jactrain.runs.resume import differing
from jactrain.sweeps.cells import Cell, Sweep, digest
from jactrain.sweeps.folder import SweepFolder, set_aside
from jactrain.sweeps.manner import Manner

SCHEMA_VERSION = 1
_SHOWN_CHANGES = 10


def write_cells(folder: SweepFolder, sweep: Sweep, cells: Iterable[Cell], manner: Manner) -> None:
    """Write what cells there are, and the experiment's file beside it."""
    search = sweep.experiment.search
    facts: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "kind": "sweep",
        "name": sweep.name,
        "command": command(sweep, folder.path.parent, manner),
        "factors": sweep.factors,
        "cells": [
            {"name": cell.name, "seed": cell.seed, "settings": cell.settings, "digest": cell.digest}
            for cell in cells
        ],
    }
    if search is not None:
        direction = "maximize" if search.optuna.maximizes else "minimize"
        facts["search"] = {
            "metric": search.optuna.metric,
            "direction": direction,
            "trials": search.optuna.trials,
        }
    write_bytes(folder.experiment, sweep.document.data)
    write_text(folder.cells, as_json(facts) + "\n")


def command(sweep: Sweep, runs: Path, manner: Manner) -> str:
    """Return what to type to train the cells again, with all that results may depend on."""
    options = [] if runs == Path("runs") else ["--runs", str(runs)]
    options += [] if manner.threads == 1 else ["--threads", str(manner.threads)]
    options += [word for module in manner.plugins for word in ("--plugin", module)]
    return shlex.join(["jactrain", "sweep", str(sweep.path), *options])


def recorded_digests(folder: SweepFolder) -> dict[str, str]:
    """Return the digests of the cells' configurations by name; nothing where there is no record yet.

    Raises RunError for a record that cannot be read.
    """
    if not folder.cells.exists():
        return {}
    try:
        cells = json.loads(folder.cells.read_text(encoding="utf-8"))["cells"]
        return {str(cell["name"]): str(cell["digest"]) for cell in cells}
    except (OSError, ValueError, RecursionError, TypeError, KeyError):
        raise RunError(
            f"{folder.cells} is damaged; remove it, and what was trained is looked at anew"
        ) from None


class Changes(NamedTuple):
    """How an experiment's file differs from the one that its folder was made from.

    told: in words. other: the cells whose runs, if they have any, were trained with other settings.
    """

    told: list[str]
    other: list[Cell]


def changes(folder: SweepFolder, cells: Sequence[Cell]) -> Changes:
    """Return how `cells` differ from those that the folder was made from; from none, where it is new."""
    before = recorded_digests(folder)
    now = {cell.name: cell for cell in cells}
    # A cell that the file has not had lately may have been trained from an older one.
    trained = {name: _digest_of(folder.run(name)) for name in now if name not in before}
    suspects = [cell for name, cell in now.items() if (before | trained)[name] not in (cell.digest, "")]
    # Another jactrain may have options that the runs had not, and the same settings: another digest.
    differences = {cell.name: _difference(folder.run(cell.name), cell) for cell in suspects}
    other = [cell for cell in suspects if differences[cell.name]]
    new = [name for name in now if name not in before] if before else []
    gone = [name for name in before if name not in now]
    told = [_listed(len(new), "new", new), _listed(len(gone), "no longer there", gone)]
    return Changes([each for each in [*told, *_alike(other, differences)] if each], other)


def settle_changes(folder: SweepFolder, cells: Sequence[Cell], update: bool, path: Path) -> list[str]:
    """Return in words what `update` changed in a folder that was made from another file.

    Cells with other settings than they were trained with are set aside. Raises UsageError where there is
    something to change and that was not asked for.
    """
    told, other = changes(folder, cells)
    if told and not update:
        raise UsageError(
            f"{path}, or its base, has changed since {folder.path} was made from it:\n"
            + "\n".join(f"  {change}" for change in told)
            + "\nTo keep both, give the file another name; to go on in this folder, say --update: cells with "
            "the same settings keep their runs, those with others are trained anew, the old ones set aside"
        )
    for cell in other:
        if folder.run(cell.name).path.exists():
            set_aside(folder.run(cell.name))
    return told


def _digest_of(directory: RunDirectory) -> str:
    """Return what stands for the configuration that a run was given, as a cell's; "" where it has none."""
    if not directory.path.exists():
        return ""
    try:
        return digest(load_config(directory.config))
    except UsageError:
        return "unknown"


def _listed(number: int, what: str, names: Sequence[str]) -> str:
    if not number:
        return ""
    shown = ", ".join(names[:3]) + (", …" if number > 3 else "")
    return f"{number} cell{'s' * (number > 1)} {'is' if number == 1 else 'are'} {what}: {shown}"


def _alike(cells: Sequence[Cell], differences: Mapping[str, str]) -> list[str]:
    """Return in words how cells differ from what their runs were trained with, alike ones together."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        found.setdefault(differences[cell.name], []).append(cell.name)
    shown = list(found.items())[:_SHOWN_CHANGES]
    rest = sum(map(len, found.values())) - sum(len(names) for _, names in shown)
    lines = [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {told}"
        for told, names in shown
    ]
    return [*lines, f"{rest} more have other settings"] if rest else lines


def _difference(directory: RunDirectory, cell: Cell) -> str:
    """Return in words how a cell differs from what its run was trained with; "" where it has none."""
    if not directory.path.exists():
        return ""
    try:  # what it was given, not as it was bounded to fit into memory
        before = resolved(load_config(directory.config))
    except UsageError:
        return "other settings; those of its run cannot be read"
    changes = list(differing(before, resolved(cell.config)))[:3]
    return "; ".join(
        f"{change.key} was {json.dumps(change.old)}, is {json.dumps(change.new)}" for change in changes
    )
