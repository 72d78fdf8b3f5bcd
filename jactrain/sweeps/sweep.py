"""A sweep: the cells that are to be trained, handed to workers, until none is left."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from jactrain.errors import OtherVersionError, UsageError
from jactrain.files import require_unicode
from jactrain.runs.interruption import Interruption
from jactrain.sweeps.cells import Sweep
from jactrain.sweeps.folder import Status, SweepFolder
from jactrain.sweeps.manner import Manner
from jactrain.sweeps.parcel import packed, unpacked
from jactrain.sweeps.reading import MOST_CELLS, read_sweep
from jactrain.sweeps.results import rows, write_results
from jactrain.sweeps.source import Listed, Source
from jactrain.sweeps.task import CellTask, Outcome, Task, failure
from jactrain.sweeps.workers import LocalWorkers, Workers

_PATIENCE = 0.2  # seconds between two looks at whether the sweep was asked to stop


class SweepListener:
    """Hears of what becomes of the cells; does nothing."""

    def on_start(self, folder: Path, cells: int, done: int) -> None:
        """Hear how many cells there are, and of how many nothing more is to come."""

    def on_note(self, note: str) -> None:
        """Hear what is to be said of the sweep."""

    def on_begin(self, name: str) -> None:
        """Hear that a cell was handed to a worker."""

    def on_outcome(self, outcome: Outcome) -> None:
        """Hear what became of a cell."""

    def on_stopping(self, told: str) -> None:
        """Hear that the sweep was asked to stop, and what becomes of what is trained; called by a signal."""

    def on_giving_up(self, told: str) -> None:
        """Hear that the sweep cannot go on, and what becomes of what is trained."""


@dataclass(frozen=True, repr=False)
class SweepResult:
    """What a sweep leaves: a row a cell, as in `results.csv`.

    cells: how many there are to be, which a search may not have begun. outcomes: of those that this call
    trained; interrupted: whether it was asked to stop.
    """

    folder: Path
    cells: int
    rows: list[dict[str, Any]] = field(repr=False)
    outcomes: list[Outcome] = field(repr=False)
    interrupted: bool = False

    def count(self, status: Status | str) -> int:
        """Return how many cells have this status, such as "finished"."""
        return sum(row["status"] == Status(status).value for row in self.rows)

    def __repr__(self) -> str:
        counts = {status.value: self.count(status) for status in Status}
        told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
        return f"SweepResult(folder={str(self.folder)!r}, {told})"

    @property
    def is_complete(self) -> bool:
        """Whether all cells are finished, or pruned by the search."""
        ended = (Status.FINISHED.value, Status.PRUNED.value)
        return len(self.rows) >= self.cells and all(row["status"] in ended for row in self.rows)


_AS_EVER = Manner()


def sweep(
    path: Path | str,
    runs: Path | str = "runs",
    *,
    jobs: int = 1,
    workers: Callable[[], Workers] | None = None,
    manner: Manner = _AS_EVER,
    most: int = MOST_CELLS,
    listener: SweepListener | None = None,
) -> SweepResult:
    """Train the cells of the experiment in the file at `path`, each in a folder below `runs`/its name.

    Cells that are finished are left, those that were interrupted or killed are gone on with.

    jobs: processes of this machine that train. workers: what trains instead, such as a cluster.

    Raises ConfigurationError and UsageError before anything is written, for what `read_sweep` refuses and
    for a folder that was made from another file; BusyError where another process trains its cells.
    """
    read = read_sweep(path, most)
    return train_sweep(read, Path(runs), workers or (lambda: LocalWorkers(jobs)), manner, listener)


def train_sweep(
    read: Sweep,
    runs: Path,
    workers: Callable[[], Workers],
    manner: Manner = _AS_EVER,
    listener: SweepListener | None = None,
) -> SweepResult:
    """Train the cells of a sweep that was read, as `sweep` does."""
    listener = listener or SweepListener()
    require_unicode(runs)
    require_unicode(read.path)
    folder = SweepFolder(runs / read.name)
    with workers() as engine, folder.locked():
        if read.experiment.search is not None:
            from jactrain.sweeps.search import Searched

            source: Source = Searched(read, folder, manner)
        else:
            source = Listed(read, folder, manner)
        for note in source.notes:
            listener.on_note(note)
        listener.on_start(folder.path, source.count, source.done)
        crew = _Crew(engine, source, folder, manner, listener)
        try:
            with Interruption(partial(listener.on_stopping, engine.stopping)) as interruption:
                try:
                    crew.work(interruption.asked)
                except KeyboardInterrupt:  # the second signal
                    engine.close()
                interrupted = interruption.asked()
        finally:
            found = rows(source.known, folder)
            _tell_reasons(found, crew.outcomes)
            write_results(folder, found)
    return SweepResult(folder.path, source.count, found, crew.outcomes, interrupted)


def _tell_reasons(found: list[dict[str, Any]], outcomes: list[Outcome]) -> None:
    """Put the reasons of this call into the rows of cells that are still to be trained."""
    reasons = {outcome.name: outcome.reason for outcome in outcomes}
    for row in found:
        if Status(row["status"]).is_to_do and reasons.get(row["name"]):
            row["reason"] = reasons[row["name"]]


class _Crew:
    """The workers at work: as many tasks as they do at a time, until there are none."""

    def __init__(
        self,
        workers: Workers,
        source: Source,
        folder: SweepFolder,
        manner: Manner,
        listener: SweepListener,
    ) -> None:
        self._workers, self._source, self._folder = workers, source, folder
        self._manner, self._listener = manner, listener
        self._at_work: dict[Future[list[Outcome]], tuple[CellTask, ...]] = {}
        self.outcomes: list[Outcome] = []

    def work(self, stop: Callable[[], bool]) -> None:
        """Train all cells; where `stop()` is true, begin none, and wait for those that are trained to stop.

        Raises RunError where a worker cannot train at all: with another version of jactrain; FileAccessError
        where a search's journal finds no room.
        """
        try:
            self._work(stop)
        except UsageError:
            self._listener.on_giving_up(self._workers.stopping)
            self._workers.stop()
            for future in wait(self._at_work).done:
                with suppress(UsageError):  # the same once more
                    self._end(future)
            raise

    def _work(self, stop: Callable[[], bool]) -> None:
        tasks, told = self._source.tasks(), False
        while True:
            while not stop() and len(self._at_work) < self._workers.slots:
                cells = next(tasks, None)
                if cells is None:
                    break
                self._begin(cells)
            if not self._at_work:
                return
            if stop() and not told:
                told = True
                self._workers.stop()
            done, _ = wait(self._at_work, timeout=_PATIENCE, return_when=FIRST_COMPLETED)
            for future in done:
                self._end(future)

    def _begin(self, cells: tuple[CellTask, ...]) -> None:
        for cell in cells:
            self._listener.on_begin(cell.name)
        if self._manner.brought_back:
            cells = tuple(cell._replace(parcel=packed(Path(cell.folder))) for cell in cells)
        task = Task(
            cells,
            self._manner.threads,
            self._source.is_together(cells[0].name),
            self._manner.brought_back,
            tuple(sys.argv),
            self._manner.plugins,
        )
        self._at_work[self._workers.submit(task)] = cells

    def _end(self, future: Future[list[Outcome]]) -> None:
        cells = self._at_work.pop(future)
        try:
            outcomes = future.result()
        except OtherVersionError:
            raise
        except Exception as error:  # whatever a library says of a worker that is gone
            outcomes = [failure(cell, error) for cell in cells]
        for cell, outcome in zip(cells, outcomes, strict=True):
            kept = outcome._replace(parcel=None)
            if outcome.parcel is not None:
                try:
                    unpacked(outcome.parcel, Path(cell.folder))
                except UsageError as error:
                    kept = failure(cell, error)
            self.outcomes.append(kept)
            try:
                self._source.learn(kept)
            finally:
                self._listener.on_outcome(kept)
