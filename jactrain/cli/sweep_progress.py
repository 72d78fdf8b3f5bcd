"""What is shown while a sweep runs: how many cells are done, running and failed, and the time left."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from jactrain.cli.common import echo_notes
from jactrain.cli.sweep import duration
from jactrain.config.wording import escaped
from jactrain.sweeps.folder import Status
from jactrain.sweeps.sweep import SweepListener
from jactrain.sweeps.task import Outcome

_SHOWN_RUNNING = 8


class SweepProgress(SweepListener):
    """Shows on stderr a table on a terminal, and elsewhere a line for each cell."""

    def __init__(self, quiet: bool = False) -> None:
        console = Console(stderr=True, highlight=False)
        self._live = None if quiet or not console.is_terminal else Live(console=console, refresh_per_second=4)
        self._plain = self._live is None and not quiet
        self._quiet = quiet
        self._cells = self._done = 0
        self._left = self._handled = 0  # of the cells that this call is to train
        self._started = perf_counter()
        self._running: dict[str, float] = {}
        self._counts: dict[Status, int] = {}
        self._stopping = False
        self._told = Text()

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the last state on the terminal."""
        if self._live:
            self._live.stop()

    def on_start(self, folder: Path, cells: int, done: int) -> None:
        """Say what there is to do."""
        self._cells, self._done, self._left, self._handled = cells, done, cells - done, 0
        self._started = perf_counter()
        if self._plain:
            already = f", {done:,} done already" if done else ""
            typer.echo(f"{cells:,} cells in {escaped(str(folder))}{already}", err=True)
        self._show()

    def on_note(self, note: str) -> None:
        """Say it above the table."""
        if self._live:
            self._live.console.print(f"note: {note}", markup=False)
        elif not self._quiet:
            echo_notes([note])

    def on_begin(self, name: str) -> None:
        """Count it among those that run."""
        self._running[name] = perf_counter()
        self._show()

    def on_outcome(self, outcome: Outcome) -> None:
        """Count it, and say why it failed."""
        began = self._running.pop(outcome.name, perf_counter())
        if outcome.status is Status.NOT_BEGUN:  # the sweep was stopped before
            self._show()
            return
        self._handled += 1
        self._done += outcome.status.is_end  # what was killed or interrupted is gone on with another time
        self._counts[outcome.status] = self._counts.get(outcome.status, 0) + 1
        is_as_asked = outcome.status is Status.INTERRUPTED and self._stopping
        if outcome.status not in (Status.FINISHED, Status.PRUNED) and not is_as_asked:
            self.on_note(f"{outcome.name}: {outcome.status.value}: {escaped(outcome.reason)}")
        if self._plain:
            took = duration(perf_counter() - began)
            done = f"{self._done:,}/{self._cells:,}"
            typer.echo(
                f"{done}  {outcome.name}  {outcome.status.value} in {took}{self._time_left()}", err=True
            )
        self._show()

    def on_stopping(self, told: str) -> None:
        """Say that it is stopping, and how to stop at once; called by a signal."""
        self._stopping = True
        if self._live:  # which shows it when it is drawn next
            self._told.plain = f"stopping: {told}; Ctrl-C again to stop at once"
        elif not self._quiet and sys.stderr is not None:  # a signal may come in the midst of other output
            with contextlib.suppress(OSError):
                os.write(2, f"\nstopping: {told}; Ctrl-C again to stop at once\n".encode())

    def on_giving_up(self, told: str) -> None:
        """Say so; what is stopped by that is not told one by one."""
        self._stopping = True
        self.on_note(f"the sweep gives up: {told}")

    def _time_left(self) -> str:
        """Return the time left in words, from the pace up to now."""
        left = self._left - self._handled
        if not self._handled or not left or self._stopping:
            return ""
        return f", about {duration((perf_counter() - self._started) / self._handled * left)} left"

    def _show(self) -> None:
        if self._live is None:
            return
        told = ", ".join(f"{count:,} {status.value}" for status, count in self._counts.items())
        lines = [
            Text(
                f"{self._done:,} of {self._cells:,} cells done"
                + (f" ({told} this time)" if told else "")
                + f", {len(self._running)} running{self._time_left()}"
            )
        ]
        running = sorted(self._running.items(), key=lambda item: item[1])[:_SHOWN_RUNNING]
        lines += [Text(f"  {name}", style="dim") for name, _ in running]
        self._live.update(Group(*lines, self._told))
