"""The training loop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from time import perf_counter

import numpy as np

from jactrain.arrays import Array, ranges
from jactrain.errors import DivergedError
from jactrain.modes.base import GradientResult
from jactrain.modes.gradients import Gradients
from jactrain.objective import Batch
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment
from jactrain.training.metrics import evaluate
from jactrain.training.state import TrainingState


def train(experiment: Experiment, state: TrainingState, listeners: Sequence[Listener] = ()) -> TrainingState:
    """Train from `state`, which is changed as training goes, to the last epoch or an early stop.

    Raises DivergedError before a loss or gradient that is not finite reaches the optimizer, and where an
    epoch ends with a loss that is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # refused below, in words
        return _train(experiment, state, listeners)


def _train(experiment: Experiment, state: TrainingState, listeners: Sequence[Listener]) -> TrainingState:
    gradients = Gradients(experiment.mode, experiment.objective)
    for listener in listeners:
        listener.on_start(experiment, state)
    listening = [listener for listener in listeners if listener.every]
    while state.epoch < experiment.settings.epochs:
        train_epoch(experiment, state, gradients, listening)
        state.metrics = measure(experiment, state.parameters)
        require_finite_losses(state)
        state.epoch += 1
        stop = observe(experiment, state)
        for listener in listeners:
            listener.on_epoch(state)
        if stop:
            break
    if state.best_parameters is not None:
        state.metrics = measure(experiment, state.best_parameters)
    for listener in listeners:
        listener.on_end(state)
    return state


def train_epoch(
    experiment: Experiment, state: TrainingState, gradients: Gradients, listening: Sequence[Listener] = ()
) -> None:
    """Take the steps of one epoch; `gradients` is kept for the next one."""
    optimizer, settings = experiment.optimizer, experiment.settings
    steps_per_epoch = math.ceil(len(experiment.training.x) / settings.batch_size)
    start = perf_counter()
    for batch in batches(experiment, state):
        result = gradients(state.parameters, batch, state.random.mode)
        require_finite_gradient(result, state)
        for listener in listening:
            if state.step % listener.every == 0:
                paused = perf_counter()
                listener.on_step(state, batch, result)
                start += perf_counter() - paused
        rate = optimizer.learning_rate.rate(state.step / steps_per_epoch, settings.epochs)
        state.parameters, state.optimizer = optimizer.step(
            np, state.optimizer, state.parameters, result.gradient, rate
        )
        state.step += 1
        state.multiply_adds += result.work.multiply_adds
    state.seconds += perf_counter() - start


def batches(experiment: Experiment, state: TrainingState) -> Iterator[Batch]:
    """Yield the batches of one epoch, in a new random order, each with its noise."""
    part = experiment.training
    order = state.random.order.permutation(len(part.x))
    x, targets = part.x[order], part.targets[order]
    for start, stop in ranges(len(order), experiment.settings.batch_size):
        noise = experiment.network.draw_noise(state.random.noise, stop - start, experiment.dtype)
        yield Batch(x[start:stop], targets[start:stop], noise)


def measure(experiment: Experiment, parameters: Array) -> dict[str, float | None]:
    """Return the losses and scores on training and validation examples, `train_loss` and so on."""
    parts = {"train": experiment.training, "validation": experiment.validation}
    return {
        f"{name}_{score}": value
        for name, part in parts.items()
        if part is not None
        for score, value in evaluate(experiment, parameters, part).items()
    }


def observe(experiment: Experiment, state: TrainingState) -> bool:
    """Keep the best parameters under early stopping; return whether to stop."""
    rule = experiment.settings.early_stopping
    if rule is None:
        return False
    loss = state.metrics["validation_loss"]
    if loss is not None and loss < state.best_loss - rule.minimum_improvement:
        state.best_loss, state.best_epoch = loss, state.epoch
        state.best_parameters = state.parameters.copy()
    return state.epoch - state.best_epoch >= rule.patience


def require_finite_gradient(result: GradientResult, state: TrainingState) -> None:
    """Raise DivergedError if the loss or an entry of the gradient is not finite."""
    # One product is cheaper than looking at every entry; it may overflow though all are finite.
    if math.isfinite(result.value) and math.isfinite(result.gradient.dot(result.gradient)):
        return
    if not math.isfinite(result.value):
        raise _diverged(state, f"the loss is {result.value}")
    wrong = np.count_nonzero(~np.isfinite(result.gradient))
    if wrong:
        raise _diverged(state, f"{wrong} entries of the gradient are not finite")


def require_finite_losses(state: TrainingState) -> None:
    """Raise DivergedError if a loss measured at the end of an epoch is not finite."""
    for name in ("train_loss", "validation_loss"):
        loss = state.metrics.get(name, 0.0)
        if loss is None or not math.isfinite(loss):
            raise _diverged(state, f"the {name.replace('_', ' ')} is {loss}")


def _diverged(state: TrainingState, what: str) -> DivergedError:
    return DivergedError(
        f"training diverged at step {state.step} of epoch {state.epoch + 1}: {what}; "
        "lower the learning rate, set clip_norm, or scale the data"
    )
