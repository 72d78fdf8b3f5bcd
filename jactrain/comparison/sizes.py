"""A configuration's network, wider, deeper or with more outputs, and random examples for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jactrain.arrays import Array, Shape
from jactrain.config.build import settle_units
from jactrain.config.models import Config
from jactrain.data.base import Classification, Outline, Regression, Task
from jactrain.errors import ShapeError, UsageError
from jactrain.layers.base import Layer
from jactrain.layers.linear import Linear
from jactrain.layers.residual import Residual
from jactrain.losses import losses
from jactrain.losses.base import Loss
from jactrain.network import Network
from jactrain.objective import Batch, Objective


class Problem(NamedTuple):
    """What a gradient is measured on: an objective, parameters `(P,)` and a batch."""

    objective: Objective
    parameters: Array
    batch: Batch


def problem(config: Config, outline: Outline, along: str, size: int) -> Problem:
    """Return the network of `config` at `size` along `width`, `depth` or `outputs`, and a random batch.

    The inputs are normal numbers of the data's shape, the targets uniform numbers or classes; all come from
    the configuration's seed. outline: of its data.

    Raises UsageError, with the reason, for a network that cannot be had in that size.
    """
    if along not in CHANGES:
        raise UsageError(f"a network grows along {', '.join(CHANGES)}, not {along!r}")
    if size < 1:
        raise UsageError(f"a network has a {along} of 1 at least, not {size}")
    loss, task = config.loss, outline.task
    if along == "outputs":
        loss, task = _for_outputs(loss, task, size)
    outputs = loss.outputs_for(task)
    layers = CHANGES[along](settle_units(config.network, outputs), outline.input_shape, size)
    try:
        network = Network(layers, outline.input_shape)
        objective = Objective(network, loss)
    except ShapeError as error:
        raise UsageError(f"the network cannot have a {along} of {size}: {error}") from error
    if network.output_shape != (outputs,):
        raise UsageError(
            f"the network cannot have a {along} of {size}: it then has {network.output_shape[0]} outputs, "
            f"but {loss.kind} needs {outputs}; end it with a linear layer"
        )
    rng, examples, dtype = (
        np.random.default_rng(config.seed),
        config.training.batch_size,
        np.dtype(config.dtype),
    )
    parameters = network.initial_parameters(rng, dtype)
    x = rng.standard_normal((examples, *outline.input_shape)).astype(dtype)
    y: Array
    if isinstance(task, Classification):
        y = rng.integers(0, len(task.classes), examples)
    else:
        y = rng.random((examples, len(task.targets)))  # from 0 to 1 suits every loss
    targets = loss.encode(y, outputs).astype(dtype)
    return Problem(objective, parameters, Batch(x, targets, network.draw_noise(rng, examples, dtype)))


def widened(layers: Sequence[Layer], input_shape: Shape, size: int) -> list[Layer]:
    """Return `layers` with `size` units in every linear layer but the last one, within residual blocks too.

    What a residual block adds to its input has the input's width: so the last linear layer in it has.
    """
    if _with_units(layers, input_shape, size, None) == _with_units(layers, input_shape, size + 1, None):
        raise UsageError("there is no hidden linear layer whose width could grow; add one, or grow the depth")
    return _with_units(layers, input_shape, size, None)


def _with_units(layers: Sequence[Layer], shape: Shape, size: int, last: int | None) -> list[Layer]:
    """Return `layers` with `size` units, and `last` in the last linear layer, or its own for None."""
    final = max(_linear(layers), default=-1)
    changed: list[Layer] = []
    for position, layer in enumerate(layers):
        if isinstance(layer, Linear):
            units = size if position != final else (last or layer.units)
            changed.append(layer.model_copy(update={"units": units}))
        elif isinstance(layer, Residual):
            within = _with_units(layer.network, shape, size, shape[0])
            changed.append(Residual(name=layer.name, network=within))
        else:
            changed.append(layer)
        try:
            shape = changed[-1].output_shape(shape)
        except ShapeError as error:
            raise UsageError(f"the network cannot have a width of {size}: {error}") from error
    return changed


def deepened(layers: Sequence[Layer], input_shape: Shape, size: int) -> list[Layer]:
    """Return `layers` with `size` hidden blocks in the place of those there are.

    The block is the last residual block in front of the last linear layer, with the layers behind it that
    have no parameters to be chosen, such as an activation; without residual blocks it is the last hidden
    linear layer with what follows it. Whatever stands between the first and the last such block gives its
    place to copies of that one; what is in front of the first one and behind the last one stays.
    """
    final = max(_linear(layers), default=len(layers))
    hidden, back = list(layers[:final]), list(layers[final:])
    starts = [index for index, layer in enumerate(hidden) if isinstance(layer, Residual)]
    starts = starts or _linear(hidden)
    if not starts:
        raise UsageError("there is no hidden linear layer or residual block that could be repeated; add one")
    stop = starts[-1] + 1
    while stop < len(hidden) and not isinstance(hidden[stop], Linear | Residual):
        stop += 1
    # A name of one's own would come twice.
    block = [layer.model_copy(update={"name": None}) for layer in hidden[starts[-1] : stop]]
    return [*hidden[: starts[0]], *block * size, *hidden[stop:], *back]


def with_outputs(layers: Sequence[Layer], input_shape: Shape, size: int) -> list[Layer]:
    """Return `layers` with `size` units in the last linear layer."""
    positions = _linear(layers)
    if not positions:
        raise UsageError("there is no linear layer whose units are the outputs; end the network with one")
    changed = list(layers)
    changed[positions[-1]] = layers[positions[-1]].model_copy(update={"units": size})
    return changed


CHANGES: dict[str, Callable[[Sequence[Layer], Shape, int], list[Layer]]] = {
    "width": widened,
    "depth": deepened,
    "outputs": with_outputs,
}


def _for_outputs(loss: Loss, task: Task, size: int) -> tuple[Loss, Task]:
    """Return the loss and a task of `size` outputs, or the mean squared error if the loss has none."""
    names = tuple(f"output_{index}" for index in range(size))
    wanted: Task = Classification(names) if isinstance(task, Classification) else Regression(names)
    try:
        if loss.outputs_for(wanted) == size:
            return loss, wanted
    except UsageError:
        pass
    return losses.get("mean_squared_error")(), Regression(names)


def _linear(layers: Sequence[Layer]) -> list[int]:
    return [index for index, layer in enumerate(layers) if isinstance(layer, Linear)]
