"""Losses and scores of a network on a part of the data."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jactrain.arrays import Array
from jactrain.data.base import Classification, Task
from jactrain.training.experiment import Experiment, Part

# Examples evaluated at once, so that memory does not grow with the data.
PORTION = 4096

# From parameters `(P,)` and a part of the data, outputs `(N, m)` and the examples' losses `(N,)`.
OutputsAndLosses = Callable[[Array, Part], tuple[Array, Array]]


def evaluate(
    experiment: Experiment, parameters: Array, part: Part, compute: OutputsAndLosses | None = None
) -> dict[str, float | None]:
    """Return `loss`, and `accuracy` for classes or `rmse` and `r2` for numbers, without noise.

    The loss is that of the scaled targets, as trained. rmse is in the dataset's own units, r2 the mean
    over the targets; r2 is None where a target does not vary. compute: what runs the network, NumPy if left
    out.
    """
    if compute is None:
        outputs, losses = outputs_and_losses(experiment, parameters, part)
    else:
        outputs, losses = compute(parameters, part)
    scores: dict[str, float | None] = {"loss": float(losses.mean(dtype=np.float64))}
    predictions = experiment.objective.loss.predictions_for(experiment.task, outputs)
    if isinstance(experiment.task, Classification):
        scores["accuracy"] = float((predictions == part.y).mean())
        return scores
    error = in_own_units(experiment, predictions) - part.y
    scores["rmse"] = float(np.sqrt((error * error).mean()))
    spread = ((part.y - part.y.mean(0)) ** 2).sum(0)
    # The mean of equal numbers may differ from them in its last digit.
    varies = bool(((spread > 0) & (part.y.max(0) > part.y.min(0))).all())
    scores["r2"] = float((1 - (error * error).sum(0) / spread).mean()) if varies else None
    return scores


def metric_names(task: Task, validation: bool) -> list[str]:
    """Return what the metrics of a training are called, of which `validation` says if there is that part."""
    scores = ("loss", "accuracy") if isinstance(task, Classification) else ("loss", "rmse", "r2")
    parts = ("train", "validation") if validation else ("train",)
    return [f"{part}_{score}" for part in parts for score in scores]


def outputs_and_losses(experiment: Experiment, parameters: Array, part: Part) -> tuple[Array, Array]:
    """Return the outputs `(N, m)` and the examples' losses `(N,)` by NumPy, portion by portion."""
    objective = experiment.objective
    outputs, losses = [], []
    for start in range(0, len(part.x), PORTION):
        portion = slice(start, start + PORTION)
        outputs.append(objective.network.outputs(parameters, part.x[portion]))
        values, _ = objective.loss.forward(np, outputs[-1][None], part.targets[portion])
        losses.append(values[0])
    return np.concatenate(outputs), np.concatenate(losses)


def in_own_units(experiment: Experiment, predictions: Array) -> Array:
    """Return predicted numbers `(N, m)` in the dataset's own units, float64."""
    numbers = np.asarray(predictions, np.float64)
    scaling = experiment.target_scaling
    return numbers if scaling is None else scaling.invert(numbers)
