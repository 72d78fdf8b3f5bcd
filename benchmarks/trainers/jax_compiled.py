"""JAX's own autodiff: a step compiled, and an epoch compiled as one scan."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks import problem
from benchmarks.problem import Training
from benchmarks.timing import Subject
from benchmarks.trainers.base import Trainer, shuffling


class JaxPerStep(Trainer):
    """One `jit` of gradient and momentum, called for every batch, which it gathers; read once an epoch.

    Gathering inside takes as long as batches cut by NumPy and handed over, less on small networks.
    """

    def __init__(self, training: Training) -> None:
        _float64_if_asked(training)
        self._batch = training.batch
        self._x, self._targets = jnp.asarray(training.x), jnp.asarray(training.targets)
        self._carry = _start(training)
        self._step = jax.jit(
            lambda carry, x, targets, index: _step(carry, (x[index], targets[index])), donate_argnums=0
        )

    def epoch(self, order: np.ndarray) -> None:
        """Take the steps of one epoch."""
        order = order.astype(np.int32)
        for start in range(0, len(order), self._batch):
            index = order[start : start + self._batch]
            self._carry, loss = self._step(self._carry, self._x, self._targets, index)
        float(loss)

    def parameters(self) -> np.ndarray:
        """Return the parameters."""
        return _flat(self._carry)


class JaxScan(Trainer):
    """One `jit` for the whole epoch: a `lax.scan` over its batches.

    The epoch is gathered before it is scanned: on small networks that takes three quarters of the time that
    gathering batch by batch does.
    """

    def __init__(self, training: Training) -> None:
        _float64_if_asked(training)
        self._shape = (training.steps, training.batch)
        self._x, self._targets = jnp.asarray(training.x), jnp.asarray(training.targets)
        self._carry = _start(training)

        def whole(carry: Any, x: Any, targets: Any, order: Any) -> Any:
            carry, losses = jax.lax.scan(_step, carry, (x[order], targets[order]))
            return carry, losses.mean()

        self._epoch = jax.jit(whole, donate_argnums=0)

    def epoch(self, order: np.ndarray) -> None:
        """Take the steps of one epoch."""
        order = order.astype(np.int32).reshape(self._shape)
        self._carry, loss = self._epoch(self._carry, self._x, self._targets, order)
        float(loss)

    def parameters(self) -> np.ndarray:
        """Return the parameters."""
        return _flat(self._carry)


def subject(training: Training, trainer: Trainer, first: float) -> Subject:
    """Return some epochs of either; JAX takes all cores, whatever it is told."""
    steps = training.epochs * training.steps
    return Subject(shuffling(trainer, training), steps, stated="all", first=first)


def _loss(layers: Any, x: Any, targets: Any) -> Any:
    *hidden, (weight, bias) = layers
    for inner_weight, inner_bias in hidden:
        x = jnp.tanh(x @ inner_weight + inner_bias)
    return -(targets * jax.nn.log_softmax(x @ weight + bias)).sum(-1).mean()


def _step(carry: Any, batch: Any) -> Any:
    layers, velocities = carry
    loss, slopes = jax.value_and_grad(_loss)(layers, *batch)
    velocities = jax.tree.map(lambda v, slope: problem.MOMENTUM * v + slope, velocities, slopes)
    layers = jax.tree.map(lambda theta, v: theta - problem.LEARNING_RATE * v, layers, velocities)
    return (layers, velocities), loss


def _start(training: Training) -> Any:
    layers = jax.tree.map(jnp.array, training.leaves(training.parameters))
    return layers, jax.tree.map(jnp.zeros_like, layers)


def _flat(carry: Any) -> np.ndarray:
    return np.concatenate([np.asarray(leaf).ravel() for leaf in jax.tree.leaves(carry[0])])


def _float64_if_asked(training: Training) -> None:
    if training.dtype == "float64":
        jax.config.update("jax_enable_x64", True)  # arrays keep the dtypes that they are given
