"""Which examples each step of an epoch takes, with its noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from jactrain.arrays import Array, Tree, ranges
from jactrain.objective import Batch
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState


class Draw(NamedTuple):
    """The numbers `(N,)` of a step's examples in the training part, and its noise."""

    indices: Array
    noise: Tree

    def batch(self, experiment: Experiment) -> Batch:
        """Return the batch itself."""
        x, targets, _ = experiment.training
        return Batch(x[self.indices], targets[self.indices], self.noise)


def draws(experiment: Experiment, state: TrainingState) -> Iterator[Draw]:
    """Yield the draws of one epoch, in a new random order; what is left over makes a smaller last step."""
    order = state.random.order.permutation(len(experiment.training.x))
    for start, stop in ranges(len(order), experiment.settings.batch_size):
        noise = experiment.network.draw_noise(state.random.noise, stop - start, experiment.dtype)
        yield Draw(order[start:stop], noise)
