"""Everything that a training needs, built: the objects of one experiment."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from jactrain.arrays import Array
from jactrain.data.base import Task
from jactrain.data.preparation import Scaling
from jactrain.modes.base import Mode
from jactrain.network import Network
from jactrain.objective import Batch, Objective
from jactrain.optimizers.base import Optimizer
from jactrain.training.engine import Engine
from jactrain.training.settings import TrainingSettings


class Part(NamedTuple):
    """The examples of training or of validation, as the network and the loss take them.

    x: (N, *in) scaled; targets: (N, m) as the loss encodes them; y: (N,) class indices, or (N, m) numbers
    in the dataset's own units.
    """

    x: Array
    targets: Array
    y: Array


class Generators(NamedTuple):
    """One random generator for each consumer, so that none depends on how much another draws."""

    split: np.random.Generator
    parameters: np.random.Generator
    order: np.random.Generator
    noise: np.random.Generator
    mode: np.random.Generator
    agreement: np.random.Generator


def generators(seed: int) -> Generators:
    """Return independent generators, all spawned from `seed`."""
    children = np.random.SeedSequence(seed).spawn(len(Generators._fields))
    return Generators(*(np.random.default_rng(child) for child in children))


@dataclass(frozen=True)
class Experiment:
    """The built objects of one training.

    agreement_modes: compared with `mode` every `agreement_every` steps on the first `agreement_examples`
    examples of the batch; empty for none. notes: what the one who trains is to be told of the choices made.
    """

    objective: Objective
    mode: Mode
    optimizer: Optimizer
    settings: TrainingSettings
    engine: Engine
    dtype: np.dtype[Any]
    seed: int
    task: Task
    training: Part = field(repr=False)
    validation: Part | None = field(repr=False)
    input_scaling: Scaling = field(repr=False)
    target_scaling: Scaling | None = field(repr=False)
    features: tuple[str, ...] = field(repr=False)
    initial_parameters: Array = field(repr=False)
    agreement_modes: tuple[Mode, ...] = ()
    agreement_every: int = 0
    agreement_examples: int = 0
    notes: tuple[str, ...] = ()

    @property
    def network(self) -> Network:
        """The network."""
        return self.objective.network

    def first_batch(self, count: int, noise: bool = True) -> Batch:
        """Return the first `count` training examples, all if they are fewer, with the seed's first noise.

        noise: False for none, as where the network is evaluated.
        """
        x, targets, _ = self.training
        x, targets = x[:count], targets[:count]
        if not noise:
            return Batch(x, targets)
        drawn = self.network.draw_noise(generators(self.seed).noise, len(x), self.dtype)
        return Batch(x, targets, drawn)
