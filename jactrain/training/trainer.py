"""The training loop."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jactrain.arrays import Array
from jactrain.training.divergence import require_finite_losses, require_finite_optimizer
from jactrain.training.engine import Execution, Stop, never
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment
from jactrain.training.metrics import OutputsAndLosses, evaluate
from jactrain.training.state import TrainingState


def train(
    experiment: Experiment, state: TrainingState, listeners: Sequence[Listener] = (), stop: Stop = never
) -> TrainingState:
    """Train from `state`, which is changed as training goes, to the last epoch or an early stop.

    stop: asked between steps, and true to leave the training as it is: not over, to be gone on with from
    `state`. Raises DivergedError before a loss or gradient that is not finite reaches the optimizer, and
    where an epoch ends with a loss that is not finite.
    """
    with (
        np.errstate(over="ignore", invalid="ignore", divide="ignore"),  # refused below, in words
        experiment.engine.start(experiment) as execution,
    ):
        return _train(experiment, execution, state, listeners, stop)


def _train(
    experiment: Experiment,
    execution: Execution,
    state: TrainingState,
    listeners: Sequence[Listener],
    stop: Stop,
) -> TrainingState:
    for listener in listeners:
        listener.on_start(experiment, state)
    listening = [listener for listener in listeners if listener.every]
    while not is_over(experiment, state):
        execution.train_epoch(state, listening, stop)
        if state.order is not None:  # stopped within the epoch
            return state
        state.metrics = measure(experiment, state.parameters, execution.outputs_and_losses)
        require_finite_losses(state)
        require_finite_optimizer(state)
        state.epoch += 1
        observe(experiment, state)
        for listener in listeners:
            listener.on_epoch(state)
        if stop() and not is_over(experiment, state):
            return state
    if state.best_parameters is not None:
        state.metrics = measure(experiment, state.best_parameters, execution.outputs_and_losses)
    for listener in listeners:
        listener.on_end(state)
    return state


def is_over(experiment: Experiment, state: TrainingState) -> bool:
    """Return whether the training has reached its last epoch, or stops early."""
    if state.epoch >= experiment.settings.epochs:
        return True
    rule = experiment.settings.early_stopping
    return rule is not None and state.epoch - state.best_epoch >= rule.patience


def measure(
    experiment: Experiment, parameters: Array, compute: OutputsAndLosses | None = None
) -> dict[str, float | None]:
    """Return the losses and scores on training and validation examples, `train_loss` and so on.

    compute: what evaluates the network, as an execution does; NumPy if left out.
    """
    parts = {"train": experiment.training, "validation": experiment.validation}
    return {
        f"{name}_{score}": value
        for name, part in parts.items()
        if part is not None
        for score, value in evaluate(experiment, parameters, part, compute).items()
    }


def observe(experiment: Experiment, state: TrainingState) -> None:
    """Keep the best parameters under early stopping."""
    rule = experiment.settings.early_stopping
    loss = state.metrics["validation_loss"] if rule is not None else None
    if rule is not None and loss is not None and loss < state.best_loss - rule.minimum_improvement:
        state.best_loss, state.best_epoch = loss, state.epoch
        state.best_parameters = state.parameters.copy()
