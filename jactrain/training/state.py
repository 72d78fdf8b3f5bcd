"""What changes while training."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from jactrain.arrays import Array
from jactrain.optimizers.base import State
from jactrain.training.experiment import Experiment, Generators, generators


@dataclass
class TrainingState:
    """The point that a training has reached.

    step, epoch: how many are finished. seconds: spent on whole steps, which are batches with their noise,
    gradients with what prepares them, checks and optimizer, without evaluation, agreement and writing.
    multiply_adds: counted by the mode. order: the numbers `(N,)` of the examples in the order of the epoch
    that has begun; None between epochs. rate_factor: what learning rates are multiplied by; retries: how
    often training went back after a divergence.
    """

    parameters: Array
    optimizer: State
    random: Generators
    step: int = 0
    epoch: int = 0
    seconds: float = 0.0
    multiply_adds: int = 0
    metrics: dict[str, float | None] = field(default_factory=dict)
    best_parameters: Array | None = None
    best_epoch: int = 0
    best_loss: float = float("inf")
    order: Array | None = None
    rate_factor: float = 1.0
    retries: int = 0

    @classmethod
    def start(cls, experiment: Experiment) -> TrainingState:
        """Return the state before the first step."""
        parameters = experiment.initial_parameters.copy()
        optimizer = experiment.optimizer.initial_state(np, parameters)
        return cls(parameters, optimizer, generators(experiment.seed))

    def forget_best(self) -> None:
        """Begin anew to look for the best parameters, from here."""
        self.best_parameters, self.best_epoch, self.best_loss = None, self.epoch, float("inf")

    @property
    def kept_parameters(self) -> Array:
        """The best parameters under early stopping, else the newest."""
        return self.parameters if self.best_parameters is None else self.best_parameters

    @property
    def kept_epoch(self) -> int:
        """The epoch that `kept_parameters` are from; within one, the last that was finished."""
        return self.epoch if self.best_parameters is None else self.best_epoch
