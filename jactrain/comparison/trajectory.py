"""One training by one mode: its figures at the end of every epoch, beside the reference's parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from jactrain.agreement.reference import reason_of
from jactrain.arrays import Array
from jactrain.comparison.estimators import finite
from jactrain.data.base import Classification
from jactrain.errors import DivergedError
from jactrain.training.engines import engines
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState
from jactrain.training.trainer import measure, train

Trajectory: TypeAlias = dict[int, Array]  # parameters `(P,)` at a step

_COLUMNS = ("step", "seconds", "multiply_adds", "train_loss", "validation_loss", "metric", "divergence")


def metric_of(experiment: Experiment) -> str:
    """Return the score of a training: accuracy or R², on the validation part where there is one."""
    part = "train" if experiment.validation is None else "validation"
    return f"{part}_accuracy" if isinstance(experiment.task, Classification) else f"{part}_r2"


def trained(
    experiment: Experiment, known: Trajectory | None, told: Callable[[int], None]
) -> tuple[dict[str, Any], Trajectory]:
    """Return a run of comparison.json, of all epochs, and the reference's parameters at its steps.

    known: these parameters, None for the reference's own training, which finds them. told: hears of every
    epoch that is done.
    """
    settings = experiment.settings.model_copy(update={"early_stopping": None})
    notes = _Notes(metric_of(experiment), known, told)
    run: dict[str, Any] = {"seed": experiment.seed, "status": "finished", "reason": ""}
    try:
        # By NumPy: a compiled mode would be judged by how long it takes to compile.
        same = replace(experiment, settings=settings, engine=engines.get("numpy")())
        train(same, TrainingState.start(same), [notes])
    except DivergedError as error:
        run |= {"status": "diverged", "reason": str(error)}
    except Exception as error:  # a mode from elsewhere may raise anything
        run |= {"status": "failed", "reason": reason_of(error)}
    return run | notes.columns, notes.points


class _Notes(Listener):
    """The columns of a run, and the reference's parameters, at the start and at the end of every epoch."""

    def __init__(self, metric: str, known: Trajectory | None, told: Callable[[int], None]) -> None:
        self.columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
        self.points: Trajectory = {} if known is None else known
        self._is_reference = known is None
        self._metric, self._told = metric, told

    def on_start(self, experiment: Experiment, state: TrainingState) -> None:
        """Note the start."""
        state.metrics = measure(experiment, state.parameters)
        self._note(state)

    def on_epoch(self, state: TrainingState) -> None:
        """Note the end of an epoch."""
        self._note(state)
        self._told(state.epoch)

    def _note(self, state: TrainingState) -> None:
        if self._is_reference:
            self.points[state.step] = state.parameters.copy()
        scores = {name: finite(value) for name, value in state.metrics.items()}
        row = {
            "step": state.step,
            "seconds": state.seconds,
            "multiply_adds": state.multiply_adds,
            "train_loss": scores["train_loss"],
            "metric": scores[self._metric],
            "divergence": divergence(state.parameters, self.points, state.step),
        }
        if "validation_loss" in scores:
            row["validation_loss"] = scores["validation_loss"]
        for name, value in row.items():
            self.columns[name].append(value)


def divergence(parameters: Array, reference: Trajectory, step: int) -> float | None:
    """Return `‖θ − θ_reference‖ / ‖θ_reference − θ_start‖` at `step`; None where it is not defined."""
    if step not in reference:
        return None
    expected = reference[step].astype(np.float64)
    moved = float(np.linalg.norm(expected - reference[min(reference)]))
    apart = float(np.linalg.norm(parameters - expected))
    return finite(apart / moved) if moved > 0 else None
