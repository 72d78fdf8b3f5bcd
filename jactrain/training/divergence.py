"""Losses and gradients that are not finite: seen before they do harm, and told in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import DivergedError
from jactrain.network import Network
from jactrain.objective import Batch
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState

_OF_SQUARES = ("second_moment", "mean_square")


def is_finite(value: Any, square: Any) -> bool:
    """Return whether a loss and a gradient are certainly finite, from the gradient's squared length.

    One product is cheaper than looking at every entry; it may overflow though all are finite.
    """
    return math.isfinite(value) and math.isfinite(square)


def require_finite_gradient(
    value: Any, gradient: Array, experiment: Experiment, state: TrainingState, batch: Batch
) -> None:
    """Raise DivergedError, which names the layer where it began, unless loss and gradient are finite."""
    if is_finite(value, gradient.dot(gradient)):
        return
    network = experiment.network
    if not math.isfinite(value):
        first = _first_not_finite(network, state.parameters, batch)
        whose = (
            f"the first outputs that are not finite are those of {first}"
            if first
            else "all outputs are finite"
        )
        raise _diverged(state, f"the loss is {value} ({whose})")
    wrong = ~np.isfinite(gradient)
    if wrong.any():
        # Products go backwards through the chain: the last layer concerned is where it began.
        layout = network.layout
        last = [name for name, part in zip(layout.names, layout.slices, strict=True) if wrong[part].any()][-1]
        count = np.count_nonzero(wrong)
        raise _diverged(
            state,
            f"{count} entries of the gradient are not finite, those of {last} first",
        )


def _first_not_finite(network: Network, parameters: Array, batch: Batch) -> str | None:
    """Return the name of the first layer whose outputs are not all finite; None if there is none."""
    x = batch.x[None]
    own, noise = network.own_parameters(parameters), network.own_noise(batch.noise)
    for link, params, drawn in zip(network.links, own, noise, strict=True):
        x, _ = link.layer.forward(np, params, x, drawn)
        if not np.isfinite(x).all():
            return link.name
    return None


def require_finite_losses(state: TrainingState) -> None:
    """Raise DivergedError if a loss measured at the end of an epoch is not finite."""
    for name in ("train_loss", "validation_loss"):
        loss = state.metrics.get(name, 0.0)
        if loss is None or not math.isfinite(loss):
            raise _diverged(state, f"the {name.replace('_', ' ')} is {loss}")


def require_finite_optimizer(state: TrainingState) -> None:
    """Raise DivergedError if an optimizer's moment is not finite: its parameters would never move again."""
    for name, array in state.optimizer.items():
        if not np.isfinite(array).all():
            whose = "their squares overflow" if name in _OF_SQUARES else "their sum overflows"
            raise _diverged(
                state,
                f"the optimizer's {name.replace('_', ' ')} is not finite, since gradients are so large that "
                f"{whose} in {array.dtype}",
            )


def _diverged(state: TrainingState, what: str) -> DivergedError:
    steps = f"{state.step} step{'' if state.step == 1 else 's'}"
    return DivergedError(
        f"training diverged in epoch {state.epoch + 1}, after {steps} in all: {what}",
        "lower the learning rate, set the optimizer's clip_norm, or scale the data (scale, scale_targets)",
    )
