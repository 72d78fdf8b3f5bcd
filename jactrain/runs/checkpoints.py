"""The checkpoints of a run: writing the newest, removing old ones, finding the newest that is whole."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from jactrain.config.models import Config
from jactrain.errors import CheckpointError
from jactrain.files import reachable, sync_folder
from jactrain.runs.directory import RunDirectory
from jactrain.training.batches import steps_per_epoch
from jactrain.training.checkpoint import Checkpoint, load, save
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment
from jactrain.training.settings import Checkpoints
from jactrain.training.state import TrainingState

_NAME = re.compile(r"step-(\d{1,18})\.npz")


def checkpoints_of(directory: RunDirectory, steps: int = 1) -> list[Path]:
    """Return the checkpoints in the run's folder that come after a multiple of `steps`, the newest first."""
    with reachable(directory.checkpoints):
        if not directory.checkpoints.is_dir():
            return []
        found = [path for path in directory.checkpoints.iterdir() if _NAME.fullmatch(path.name)]
    return sorted((path for path in found if _step(path) % steps == 0), key=_step, reverse=True)


def has_where_to_go_on(directory: RunDirectory, config: Config) -> bool:
    """Tell whether the run has a checkpoint, or nothing yet that one would be needed for."""
    if checkpoints_of(directory):
        return True
    return config.training.checkpoints is not None and not directory.weights.is_file()


def can_be_resumed(directory: RunDirectory, config: Config) -> bool:
    """Tell whether `resume` goes on with the run, as far as can be known before its files are read."""
    return config.engine.is_resumable() and has_where_to_go_on(directory, config)


def command_to_go_on(directory: RunDirectory, config: Config) -> str:
    """Return what to type to go on with the run; nothing where it cannot be gone on with."""
    if not can_be_resumed(directory, config):
        return ""
    diverged = directory.read_meta().get("status") == "diverged"
    return directory.resume_command(config.optimizer.kind if diverged else "")


class Found(NamedTuple):
    """The newest checkpoint that is whole, if there is one; damaged: newer ones, and what is wrong there."""

    path: Path | None
    checkpoint: Checkpoint | None
    damaged: dict[Path, CheckpointError]

    @property
    def notes(self) -> list[str]:
        """What is to be said of the damaged ones."""
        return [f"{error}; an older checkpoint is taken" for error in self.damaged.values()]

    def put_damaged_aside(self) -> None:
        """Rename damaged checkpoints to `.damaged`, so that they count no more."""
        for each in self.damaged:
            with reachable(each, "renamed"):
                each.replace(each.with_suffix(".damaged"))


def newest_whole(directory: RunDirectory, steps: int = 1) -> Found:
    """Return the newest checkpoint that is whole, of those after a multiple of `steps`.

    Raises CheckpointError where all of these are damaged.
    """
    damaged: dict[Path, CheckpointError] = {}
    for path in checkpoints_of(directory, steps):
        try:
            return Found(path, load(path), damaged)
        except CheckpointError as error:
            damaged[path] = error
    newest = next(iter(damaged.values()), None)
    if newest is not None:
        raise CheckpointError(
            f"{newest}; no older checkpoint is whole: train anew with {directory.repeat_command}"
        )
    return Found(None, None, {})


# Seconds that the first checkpoint is taken to need.
_FIRST = 0.005


class Keeper(Listener):
    """Writes a checkpoint at the ends of epochs, and keeps the newest few.

    newest: the path of the last one; None before there is any.
    """

    def __init__(self, directory: RunDirectory, record: Callable[[], dict[str, Any]]) -> None:
        """Keep checkpoints in the run's folder; `record` gives what is kept with the state."""
        self._directory = directory
        self._record = record
        self._settings: Checkpoints | None = None
        self._steps = 1  # of an epoch
        self._started = perf_counter()
        self._spent, self._cost = 0.0, _FIRST
        self.newest = next(iter(checkpoints_of(directory)), None)

    def on_start(self, experiment: Experiment, state: TrainingState) -> None:
        """Learn how often, and how many."""
        self._settings = experiment.settings.checkpoints
        self._steps = steps_per_epoch(experiment)
        self._started = perf_counter()

    def on_epoch(self, state: TrainingState) -> None:
        """Write the state of the epoch's end, if it is due."""
        settings = self._settings
        if settings is None or state.epoch % settings.every:
            return
        allowed = settings.share * (perf_counter() - self._started)
        # This one and the one at the end, which comes in any case.
        if settings.share == 1 or self._spent + 2 * self._cost <= allowed:
            self.keep(state)

    def on_end(self, state: TrainingState) -> None:
        """Write the last state, from which the run may be trained on."""
        self.keep(state)

    def keep(self, state: TrainingState) -> None:
        """Write `state`, unless it is there, not finite, or no checkpoints are wanted; remove the oldest."""
        path = self._directory.checkpoints / f"step-{state.step:010}.npz"
        finite = all(np.isfinite(array).all() for array in (state.parameters, *state.optimizer.values()))
        if self._settings is None or path == self.newest or not finite:
            return
        start = perf_counter()
        if not path.parent.exists():
            with reachable(path, "written"):
                path.parent.mkdir(exist_ok=True)
            sync_folder(self._directory.path)
        save(path, state, self._record())
        self.newest = path
        found = checkpoints_of(self._directory)
        # A divergence goes back to an epoch's end, whether the training was interrupted since or not.
        last_end = next((each for each in found if _step(each) % self._steps == 0), None)
        for old in found[self._settings.keep :]:
            if old != last_end:
                with reachable(old, "removed"):
                    old.unlink(missing_ok=True)
        self._cost = perf_counter() - start
        self._spent += self._cost


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))
