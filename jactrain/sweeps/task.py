"""What a worker is given, does, and gives back: the only part of a sweep that runs in other processes."""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from threadpoolctl import threadpool_limits

import jactrain
from jactrain.config.models import Config
from jactrain.config.resolved import as_yaml, resolved_yaml
from jactrain.errors import (
    BusyError,
    CheckpointError,
    FileAccessError,
    OtherVersionError,
    PrunedError,
    UsageError,
)
from jactrain.files import write_text
from jactrain.plugins import load_plugins
from jactrain.runs.checkpoints import can_be_resumed
from jactrain.runs.configuration import configuration_of
from jactrain.runs.directory import RunDirectory
from jactrain.runs.interruption import asked_from_outside
from jactrain.runs.resume import resume
from jactrain.runs.run import run
from jactrain.runs.session import RunListener, RunResult, now, write_meta
from jactrain.runs.together import train_together
from jactrain.sweeps.folder import WAS_KILLED, Standing, Status, set_aside, standing
from jactrain.sweeps.parcel import packed, unpacked

_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


class CellTask(NamedTuple):
    """One training: the configuration, as YAML has it, and the run's folder.

    parcel: the folder's files, where workers have file systems of their own. trial: what a search calls it.
    """

    name: str
    config: dict[str, Any]
    folder: str
    parcel: bytes | None = None
    trial: Trial | None = None


class Trial(NamedTuple):
    """A trial of a search, which a worker reports to at the ends of epochs.

    pruning_after: epochs before which it is not ended early; None if it never is.
    """

    journal: str
    study: str
    number: int
    metric: str
    pruning_after: int | None


class Task(NamedTuple):
    """What one call of a worker does: train some cells.

    together: as one program; a cell that has others like it in its sweep is trained so even when it is left
    alone, since the bits are those of the program.
    arguments: the command line that began the sweep. plugins: modules to be imported first. threads: of
    matrix products and loops, the same everywhere, so that the same bits come of it.
    """

    cells: tuple[CellTask, ...]
    threads: int
    together: bool = False
    brought_back: bool = False
    arguments: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    version: str = jactrain.__version__


class Outcome(NamedTuple):
    """What became of a cell in a worker; parcel: the files of its folder, where they are brought back."""

    name: str
    status: Status
    reason: str = ""
    parcel: bytes | None = None


def train_cells(task: Task) -> list[Outcome]:
    """Train the cells of `task`, going on with those that were begun; return what became of each.

    Whatever goes wrong with a cell is in its outcome, and in its folder. Raises OtherVersionError where this
    worker has another version of jactrain.
    """
    if task.version != jactrain.__version__:
        raise OtherVersionError(
            f"a worker has jactrain {jactrain.__version__}, and this sweep was begun with {task.version}; "
            "install the same version everywhere"
        )
    _prepare(task)
    if not task.brought_back:
        return _train(task.cells, task.together)
    with tempfile.TemporaryDirectory() as scratch:
        cells = [cell._replace(folder=str(Path(scratch) / cell.name)) for cell in task.cells]
        for cell in cells:
            if cell.parcel is not None:
                unpacked(cell.parcel, Path(cell.folder))
        return [
            outcome._replace(parcel=packed(Path(cell.folder)))
            for cell, outcome in zip(cells, _train(cells, task.together), strict=True)
        ]


def _prepare(task: Task) -> None:
    """Make this process one of the sweep: its threads, its plug-ins, and what it calls itself in records."""
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = str(task.threads)
    threadpool_limits(task.threads, user_api="blas")  # NumPy is here already, and has read no variable
    flags = os.environ.get("XLA_FLAGS", "")
    if task.threads == 1 and "jax" not in sys.modules and _ONE_THREAD not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_ONE_THREAD}".strip()
    if task.arguments:
        sys.argv = list(task.arguments)
    load_plugins(task.plugins)


def _train(cells: Sequence[CellTask], together: bool) -> list[Outcome]:
    # A scheduler may hand a task over a second time: what has ended is not trained again.
    ended = {cell.name: standing(RunDirectory(Path(cell.folder))) for cell in cells}
    todo = [
        cell
        for cell in cells
        if ended[cell.name].status.is_to_do or ended[cell.name].status is Status.TRAINED_NOW
    ]
    jobs = [partial(_train_cell, cell) for cell in todo]
    if together:
        ends = train_together(jobs, stop=_stop.is_set)
    else:
        asked_from_outside.set(_stop.is_set)
        ends = [_end_of(job) for job in jobs]
    outcomes = {
        cell.name: _outcome(cell, end if isinstance(end, BaseException) else None)
        for cell, end in zip(todo, ends, strict=True)
    }
    return [outcomes.get(cell.name, Outcome(cell.name, *ended[cell.name])) for cell in cells]


def _train_cell(cell: CellTask) -> RunResult:
    """Go on with a cell, or begin it."""
    if _stop.is_set():
        raise KeyboardInterrupt
    directory = RunDirectory(Path(cell.folder))
    config = Config.model_validate(cell.config)
    listeners = _listeners(cell)
    if directory.path.exists():
        try:
            return resume(directory.path, listeners=listeners)
        except (BusyError, PrunedError):
            raise
        except CheckpointError:
            set_aside(directory)
        except UsageError:
            if _can_be_gone_on_with(directory):
                raise  # something else is in the way, which can be mended
            set_aside(directory)
    given = resolved_yaml(config).encode()
    return run(config, folder=directory.path, given=given, listeners=listeners)


def _can_be_gone_on_with(directory: RunDirectory) -> bool:
    try:
        config = configuration_of(RunDirectory.open(directory.path))
        return can_be_resumed(directory, config)
    except UsageError:  # it cannot even be read
        return False


_stop = threading.Event()


def ask_to_stop() -> None:
    """Have this process begin no training any more, and end the one that runs at its next step."""
    _stop.set()


def _end_of(job: Callable[[], RunResult]) -> RunResult | BaseException:
    try:
        return job()
    except (Exception, KeyboardInterrupt) as error:
        return error


def _listeners(cell: CellTask) -> list[RunListener]:
    if cell.trial is None:
        return []
    from jactrain.sweeps.pruning import Pruner

    return [Pruner(cell.trial)]


def _outcome(cell: CellTask, error: BaseException | None) -> Outcome:
    """Return what became of a cell, which is in its folder then, too."""
    directory = RunDirectory(Path(cell.folder))
    if isinstance(error, BusyError):
        return Outcome(cell.name, Status.TRAINED_NOW, str(error))
    if error is not None and not directory.path.exists():
        if isinstance(error, KeyboardInterrupt):
            return Outcome(cell.name, Status.NOT_BEGUN)
        if isinstance(error, FileAccessError):
            return Outcome(cell.name, Status.NOT_BEGUN, str(error))
        _record_failure(cell, directory, error)
    found = standing(directory)
    if error is not None and found.status is Status.FINISHED:  # it could not be trained on
        return Outcome(cell.name, Status.FAILED, str(error))
    if found.status.is_to_do and isinstance(error, Exception):  # it could not be gone on with
        return Outcome(cell.name, found.status, str(error) or type(error).__name__)
    return Outcome(cell.name, found.status, found.reason)


def _record_failure(cell: CellTask, directory: RunDirectory, error: BaseException) -> None:
    """Leave a folder that says why a training could not even begin."""
    reason = str(error) or type(error).__name__
    text = as_yaml(cell.config)  # which this worker may be unable to read: it lacks a file, or a plug-in

    def fill(unfinished: RunDirectory) -> None:
        write_text(unfinished.resolved_config, text)
        write_text(unfinished.config, text)
        write_meta(unfinished, {"name": cell.name, "started": now()}, "failed", reason)

    try:
        RunDirectory.create_at(directory.path, fill)
    except UsageError:  # there is no room for that either; the outcome tells it
        return


def failure(cell: CellTask, error: BaseException) -> Outcome:
    """Return the outcome of a cell whose worker is gone, or could not do anything."""
    found: Standing = standing(RunDirectory(Path(cell.folder)))
    if isinstance(error, InterruptedError):  # it was not handed over any more
        return Outcome(cell.name, found.status)
    if not found.status.is_to_do and found.status is not Status.TRAINED_NOW:
        return Outcome(cell.name, found.status, found.reason)
    if isinstance(error, BrokenExecutor):
        return Outcome(cell.name, Status.KILLED, WAS_KILLED)
    return Outcome(cell.name, Status.KILLED, str(error) or type(error).__name__)
