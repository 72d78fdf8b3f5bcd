"""Losses and gradients that are not finite: seen before they do harm, and told in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import DivergedError
from jactrain.training.state import TrainingState


def is_finite(value: Any, square: Any) -> bool:
    """Return whether a loss and a gradient are certainly finite, from the gradient's squared length.

    One product is cheaper than looking at every entry; it may overflow though all are finite.
    """
    return math.isfinite(value) and math.isfinite(square)


def require_finite_gradient(value: Any, gradient: Array, state: TrainingState) -> None:
    """Raise DivergedError if the loss or an entry of the gradient is not finite."""
    if is_finite(value, gradient.dot(gradient)):
        return
    if not math.isfinite(value):
        raise _diverged(state, f"the loss is {value}")
    wrong = np.count_nonzero(~np.isfinite(gradient))
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
