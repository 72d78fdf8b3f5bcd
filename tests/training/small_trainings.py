"""Trainings of the table's networks, on examples that no loader has touched."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from cases import NETWORKS, NetworkCase

from jactrain.arrays import Array
from jactrain.data.base import Classification, Regression
from jactrain.data.preparation import Scaling
from jactrain.layers.base import Layer
from jactrain.modes import modes
from jactrain.modes.base import Mode
from jactrain.modes.finite_difference import SCHEMES, FiniteDifference
from jactrain.modes.spsa import SPSA
from jactrain.network import Network
from jactrain.objective import Objective
from jactrain.optimizers import optimizers
from jactrain.training.batches import draws
from jactrain.training.engines import engines
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment, Part
from jactrain.training.settings import TrainingSettings
from jactrain.training.state import TrainingState
from jactrain.training.trainer import train

BY_NAME = {case.name: case for case in NETWORKS}
MOMENTUM = {"sgd": {"momentum": 0.9, "learning_rate": 0.01}}


def training_of(
    case: NetworkCase | str,
    engine: Any = "numpy",
    mode: Any = "reverse",
    optimizer: Any = MOMENTUM,
    epochs: int = 5,
    batches: float = 4,
    batch_size: int | None = None,
    **more: Any,
) -> Experiment:
    """Return the training of a network in float64 on `batches` batches of its own number of examples."""
    case = BY_NAME[case] if isinstance(case, str) else case
    objective, size = case.objective(), batch_size or case.examples
    x, targets, _ = case.batch(np.float64, round(batches * size))
    classes = case.loss == "cross_entropy"
    names = tuple(map(str, range(targets.shape[1])))
    part = Part(x, targets, targets.argmax(1) if classes else targets)
    settings = TrainingSettings(epochs=epochs, batch_size=size)
    made = Experiment(
        objective=objective,
        mode=modes.resolve(mode),
        optimizer=optimizers.resolve(optimizer) if isinstance(optimizer, str | dict) else optimizer,
        settings=settings,
        engine=engines.resolve(engine),
        dtype=np.dtype(np.float64),
        seed=3,
        task=Classification(names) if classes else Regression(names),
        training=part,
        validation=None,
        input_scaling=Scaling.fit("none", x),
        target_scaling=None,
        features=(),
        initial_parameters=case.parameters(np.float64),
    )
    return replace(made, **more)


def with_layers(experiment: Experiment, *layers: Layer) -> Experiment:
    """Return the training of another network, from parameters of its own."""
    network = Network(layers, experiment.network.input_shape)
    objective = Objective(network, experiment.objective.loss)
    parameters = network.initial_parameters(np.random.default_rng(0), experiment.dtype)
    return replace(experiment, objective=objective, initial_parameters=parameters)


def trained(experiment: Experiment, *listeners: Listener) -> TrainingState:
    """Return the state at the end."""
    return train(experiment, TrainingState.start(experiment), listeners)


def written_out(experiment: Experiment, *listeners: Listener) -> TrainingState:
    """Return the state at the end of the loop as a textbook writes it: NumPy's, rule by rule."""
    state = TrainingState.start(experiment)
    settings, optimizer = experiment.settings, experiment.optimizer
    steps = -(-len(experiment.training.x) // settings.batch_size)
    for _ in range(settings.epochs):
        for draw in draws(experiment, state):
            batch = draw.batch(experiment)
            plan = experiment.mode.prepare(experiment.objective, batch.examples, experiment.dtype)
            result = experiment.mode.value_and_gradient(
                experiment.objective, state.parameters, batch, plan, state.random.mode
            )
            for listener in listeners:
                if state.step % listener.every == 0:
                    listener.on_step(state, batch, result)
            rate = optimizer.learning_rate.rate(state.step / steps, settings.epochs)
            state.parameters, state.optimizer = optimizer.step(
                np, state.optimizer, state.parameters, result.gradient, rate
            )
            state.step += 1
            state.multiply_adds += result.work.multiply_adds
        state.epoch += 1
    return state


def vectors(state: TrainingState) -> dict[str, Array]:
    """Return the parameters and what the optimizer keeps."""
    return {"parameters": state.parameters, **state.optimizer}


def difference(one: TrainingState, other: TrainingState) -> float:
    """Return the largest difference of any two entries `a` and `b`, over `max(1, |a|)`."""
    assert one.optimizer.keys() == other.optimizer.keys()
    errors = [0.0]
    for name, array in vectors(one).items():
        twin = vectors(other)[name]
        assert (array.shape, array.dtype) == (twin.shape, twin.dtype), name
        errors.append(float(np.max(abs(array - twin) / np.maximum(1, abs(array)))))
    return float(np.max(errors))


def require_equal(one: TrainingState, other: TrainingState, allowed: float = 1e-10) -> None:
    """Fail unless both are at the same point, up to rounding, and would draw the same from here on."""
    error = difference(one, other)
    assert error <= allowed, f"off by {error:.2g}, allowed {allowed:.2g}"
    counts = [(state.step, state.epoch, state.multiply_adds) for state in (one, other)]
    assert counts[0] == counts[1]
    generators: Sequence[list[dict[str, Any]]] = [
        [generator.bit_generator.state for generator in state.random] for state in (one, other)
    ]
    assert generators[0] == generators[1]


def rounding_of(mode: Mode) -> float:
    """Return the rounding of a gradient by `mode` in units of the loss: ε, over its step if it has one."""
    epsilon = float(np.finfo(np.float64).eps)
    if not isinstance(mode, FiniteDifference | SPSA):
        return epsilon
    default = epsilon ** SCHEMES[getattr(mode, "scheme", "central")].step_power
    return epsilon / (getattr(mode, "step", None) or default)
