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


def steps_per_epoch(experiment: Experiment) -> int:
    """Return the number of steps of an epoch; what is left over of the examples makes a smaller last one."""
    return -(-len(experiment.training.x) // experiment.settings.batch_size)


def shuffled(experiment: Experiment, state: TrainingState) -> Array:
    """Return the numbers `(N,)` of all examples in the order of the next epoch."""
    return state.random.order.permutation(len(experiment.training.x))


def in_batches(order: Array, size: int) -> Iterator[Array]:
    """Yield the numbers of whole batches, `(S, size)`, and of what is left over, `(1, rest)`."""
    whole = len(order) - len(order) % size
    if whole:
        yield order[:whole].reshape(-1, size)
    if whole < len(order):
        yield order[whole:][None]


def draws(experiment: Experiment, state: TrainingState) -> Iterator[Draw]:
    """Yield the draws of one epoch, in a new random order."""
    order = shuffled(experiment, state)
    for start, stop in ranges(len(order), experiment.settings.batch_size):
        noise = experiment.network.draw_noise(state.random.noise, stop - start, experiment.dtype)
        yield Draw(order[start:stop], noise)
