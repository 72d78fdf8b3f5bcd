"""The one problem that everything is timed on: 64-64-64-10, tanh, cross-entropy, batches of 32, float32."""

from __future__ import annotations

from collections.abc import Callable

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


def examples() -> tuple[np.ndarray, np.ndarray]:
    """Return inputs `(N, 64)`, float32, and class indices `(N,)`: standard normal, and any of ten."""
    rng = np.random.default_rng(0)
    count = BATCH * STEPS
    return rng.standard_normal((count, SIZES[0]), dtype=np.float32), rng.integers(0, SIZES[-1], count)


def objective() -> Objective:
    """Return the network with its loss."""
    chain = []
    for units in SIZES[1:-1]:
        chain += [layers.get("linear")(units=units), layers.get("tanh")()]
    chain.append(layers.get("linear")(units=SIZES[-1]))
    return Objective(Network(chain, (SIZES[0],)), losses.get("cross_entropy")())


def batches(target: Objective) -> list[Batch]:
    """Return the batches of one epoch, with targets as the loss takes them."""
    x, y = examples()
    targets = target.loss.encode(y, SIZES[-1]).astype(x.dtype)
    return [Batch(x[at : at + BATCH], targets[at : at + BATCH]) for at in range(0, len(x), BATCH)]


def experiment() -> Experiment:
    """Return the training of the network by reverse mode and stochastic gradient descent with momentum."""
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
        initial_parameters=target.network.initial_parameters(np.random.default_rng(0), x.dtype),
    )


def gradients(mode: str, steps: int) -> Callable[[], None]:
    """Return a run of `steps` gradients by `mode`, one a batch, at parameters that stay."""
    target = objective()
    rng = np.random.default_rng(0)
    parameters = target.network.initial_parameters(rng, np.float32)
    order = modes.get(mode)()
    plan = order.prepare(target, BATCH, np.float32)
    epoch = batches(target)[:steps]

    def run() -> None:
        for batch in epoch:
            order.value_and_gradient(target, parameters, batch, plan, rng)

    return run
