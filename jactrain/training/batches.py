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


def steps_taken(experiment: Experiment, state: TrainingState) -> int:
    """Return how many steps of the state's epoch are behind it: none before its order is drawn."""
    return 0 if state.order is None else state.step - state.epoch * steps_per_epoch(experiment)


def order_of(experiment: Experiment, state: TrainingState) -> Array:
    """Return the numbers `(N,)` of all examples in the order of the state's epoch, drawn where it begins."""
    if state.order is None:
        state.order = state.random.order.permutation(len(experiment.training.x))
    return state.order


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
        """Return the order of the state's epoch, beginning it, whether it was drawn ahead or not."""
        drawn, self._drawn = self._drawn, None
        own = state.random.order.bit_generator
        if state.order is None and drawn is not None and self._scratch and own.state == drawn[0]:
            own.state = self._scratch.bit_generator.state
            state.order = drawn[1]
        return order_of(experiment, state)


def in_batches(order: Array, size: int) -> list[Array]:
    """Return the numbers of whole batches, `(S, size)`, and of what is left over, `(1, rest)`."""
    whole = len(order) - len(order) % size
    blocks = [order[:whole].reshape(-1, size), order[whole:][None]]
    return [block for block in blocks if block.size]


def draws(experiment: Experiment, state: TrainingState) -> Iterator[Draw]:
    """Yield the draws of the state's epoch that are still to come; behind the last of them it is over."""
    taken, order = steps_taken(experiment, state), order_of(experiment, state)
    batches = list(ranges(len(order), experiment.settings.batch_size))
    for start, stop in batches[taken:]:
        noise = experiment.network.draw_noise(state.random.noise, stop - start, experiment.dtype)
        yield Draw(order[start:stop], noise)
    state.order = None
