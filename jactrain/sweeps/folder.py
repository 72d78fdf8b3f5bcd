"""The folder of an experiment, and what became of each of its cells."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from jactrain.errors import BusyError
from jactrain.files import reachable
from jactrain.runs.directory import CELLS_FILE, EXPERIMENT_FILE, RunDirectory
from jactrain.runs.lock import is_held, locked

WAS_KILLED = "its process was killed, or crashed; the same command goes on with it"


class Status(Enum):
    """What became of a cell; its run's folder says it."""

    NOT_BEGUN = "not begun"
    TRAINED_NOW = "being trained"
    KILLED = "killed"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"
    PRUNED = "pruned"

    @property
    def is_to_do(self) -> bool:
        """Whether a sweep trains such a cell, or goes on with it."""
        return self in (Status.NOT_BEGUN, Status.KILLED, Status.INTERRUPTED)

    @property
    def is_end(self) -> bool:
        """Whether nothing more is to come of such a cell, unless it is trained anew."""
        return self in (Status.FINISHED, Status.PRUNED) or self.is_failure

    @property
    def is_failure(self) -> bool:
        """Whether a sweep trains such a cell anew, if asked to."""
        return self in (Status.DIVERGED, Status.FAILED)


class Standing(NamedTuple):
    """What became of a cell, and the reason, if it has one."""

    status: Status
    reason: str = ""


@dataclass(frozen=True)
class SweepFolder:
    """`runs/<experiment>/` and what is in it."""

    path: Path

    @property
    def experiment(self) -> Path:
        """The experiment's file as it was given."""
        return self.path / EXPERIMENT_FILE

    @property
    def cells(self) -> Path:
        """What cells there are, with their settings."""
        return self.path / CELLS_FILE

    @property
    def results(self) -> Path:
        """A row a cell."""
        return self.path / "results.csv"

    @property
    def journal(self) -> Path:
        """What a search asked, and was told."""
        return self.path / "journal.log"

    def run(self, name: str) -> RunDirectory:
        """Return the folder of a cell's run, which may not be there."""
        return RunDirectory(self.path / name)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other sweeps from the folder, which is made; BusyError where there is one already."""
        with reachable(self.path, "made"):
            self.path.mkdir(parents=True, exist_ok=True)
        try:
            with locked(RunDirectory(self.path)):
                yield
        except BusyError:
            raise BusyError(
                f"another process is training the cells of {self.path}; wait for it, or stop it"
            ) from None


def standing(directory: RunDirectory) -> Standing:
    """Return what became of a cell, by its run's folder."""
    with reachable(directory.path):
        if not directory.path.exists():
            return Standing(Status.NOT_BEGUN)
    meta = directory.read_meta()
    status, reason = meta.get("status"), str(meta.get("exit_reason", ""))
    if status is None:
        return Standing(Status.FAILED, f"{directory.meta} cannot be read")
    if status == "running":
        held = is_held(directory)
        if held is None:  # the lock decides, should it be gone on with
            return Standing(Status.KILLED, "whether a process still trains it cannot be known")
        return Standing(Status.TRAINED_NOW) if held else Standing(Status.KILLED, WAS_KILLED)
    try:
        return Standing(Status(status), reason)
    except ValueError:
        return Standing(Status.FAILED, f"{directory.meta} has a status that is none")


def set_aside(directory: RunDirectory) -> Path:
    """Rename a run's folder, so that its cell is trained anew and nothing of it is lost."""
    number = 1
    while (path := directory.path.with_name(f".{directory.path.name}.aside-{number}")).exists():
        number += 1
    with reachable(directory.path, "renamed"):
        directory.path.rename(path)
    return path
