"""Value and gradient of a network's loss by any mode, in one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import DataError, ShapeError, UsageError
from jactrain.losses.base import Loss, losses
from jactrain.modes.base import GradientResult, Mode, modes
from jactrain.network import Network
from jactrain.objective import Batch, Objective
from jactrain.registry import Component, Registry


def value_and_gradient(
    network: Network,
    loss: Loss | str | dict[str, Any],
    parameters: Array,
    x: Array,
    y: Array,
    mode: Mode | str | dict[str, Any] = "reverse",
    rng: np.random.Generator | None = None,
) -> GradientResult:
    """Return the mean loss over the examples and its gradient in the parameters.

    network: a `Network`; parameters: flat `(P,)`, float32 or float64, which is also the dtype computed in
    x: `(N, *in)`; y: `(N,)` class indices, or `(N,)` or `(N, m)` numbers, as the loss takes them
    loss, mode: a component, its name, or `{name: {options}}`
    rng: the generator that random modes draw from; a fresh one, seeded with 0, if left out

    Noise (dropout) is off. Raises UsageError for names and options that do not exist, ShapeError and
    DataError for arrays that do not fit, UnsupportedError if a layer lacks a product that the mode uses.
    """
    a_loss: Loss = _component(losses, loss)
    a_mode: Mode = _component(modes, mode)
    parameters = np.asarray(parameters)
    if parameters.dtype not in (np.float32, np.float64) or parameters.shape != (network.size,):
        raise ShapeError(
            f"parameters are ({network.size},) float32 or float64 for this network, not "
            f"{parameters.shape} {parameters.dtype}; `network.initial_parameters(rng)` makes some"
        )
    x = np.asarray(x, parameters.dtype)
    if x.shape[1:] != network.input_shape or len(x) == 0:
        raise ShapeError(
            f"inputs are (N, {', '.join(map(str, network.input_shape))}) with N at least 1 for this "
            f"network, not {x.shape}"
        )
    objective = Objective(network, a_loss)
    targets: Array = a_loss.encode(y, network.output_shape[0]).astype(parameters.dtype)
    if len(targets) != len(x):
        raise DataError(f"there are {len(x)} inputs and {len(targets)} targets; give one for each")
    plan = a_mode.prepare(objective, len(x), parameters.dtype)
    rng = np.random.default_rng(0) if rng is None else rng
    return a_mode.value_and_gradient(objective, parameters, Batch(x, targets), plan, rng)


def _component(registry: Registry[Any], value: Any) -> Any:
    if isinstance(value, Component):
        return value
    try:
        return registry.resolve(value)
    except ValueError as error:  # pydantic's ValidationError is one
        raise UsageError(str(error)) from None
