"""The optimizers that the tests of this folder run over, and how to run one."""

from typing import Any

from jactrain.arrays import Array, Namespace
from jactrain.optimizers import optimizers
from jactrain.optimizers.base import Optimizer, State

# Every registered optimizer has a row, with options that reach all of its branches.
CASES: list[Any] = [
    "sgd",
    {"sgd": {"momentum": 0.9}},
    {"sgd": {"momentum": 0.9, "nesterov": True}},
    "rmsprop",
    {"rmsprop": {"momentum": 0.5, "decay": 0.9}},
    "adam",
    {"adam": {"beta1": 0.0, "beta2": 0.9}},
    "adamw",
]


def label(case: Any) -> str:
    if isinstance(case, str):
        return case
    name, options = next(iter(case.items()))
    return "-".join([name, *(f"{key}={value}" for key, value in options.items())])


def made(case: Any, **more: Any) -> Optimizer:
    """Return the optimizer of `case` with more options."""
    name, options = (case, {}) if isinstance(case, str) else next(iter(case.items()))
    return optimizers.resolve({name: {**options, **more}})


def run(
    optimizer: Optimizer, xp: Namespace, parameters: Array, gradients: Array, rate: float, step: Any = None
) -> tuple[Array, State]:
    """Return parameters and state after one step for each of `gradients` `(T, P)`."""
    state = optimizer.initial_state(xp, parameters)
    for gradient in gradients:
        parameters, state = (step or optimizer.step)(xp, state, parameters, gradient, rate)
    return parameters, state
