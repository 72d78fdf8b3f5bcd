"""One run: build, make the folder, train, and leave everything in it."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from jactrain.agreement.monitor import Measurement
from jactrain.arrays import Array
from jactrain.config.build import build
from jactrain.config.files import load_document, located
from jactrain.config.models import Config
from jactrain.config.noting import located_at
from jactrain.config.resolved import resolved_yaml
from jactrain.errors import DivergedError
from jactrain.files import as_json, write_bytes, write_text
from jactrain.runs.directory import RunDirectory
from jactrain.runs.model import Model
from jactrain.runs.provenance import provenance
from jactrain.runs.recorder import Recorder
from jactrain.training.agreement import AgreementListener
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState
from jactrain.training.trainer import train


@dataclass(frozen=True, eq=False, repr=False)  # arrays have no single truth value to compare by
class RunResult:
    """What a run leaves.

    parameters: flat `(P,)`, the best under early stopping, else the last; kept_epoch: the epoch that they
    are from; metrics: with these parameters. agreement: the last measurement of each mode, and
    agreement_step: how many steps were finished then, None without one.
    """

    folder: Path
    experiment: Experiment
    parameters: Array
    metrics: dict[str, float | None]
    agreement: dict[str, Measurement]
    agreement_step: int | None
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
    """A listener that also hears of the run's folder and of each comparison of modes."""

    def on_folder(self, folder: Path) -> None:
        """Hear where the run is written."""

    def on_agreement(self, step: int, measurement: Measurement) -> None:
        """Hear of one mode compared at a step."""


def run(
    config: Config | Path | str,
    runs: Path | str = "runs",
    *,
    given: bytes | None = None,
    listeners: Sequence[RunListener] = (),
) -> RunResult:
    """Train what `config` describes, writing a new folder below `runs`.

    config: a configuration, or the path of its file
    given: the configuration file as it was written, kept beside the resolved one.

    Nothing is written unless everything could be built. Raises ConfigurationError before that,
    DivergedError and KeyboardInterrupt after the folder was brought to a readable end.
    """
    if not isinstance(config, Config):
        config, document = load_document(config)
        with located(document):
            return run(config, runs, given=document.data, listeners=listeners)
    experiment = build(config)
    with located_at(("engine",), config.engine.kind):
        experiment.engine.join(experiment)
        engine = experiment.engine.facts(experiment)
    directory = RunDirectory.create(Path(runs), config.name)
    resolved = resolved_yaml(config)
    write_text(directory.resolved_config, resolved)
    write_bytes(directory.config, resolved.encode() if given is None else given)
    meta = {
        "name": config.name,
        "started": _now(),
        "examples": _examples(experiment),
        "engine": engine,
        **provenance(config.seed, Path.cwd()),
    }
    _write_meta(directory, meta, "running")
    for listener in listeners:
        listener.on_folder(directory.path)
    latest: dict[str, Measurement] = {}
    latest_step: int | None = None
    state = TrainingState.start(experiment)
    with Recorder(directory) as recorder:

        def report(step: int, measurement: Measurement) -> None:
            nonlocal latest_step
            latest[measurement.mode], latest_step = measurement, step
            recorder.agreement(step, measurement)
            for listener in listeners:
                listener.on_agreement(step, measurement)

        try:
            train(experiment, state, [AgreementListener(report), recorder, *listeners])
        except DivergedError as error:
            _write_meta(directory, meta | _reached(state), "diverged", str(error))
            raise
        except KeyboardInterrupt:
            _keep_weights(directory, experiment, state)
            _write_meta(directory, meta | _reached(state), "interrupted", "interrupted by the user")
            raise
        except BaseException as error:
            reason = "".join(traceback.format_exception_only(error)).strip()
            _write_meta(directory, meta | _reached(state), "failed", reason)
            raise
    _keep_weights(directory, experiment, state)
    result = RunResult(
        folder=directory.path,
        experiment=experiment,
        parameters=state.kept_parameters,
        metrics=state.metrics,
        agreement=latest,
        agreement_step=latest_step,
        epochs=state.epoch,
        kept_epoch=state.kept_epoch,
        steps=state.step,
        seconds=state.seconds,
        multiply_adds=state.multiply_adds,
    )
    _write_meta(directory, meta | _reached(state), "finished", result.ending)
    return result


def _examples(experiment: Experiment) -> dict[str, int]:
    parts = {"train": experiment.training, "validation": experiment.validation}
    return {name: len(part.x) for name, part in parts.items() if part is not None}


def _reached(state: TrainingState) -> dict[str, int]:
    """Return how many epochs and steps were finished, and the epoch that the kept weights are from."""
    return {"epochs": state.epoch, "steps": state.step, "kept_epoch": state.kept_epoch}


def _keep_weights(directory: RunDirectory, experiment: Experiment, state: TrainingState) -> None:
    if np.isfinite(state.kept_parameters).all():
        Model.of(experiment, state.kept_parameters).save(directory.weights)


def _write_meta(directory: RunDirectory, meta: dict[str, Any], status: str, reason: str = "") -> None:
    ending = {} if status == "running" else {"ended": _now(), "exit_reason": reason}
    write_text(directory.meta, as_json({**meta, "status": status, **ending}, indent=2) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
