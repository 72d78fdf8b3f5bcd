"""What a training tells to those who listen."""

from __future__ import annotations

from jactrain.modes.base import GradientResult
from jactrain.objective import Batch
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState


class Listener:
    """Base of all listeners; each method does nothing unless overridden.

    every: `on_step` is called at step 0 and every so many steps; 0 for never, so that nobody pays for it.
    """

    every: int = 0

    def on_start(self, experiment: Experiment, state: TrainingState) -> None:
        """Hear that training starts."""

    def on_step(self, state: TrainingState, batch: Batch, result: GradientResult) -> None:
        """Hear of a gradient, before the optimizer uses it: `state` is the point it was taken at."""

    def on_epoch(self, state: TrainingState) -> None:
        """Hear that an epoch is over; `state.metrics` are its figures."""

    def on_end(self, state: TrainingState) -> None:
        """Hear that training has ended, by itself or early."""
