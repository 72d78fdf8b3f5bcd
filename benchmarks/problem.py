"""The networks that things are timed on, and their numbers: drawn from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jactrain.data.base import Classification
from jactrain.data.preparation import Scaling
from jactrain.layers import layers
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.network import Network
from jactrain.objective import Batch, Objective
from jactrain.optimizers import optimizers
from jactrain.training.experiment import Experiment, Part
from jactrain.training.settings import TrainingSettings

SIZES = (64, 64, 64, 10)
BATCH = 32
STEPS = 100  # batches of one epoch
LEARNING_RATE = 0.01
MOMENTUM = 0.9


def examples(count: int = BATCH * STEPS) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs `(N, 64)`, float32, and class indices `(N,)`: standard normal, and any of ten."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, SIZES[0]), dtype=np.float32), rng.integers(0, SIZES[-1], count)


def network_of(sizes: Sequence[int]) -> Network:
    """Return linear layers of these sizes with tanh between them."""
    chain = []
    for units in sizes[1:-1]:
        chain += [layers.get("linear")(units=units), layers.get("tanh")()]
    chain.append(layers.get("linear")(units=sizes[-1]))
    return Network(chain, (sizes[0],))


def objective(sizes: Sequence[int] = SIZES) -> Objective:
    """Return such a network with cross-entropy."""
    return Objective(network_of(sizes), losses.get("cross_entropy")())


def batch_of(target: Objective, count: int, dtype: Any) -> Batch:
    """Return one batch of `count` examples, targets as the loss takes them."""
    x, y = examples(count)
    return Batch(x.astype(dtype), target.loss.encode(y, SIZES[-1]).astype(dtype))


def parameters_of(network: Network, dtype: Any) -> np.ndarray:
    """Return initial parameters `(P,)`."""
    return network.initial_parameters(np.random.default_rng(0), dtype)


def experiment() -> Experiment:
    """Return the training of 64-64-64-10 by reverse mode and stochastic gradient descent with momentum."""
    target = objective()
    x, y = examples()
    targets = target.loss.encode(y, SIZES[-1]).astype(x.dtype)
    return Experiment(
        objective=target,
        mode=modes.get("reverse")(),
        optimizer=optimizers.get("sgd")(learning_rate=LEARNING_RATE, momentum=MOMENTUM),
        settings=TrainingSettings(batch_size=BATCH),
        dtype=x.dtype,
        seed=0,
        task=Classification(tuple(str(label) for label in range(SIZES[-1]))),
        training=Part(x, targets, y),
        validation=None,
        input_scaling=Scaling.fit("none", x),
        target_scaling=None,
        features=tuple(f"x{number}" for number in range(SIZES[0])),
        initial_parameters=parameters_of(target.network, x.dtype),
    )
