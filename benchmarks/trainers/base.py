"""The contract of a trainer, and the law that all obey."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from time import perf_counter

import numpy as np

from benchmarks.problem import Training
from jactrain.training.experiment import generators


class Trainer(ABC):
    """Trains one network in epochs: batches in an order that is given, loss, gradient, momentum."""

    @abstractmethod
    def epoch(self, order: np.ndarray) -> None:
        """Take the steps of one epoch; `order` `(N,)` are the examples as they come."""

    def around(self) -> AbstractContextManager[object]:
        """Return what is entered before epochs, and is no part of their time: nothing, unless overridden."""
        return nullcontext()

    @abstractmethod
    def parameters(self) -> np.ndarray:
        """Return the parameters `(P,)`, laid out as jactrain does."""


def shuffling(trainer: Trainer, training: Training) -> Callable[[], None]:
    """Return the epochs of one timed run, each in a new order."""
    rng = np.random.default_rng(0)

    def run() -> None:
        for _ in range(training.epochs):
            trainer.epoch(rng.permutation(training.examples))

    return run


def require_same_steps(training: Training, trainers: Mapping[str, Trainer]) -> dict[str, float]:
    """Take one epoch with each, from the same start in the same order; return the seconds of each.

    Raises AssertionError unless their parameters, and the loss, are then equal up to rounding.
    """
    order = generators(0).order.permutation(training.examples)  # as jactrain draws its first
    allowed = 1e-4 if training.dtype == "float32" else 1e-11
    found, seconds = {}, {}
    for name, trainer in trainers.items():
        start = perf_counter()
        with trainer.around():
            trainer.epoch(order)
        seconds[name] = perf_counter() - start
        found[name] = trainer.parameters()
    first, *others = found
    loss = _loss(training, found[first])
    for name in others:
        error = np.linalg.norm(found[name] - found[first]) / np.linalg.norm(found[first])
        error = max(error, abs(_loss(training, found[name]) / loss - 1))
        assert error <= allowed, f"{training.name}: {name} differs from {first} by {error:.2g}"
    return seconds


def _loss(training: Training, parameters: np.ndarray) -> float:
    x = training.x.astype(np.float64)
    *hidden, (weight, bias) = training.leaves(parameters.astype(np.float64))
    for inner_weight, inner_bias in hidden:
        x = np.tanh(x @ inner_weight + inner_bias)
    logits = x @ weight + bias
    logits -= logits.max(1, keepdims=True)
    logarithms = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    return float(-(training.targets * logarithms).sum(1).mean())
