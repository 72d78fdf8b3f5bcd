"""Where the cells of a sweep come from: those that are listed, or a search's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jactrain.config.resolved import resolved
from jactrain.sweeps.cells import Cell, Sweep
from jactrain.sweeps.folder import SweepFolder, set_aside, standing
from jactrain.sweeps.record import settle_changes, write_cells
from jactrain.sweeps.task import CellTask, Outcome


@dataclass(frozen=True)
class Manner:
    """How the cells are trained, whatever they are.

    retry: train those anew that diverged or failed. update: go on in a folder made from another file.
    threads: of each training; results depend on them, and on nothing else here. brought_back: workers have
    file systems of their own, and folders are sent there and back. plugins: modules that workers import.
    """

    retry: bool = False
    update: bool = False
    threads: int = 1
    brought_back: bool = False
    plugins: tuple[str, ...] = ()


class Source:
    """Where the cells come from that are to be trained.

    cells: how many there are in all; to_do: how many of them are still to be trained; known: those that are
    known by now; notes: what is to be said first.
    """

    cells: int
    to_do: int
    known: Sequence[Cell]
    notes: Sequence[str] = ()

    def tasks(self) -> Iterator[tuple[CellTask, ...]]:
        """Yield cells that are to be trained, several that are trained as one program."""
        raise NotImplementedError

    def learn(self, outcome: Outcome) -> None:
        """Hear what became of a cell."""


class Listed(Source):
    """The cells that the experiment's file lists."""

    def __init__(self, read: Sweep, folder: SweepFolder, manner: Manner) -> None:
        self.known = read.cells
        self.notes = settle_changes(folder, read.cells, manner.update, read.path)
        write_cells(folder, read, read.cells)
        self._folder, self._manner = folder, manner
        self._together = read.experiment.together == "auto"
        self._todo = [cell for cell in read.cells if self._is_to_do(cell)]
        self.cells, self.to_do = len(read.cells), len(self._todo)

    def _is_to_do(self, cell: Cell) -> bool:
        directory = self._folder.run(cell.name)
        status = standing(directory).status
        if status.is_failure and self._manner.retry:
            set_aside(directory)
            return True
        return status.is_to_do

    def tasks(self) -> Iterator[tuple[CellTask, ...]]:
        """Yield the cells that are to be trained, in the order of the file."""
        for cells in self._groups():
            yield tuple(
                CellTask(cell.name, resolved(cell.config), str(self._folder.run(cell.name).path.resolve()))
                for cell in cells
            )

    def _groups(self) -> list[list[Cell]]:
        return [[cell] for cell in self._todo]
