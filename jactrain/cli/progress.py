"""What is shown while a run trains: a progress bar on a terminal, plain lines elsewhere, and its log."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from jactrain.agreement.monitor import Measurement
from jactrain.cli.common import echo_notes, small
from jactrain.cli.tables import figure
from jactrain.runs.directory import RunDirectory
from jactrain.runs.session import RunListener, ending
from jactrain.training.engine import Engine
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState

# Seconds between plain lines, so that a log of a long run stays readable.
_INTERVAL = 1.0
_SHOWN = ("train_loss", "validation_loss", "validation_accuracy", "validation_r2", "train_accuracy")


class ProgressListener(RunListener):
    """Shows the newest figures on stderr, and writes every epoch's into the run's log.

    folder: the run's, None until it is made.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.folder: Path | None = None
        console = Console(stderr=True, highlight=False)
        self._bar = _bar(console)
        self._figures, self._told = Text(), Text()
        # The figures stand below the bar, where they may wrap on a narrow terminal.
        shown = Group(self._bar, self._figures, self._told)
        self._live = Live(shown, console=console) if console.is_terminal else None
        self._live = None if quiet else self._live
        self._plain = self._live is None and not quiet
        self._log: IO[str] | None = None
        self._epochs = 0
        self._stopping = Engine.stopping
        self._agreement: dict[str, str] = {}
        self._wrong: set[str] = set()
        self._last = 0.0
        self._untold = ""  # the newest epoch's line, where it came too soon to be shown

    def __enter__(self) -> Self:
        """Start the bar."""
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the bar, note why the run ended if it failed, and close the log."""
        if self._live:
            self._live.stop()
        if error is not None:
            self._write(str(error) or type(error).__name__)
        self._end_log()

    def on_folder(self, folder: Path) -> None:
        """Open the log in the run's folder."""
        self.folder = folder
        self._log = RunDirectory(folder).log.open("a", encoding="utf-8", buffering=1)

    def on_start(self, experiment: Experiment, state: TrainingState) -> None:
        """Say what is trained."""
        self._epochs, self._stopping = experiment.settings.epochs, experiment.engine.stopping
        parts = f"{len(experiment.training.x)} training"
        if experiment.validation is not None:
            parts += f" and {len(experiment.validation.x)} validation"
        for task in self._bar.task_ids:
            self._bar.update(task, completed=state.epoch)
        if self._bar.task_ids:  # back at a checkpoint
            return
        self._bar.add_task("training", total=self._epochs, completed=state.epoch)
        told = experiment.engine.told(experiment)
        self._line(
            f"training {experiment.network.size:,} parameters by {experiment.mode.label} on {parts} examples"
            + (f", with {told}" if told else "")
            + (f", from epoch {state.epoch}, step {state.step} on" if state.step else ""),
            always=True,
        )
        if self.folder is not None:  # told now: what is killed can tell nothing later
            self._line(f"into {self.folder}", always=True)
        for note in experiment.notes:
            self.on_note(note)

    def on_agreement(self, step: int, measurement: Measurement) -> None:
        """Keep the newest comparison for the next line; say at once that a mode disagrees, the first time."""
        whole = measurement.comparison.whole
        error = whole.relative_error
        name = measurement.mode.partition("(")[0]
        if measurement.comparison.is_wrong and measurement.mode not in self._wrong:
            self._wrong.add(measurement.mode)
            by = "" if error is None else f" by {small(error)}, where {small(whole.allowed)} is allowed"
            told = f"disagrees with {measurement.reference}{by}"
            if whole.verdict == "failed":
                told = f"failed: {measurement.comparison.reason}"
            self.on_note(f"at step {step:,} {measurement.mode} {told}")
        self._agreement[measurement.mode] = f"{name} {'–' if error is None else f'{error:.1e}'}"

    def on_epoch(self, state: TrainingState) -> None:
        """Show the figures of the epoch."""
        figures = [
            f"{name.replace('_', ' ')} {figure(name, state.metrics[name])}"
            for name in _SHOWN
            if name in state.metrics
            and not (name == "train_accuracy" and "validation_accuracy" in state.metrics)
        ]
        text = "  ".join([*figures, *self._agreement.values()])
        for task in self._bar.task_ids:
            self._bar.update(task, completed=state.epoch)
        self._figures.plain = text
        self._line(f"epoch {state.epoch}/{self._epochs}  {text}")

    def on_end(self, state: TrainingState) -> None:
        """Show the last epoch's figures, if they were not, and tell how training ended in the log."""
        if self._untold:
            typer.echo(self._untold, err=True)
        self._write(ending(state.epoch, self._epochs, state.kept_epoch))

    def on_stopping(self) -> None:
        """Say that the training will stop; a signal may come in the midst of other output."""
        if self._live:  # which shows it when it is drawn next
            self._told.plain = self._stopping
        elif sys.stderr is not None:  # else 2 may be any file
            with contextlib.suppress(OSError):
                os.write(2, f"\n{self._stopping}\n".encode())

    def on_note(self, note: str) -> None:
        """Say something of the run."""
        self._write(f"note: {note}")
        self._say(note)

    def _say(self, note: str) -> None:
        if self._live:
            self._live.console.print(Text(f"note: {note}"), soft_wrap=True)
        else:
            echo_notes([note])

    def _write(self, line: str) -> None:
        """Write a line of the log; one that finds no room ends the log, and not the training."""
        if self._log is None:
            return
        try:
            self._log.write(f"{line}\n")
        except OSError as error:
            self._end_log()
            self._say(
                f"{self.folder}/log.txt cannot be written ({error.strerror}); the run goes on without it"
            )

    def _end_log(self) -> None:
        if self._log is not None:
            log, self._log = self._log, None
            with contextlib.suppress(OSError):
                log.close()

    def _line(self, text: str, always: bool = False) -> None:
        self._write(text)
        if always and self._live:
            self._live.console.print(Text(text), soft_wrap=True)
        if not self._plain:
            return
        if always or time.monotonic() - self._last >= _INTERVAL:
            typer.echo(text, err=True)
            self._last = time.monotonic()
            self._untold = ""
        else:
            self._untold = text


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("epoch {task.completed:.0f}/{task.total:.0f}", markup=False),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
    )
