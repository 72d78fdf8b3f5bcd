"""Which examples each step of an epoch takes, with its noise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

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


class OrderAhead:
    """The order of the next epoch, drawn while something else computes, before it is known to be wanted.

    The state's generator moves on only when the order is taken, and it must still be where it was.
    """

    def __init__(self) -> None:
        self._scratch: np.random.Generator | None = None
        self._drawn: tuple[Any, Array] | None = None

    def draw(self, experiment: Experiment, state: TrainingState) -> None:
        """Draw the next order with a copy of the state's generator."""
        own = state.random.order.bit_generator
        if self._scratch is None:
            self._scratch = np.random.Generator(type(own)())
        self._scratch.bit_generator.state = before = own.state
        self._drawn = before, self._scratch.permutation(len(experiment.training.x))

    def take(self, experiment: Experiment, state: TrainingState) -> Array:
        """Return the order of the next epoch, whether it was drawn ahead or not."""
        drawn, self._drawn = self._drawn, None
        own = state.random.order.bit_generator
        if drawn is None or self._scratch is None or own.state != drawn[0]:
            return shuffled(experiment, state)
        own.state = self._scratch.bit_generator.state
        return drawn[1]


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
