"""Training in a run's folder, from its first step or from a checkpoint on, to a readable end."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jactrain.agreement.monitor import Measurement
from jactrain.arrays import Array
from jactrain.errors import CheckpointError, DivergedError, FileAccessError, PrunedError, UsageError
from jactrain.files import as_json, reachable, write_text
from jactrain.runs.checkpoints import Keeper, checkpoints_of, newest_whole
from jactrain.runs.data_record import are_the_same_data
from jactrain.runs.directory import RunDirectory
from jactrain.runs.interruption import Interruption
from jactrain.runs.model import Model
from jactrain.runs.recorder import Lengths, Recorder
from jactrain.training.agreement import AgreementListener
from jactrain.training.batches import steps_per_epoch
from jactrain.training.checkpoint import Checkpoint
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState
from jactrain.training.trainer import is_over, train


@dataclass(frozen=True, eq=False, repr=False)  # arrays have no single truth value to compare by
class RunResult:
    """What a run leaves.

    parameters: flat `(P,)`, the best under early stopping, else the last; kept_epoch: the epoch that they
    are from; metrics: with these parameters. agreement: the last measurement of each mode, and
    agreement_step: how many steps were finished then, None without one. disagreements: the steps at which a
    mode disagreed or failed.
    """

    folder: Path
    experiment: Experiment
    parameters: Array
    metrics: dict[str, float | None]
    agreement: dict[str, Measurement]
    agreement_step: int | None
    disagreements: dict[str, list[int]]
    epochs: int
    kept_epoch: int
    steps: int
    seconds: float
    multiply_adds: int

    def __repr__(self) -> str:
        return f"RunResult(folder={str(self.folder)!r}, metrics={self.metrics})"

    @property
    def model(self) -> Model:
        """The trained model, as `load_run` reads it from the folder."""
        return Model.of(self.experiment, self.parameters)

    def predict(self, x: Array) -> Array:
        """Return what `model` predicts: classes `(N,)` as text, or numbers `(N, m)` in the data's units."""
        return self.model.predict(x)

    @property
    def stopped_early(self) -> bool:
        """Whether early stopping ended the training before its last epoch."""
        return self.epochs < self.experiment.settings.epochs

    @property
    def ending(self) -> str:
        """How the training ended, and which weights were kept, in words."""
        return ending(self.epochs, self.experiment.settings.epochs, self.kept_epoch)


def ending(epoch: int, epochs: int, kept_epoch: int) -> str:
    """Return in words how a training of at most `epochs` ended after `epoch`, with the weights of which."""
    whole = f"stopped early after epoch {epoch} of {epochs}" if epoch < epochs else "all epochs were trained"
    return whole if kept_epoch == epoch else f"{whole}; the weights are those of epoch {kept_epoch}"


class RunListener(Listener):
    """A listener that also hears of what becomes of the run."""

    def on_folder(self, folder: Path) -> None:
        """Hear where the run is written."""

    def on_agreement(self, step: int, measurement: Measurement) -> None:
        """Hear of one mode compared at a step."""

    def on_note(self, note: str) -> None:
        """Hear what is to be said of a run that goes on: other libraries, a damaged checkpoint, a retry."""

    def on_stopping(self) -> None:
        """Hear that the training was asked to stop, and will between two steps; called by a signal."""


class Point(NamedTuple):
    """Where a training goes on: its state, and how much of the run's files belongs to it."""

    state: TrainingState
    lengths: Lengths

    @classmethod
    def of(
        cls, checkpoint: Checkpoint, lengths: Lengths, experiment: Experiment, facts: dict[str, Any]
    ) -> Point:
        """Return where `experiment`, of which `facts` tell, goes on from a checkpoint of before a change.

        The best parameters of before are none where early stopping was switched on or off, nor with other
        data, of which losses were others and may have been scaled in another way.
        """
        before = checkpoint.record["config"]["training"].get("early_stopping")
        is_switched = (before is None) != (experiment.settings.early_stopping is None)
        if is_switched or not are_the_same_data(checkpoint.record.get("facts"), facts):
            checkpoint.state.forget_best()
        return cls(checkpoint.state, lengths)


class Session:
    """The training of `experiment` in the folder of a run, which is locked by the caller.

    meta: what `meta.json` says besides status and counts. config: the resolved configuration.
    """

    def __init__(
        self,
        directory: RunDirectory,
        experiment: Experiment,
        meta: dict[str, Any],
        config: dict[str, Any],
        listeners: Sequence[RunListener],
    ) -> None:
        self._directory, self._experiment = directory, experiment
        self._meta, self._config = meta, config
        self._listeners = listeners
        self._agreement: dict[str, Measurement] = {}
        self._agreement_step: int | None = None
        self._disagreements: dict[str, list[int]] = {}

    def train(self, start: Point) -> RunResult:
        """Train from `start` to the end, going back to checkpoints after divergences as far as is allowed.

        Raises DivergedError, and KeyboardInterrupt where it was asked to stop, after the folder was brought
        to a readable end: it can be resumed from its last checkpoint.
        """
        point: Point | None = start
        state = start.state
        try:
            with Interruption(self._tell_stopping) as interruption:
                while point is not None:
                    state = point.state
                    point = self._train(point, interruption)
            self._keep_weights(state)
            result = self._result(state)
            self._write_meta(state, "finished", result.ending)
        except BaseException as error:
            with suppress(UsageError):  # there may be no room for that either
                self._write_meta(state, *_ending_of(error))
            raise
        return result

    def _train(self, point: Point, interruption: Interruption) -> Point | None:
        """Train from `point`; return where to go on after a divergence, None at the end."""
        state, diverged = point.state, None
        self._write_meta(state, "running")
        with Recorder(self._directory, point.lengths) as recorder:
            keeper = Keeper(self._directory, partial(self._record, recorder))
            hearing = [AgreementListener(partial(self._report, recorder)), recorder, keeper]
            try:
                train(self._experiment, state, [*hearing, *self._listeners], interruption.asked)
            except DivergedError as error:
                diverged = error
            if interruption.asked() and diverged is None and not is_over(self._experiment, state):
                keeper.keep(state)
                self._keep_weights(state)
                interruption.end()
        return None if diverged is None else self._back(state, keeper, diverged)

    def _report(self, recorder: Recorder, step: int, measurement: Measurement) -> None:
        self._agreement[measurement.mode], self._agreement_step = measurement, step
        if measurement.comparison.is_wrong:
            self._disagreements.setdefault(measurement.mode, []).append(step)
        recorder.agreement(step, measurement)
        for listener in self._listeners:
            listener.on_agreement(step, measurement)

    def _record(self, recorder: Recorder) -> dict[str, Any]:
        """Return what a checkpoint keeps with the state."""
        facts = comparable_facts(self._meta)
        retries = len(retries_of(self._meta))
        return {
            "lengths": recorder.kept()._asdict(),
            "config": self._config,
            "facts": facts,
            "retries": retries,
        }

    def _back(self, state: TrainingState, keeper: Keeper, error: DivergedError) -> Point:
        """Return the last end of an epoch that has a whole checkpoint, with a lower learning rate.

        Raises the error where that is not to be tried, with the way back by hand.
        """
        rule = self._experiment.settings.on_divergence
        if rule is None:
            advice = "training.on_divergence={} goes back with lower ones by itself"
            raise DivergedError(error.what, *error.advice, advice, self._way_back(keeper)) from None
        if state.retries >= rule.retries:
            raise DivergedError(error.what, *error.advice, self._way_back(keeper)) from None
        try:
            found = newest_whole(self._directory, steps_per_epoch(self._experiment))
        except CheckpointError as damaged:
            raise DivergedError(error.what, *error.advice, self._way_past(damaged, keeper)) from None
        found.put_damaged_aside()
        checkpoint = found.checkpoint
        for path in checkpoints_of(self._directory):  # of steps that are not taken now, within an epoch
            if path == found.path:
                break
            with reachable(path, "removed"):
                path.unlink(missing_ok=True)
        if checkpoint is None:
            back = Point(TrainingState.start(self._experiment), Lengths())
        else:
            back = Point.of(checkpoint, Lengths(**checkpoint.record["lengths"]), self._experiment, self._meta)
        self._agreement, self._agreement_step = {}, None  # of steps that are not taken now
        self._disagreements = {
            mode: before
            for mode, steps in self._disagreements.items()
            if (before := [step for step in steps if step < back.state.step])
        }
        back.state.rate_factor = state.rate_factor * rule.reduce_learning_rate
        back.state.retries = state.retries + 1
        epoch = back.state.step // steps_per_epoch(self._experiment)
        where = f"the end of epoch {epoch}" if epoch else "the start"
        note = (
            f"{error.what}; going back to {where} with learning rates times "
            f"{back.state.rate_factor:.3g} (retry {back.state.retries} of {rule.retries})"
        )
        self._meta["retries"] = [*retries_of(self._meta), note]
        for each in (*found.notes, note):
            for listener in self._listeners:
                listener.on_note(each)
        return back

    def _way_back(self, keeper: Keeper) -> str:
        """Return how to go on from the last checkpoint, or to begin again where there is none yet."""
        none_kept = keeper.newest is None and self._experiment.settings.checkpoints is None
        if none_kept or not self._experiment.engine.is_resumable():
            return f"its metrics are in {self._directory.path}"
        what = "begin again with" if keeper.newest is None else "go on from its last checkpoint with"
        return f"{what}: {self._directory.resume_command(self._experiment.optimizer.kind)}"

    def _way_past(self, damaged: CheckpointError, keeper: Keeper) -> str:
        """Return how to go on where all ends of epochs are damaged: from within one, or not at all."""
        try:
            newest_whole(self._directory)
        except CheckpointError:
            return str(damaged)
        return self._way_back(keeper)

    def _keep_weights(self, state: TrainingState) -> None:
        if np.isfinite(state.kept_parameters).all():
            Model.of(self._experiment, state.kept_parameters).save(self._directory.weights)
            self._meta["weights"] = {"epoch": state.kept_epoch, "step": state.step}

    def _tell_stopping(self) -> None:
        for listener in self._listeners:
            listener.on_stopping()

    def _result(self, state: TrainingState) -> RunResult:
        return RunResult(
            folder=self._directory.path,
            experiment=self._experiment,
            parameters=state.kept_parameters,
            metrics=state.metrics,
            agreement=self._agreement,
            agreement_step=self._agreement_step,
            disagreements=self._disagreements,
            epochs=state.epoch,
            kept_epoch=state.kept_epoch,
            steps=state.step,
            seconds=state.seconds,
            multiply_adds=state.multiply_adds,
        )

    def _write_meta(self, state: TrainingState, status: str, reason: str = "") -> None:
        reached = {"epochs": state.epoch, "steps": state.step, "kept_epoch": state.kept_epoch}
        write_meta(self._directory, self._meta | reached, status, reason)


def retries_of(meta: dict[str, Any]) -> list[str]:
    """Return the notes of retries in `meta.json`, which anybody may have changed."""
    notes = meta.get("retries")
    return [each for each in notes if isinstance(each, str)] if isinstance(notes, list) else []


def _ending_of(error: BaseException) -> tuple[str, str]:
    """Return status and reason of a training that ended by an exception."""
    if isinstance(error, DivergedError):
        return "diverged", error.what
    if isinstance(error, PrunedError):
        return "pruned", str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "interrupted by the user"
    if isinstance(error, FileAccessError):  # whatever was in the way may be gone by the next time
        return "interrupted", str(error)
    return "failed", "".join(traceback.format_exception_only(error)).strip()


def write_meta(directory: RunDirectory, meta: dict[str, Any], status: str, reason: str = "") -> None:
    """Write `meta.json`, with the status, and with time and reason of the end where it is one."""
    ended = {} if status == "running" else {"ended": now(), "exit_reason": reason}
    write_text(directory.meta, as_json({**meta, "status": status, **ended}, indent=2) + "\n")


def now() -> str:
    """Return the time, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


# What of a run's record says with what it computes: where that differs, the last bits may.
_COMPARABLE = ("versions", "blas", "engine", "data", "data_sums", "examples")


def comparable_facts(meta: dict[str, Any]) -> dict[str, Any]:
    """Return what of `meta.json` must be the same for a resumed run to have the same bits."""
    return {name: meta[name] for name in _COMPARABLE}
