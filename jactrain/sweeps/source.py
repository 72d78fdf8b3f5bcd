"""Where the cells of a sweep come from: those that are listed, or a search's."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from jactrain.config.resolved import resolved
from jactrain.runs.directory import RunDirectory
from jactrain.runs.together import groups
from jactrain.sweeps.cells import Cell, Sweep
from jactrain.sweeps.folder import Status, SweepFolder, set_aside, standing
from jactrain.sweeps.manner import Manner
from jactrain.sweeps.record import settle_changes, write_cells
from jactrain.sweeps.task import CellTask, Outcome, Trial


class Source(ABC):
    """Where the cells come from that are to be trained.

    count: how many there are in all; done: of how many nothing more is to come; notes: what is to be said
    first.
    """

    count: int
    done: int
    notes: Sequence[str] = ()

    @property
    @abstractmethod
    def known(self) -> Sequence[Cell]:
        """The cells that are known by now."""

    @abstractmethod
    def tasks(self) -> Iterator[tuple[CellTask, ...]]:
        """Yield cells that are to be trained by one worker, one after another or together."""

    def is_together(self, name: str) -> bool:
        """Return whether a cell is trained as one program with others."""
        return False

    def learn(self, outcome: Outcome) -> None:  # noqa: B027 - what is listed learns nothing
        """Hear what became of a cell."""


def task_of(cell: Cell, folder: SweepFolder, trial: Trial | None = None) -> CellTask:
    """Return what a worker is given to train `cell`, in its place within the experiment's `folder`."""
    place = os.path.realpath(folder.run(cell.name).path)  # which takes links in a circle; resolve() does not
    return CellTask(cell.name, resolved(cell.config), place, trial=trial)


def taken_up(directory: RunDirectory, manner: Manner) -> Status:
    """Return what became of a cell; what failed and is to be trained anew is set aside, and not begun."""
    status = standing(directory).status
    if status.is_failure and manner.takes(status):
        set_aside(directory)
        return Status.NOT_BEGUN
    return status


class Listed(Source):
    """The cells that the experiment's file lists."""

    def __init__(self, read: Sweep, folder: SweepFolder, manner: Manner) -> None:
        self._cells = read.cells
        self.notes = settle_changes(folder, read.cells, manner.update, read.path)
        write_cells(folder, read, read.cells, manner)
        self._folder = folder
        # By all cells, not by those that are left: what comes of a cell must not depend on these.
        alike = groups([cell.config for cell in read.cells]) if read.experiment.together == "auto" else []
        self._alike = {read.cells[number].name for each in alike if len(each) > 1 for number in each}
        statuses = [taken_up(folder.run(cell.name), manner) for cell in read.cells]
        self._todo = [cell for cell, status in zip(read.cells, statuses, strict=True) if status.is_to_do]
        self.count, self.done = len(read.cells), sum(status.is_end for status in statuses)

    @property
    def known(self) -> Sequence[Cell]:
        """All of them."""
        return self._cells

    def tasks(self) -> Iterator[tuple[CellTask, ...]]:
        """Yield the cells that are to be trained, in the order of the file."""
        for cells in self._groups():
            yield tuple(task_of(cell, self._folder) for cell in cells)

    def is_together(self, name: str) -> bool:
        """Return whether there is another cell like it."""
        return name in self._alike

    def _groups(self) -> list[list[Cell]]:
        """Return the cells that are to be trained, those together that one program trains."""
        alone = [[cell] for cell in self._todo if cell.name not in self._alike]
        alike = [cell for cell in self._todo if cell.name in self._alike]
        return alone + [[alike[number] for number in each] for each in groups([it.config for it in alike])]
