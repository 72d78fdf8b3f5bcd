"""One training by one mode: its figures at the end of every epoch, beside the reference's parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from jactrain.agreement.reference import reason_of
from jactrain.arrays import Array
from jactrain.comparison.estimators import finite
from jactrain.data.base import Classification
from jactrain.errors import DivergedError
from jactrain.modes.gradients import Gradients
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState
from jactrain.training.trainer import measure, require_finite_losses, train_epoch

Trajectory: TypeAlias = dict[int, Array]  # parameters `(P,)` at a step


def metric_of(experiment: Experiment) -> str:
    """Return the score of a training: accuracy or R², on the validation part where there is one."""
    part = "train" if experiment.validation is None else "validation"
    return f"{part}_accuracy" if isinstance(experiment.task, Classification) else f"{part}_r2"


def trained(
    experiment: Experiment, known: Trajectory | None, told: Callable[[int], None]
) -> tuple[dict[str, Any], Trajectory]:
    """Return a run of comparison.json, and the parameters at its steps.

    known: the reference's parameters at its steps, None for the reference itself. told: hears of every epoch
    that is done.
    """
    run: dict[str, Any] = {"seed": experiment.seed, "status": "finished", "reason": ""}
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "step",
            "seconds",
            "multiply_adds",
            "train_loss",
            "validation_loss",
            "metric",
            "divergence",
        )
    }
    state = TrainingState.start(experiment)
    points: Trajectory = {}
    metric = metric_of(experiment)

    def note() -> None:
        scores = {name: finite(value) for name, value in state.metrics.items()}
        points[state.step] = state.parameters.copy()
        columns["step"].append(state.step)
        columns["seconds"].append(state.seconds)
        columns["multiply_adds"].append(state.multiply_adds)
        columns["train_loss"].append(scores["train_loss"])
        columns["metric"].append(scores[metric])
        if "validation_loss" in scores:
            columns["validation_loss"].append(scores["validation_loss"])
        columns["divergence"].append(divergence(points, points if known is None else known, state.step))

    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # told in words
            gradients = Gradients(experiment.mode, experiment.objective)
            state.metrics = measure(experiment, state.parameters)
            note()
            while state.epoch < experiment.settings.epochs:
                train_epoch(experiment, state, gradients)
                state.metrics = measure(experiment, state.parameters)
                require_finite_losses(state)
                state.epoch += 1
                note()
                told(state.epoch)
    except DivergedError as error:
        run |= {"status": "diverged", "reason": str(error)}
    except Exception as error:  # a mode from elsewhere may raise anything
        run |= {"status": "failed", "reason": reason_of(error)}
    return run | columns, points


def divergence(points: Trajectory, reference: Trajectory, step: int) -> float | None:
    """Return `‖θ − θ_reference‖ / ‖θ_reference − θ_start‖` at `step`; None where it is not defined."""
    if step not in reference:
        return None
    expected = reference[step].astype(np.float64)
    moved = float(np.linalg.norm(expected - reference[min(reference)]))
    apart = float(np.linalg.norm(points[step] - expected))
    return finite(apart / moved) if moved > 0 else None
