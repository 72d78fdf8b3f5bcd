"""A configuration's network, wider, deeper or with more outputs, and random examples for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from jactrain.arrays import Array, Shape
from jactrain.config.build import settle_units
from jactrain.config.models import Config
from jactrain.data.base import Classification, Outline, Regression, Task
from jactrain.errors import ShapeError, UsageError
from jactrain.layers.base import Layer
from jactrain.losses import losses
from jactrain.losses.base import Loss
from jactrain.network import Network
from jactrain.objective import Batch, Objective
from jactrain.training.experiment import generators


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
    random, examples = generators(config.seed), config.training.batch_size
    dtype = np.dtype(config.dtype)
    parameters = network.initial_parameters(random.parameters, dtype)
    x = random.split.standard_normal((examples, *outline.input_shape)).astype(dtype)
    y: Array
    if isinstance(task, Classification):
        y = random.split.integers(0, len(task.classes), examples)
    else:
        y = random.split.random((examples, len(task.targets)))  # from 0 to 1 suits every loss
    targets = loss.encode(y, outputs).astype(dtype)
    return Problem(
        objective, parameters, Batch(x, targets, network.draw_noise(random.noise, examples, dtype))
    )


def widened(layers: Sequence[Layer], input_shape: Shape, size: int) -> list[Layer]:
    """Return `layers` with `size` units in every dense layer but the last one, within blocks too.

    A dense layer is one with an option `units`, and a block one that has a list of layers. A block that has
    the shape of its input, such as a residual one, keeps it: its last dense layer has the input's width.
    """
    if _with_units(layers, input_shape, size, None) == _with_units(layers, input_shape, size + 1, None):
        raise UsageError("there is no hidden linear layer whose width could grow; add one, or grow the depth")
    return _with_units(layers, input_shape, size, None)


def _with_units(layers: Sequence[Layer], shape: Shape, size: int, last: int | None) -> list[Layer]:
    """Return `layers` with `size` units, and `last` in the last dense layer, or its own for None."""
    final = max(_dense(layers), default=-1)
    changed: list[Layer] = []
    own = shape  # before the change
    for position, layer in enumerate(layers):
        within = _within(layer)
        try:
            after = layer.output_shape(own)
            if _has_units(layer):
                units = size if position != final else (last or layer.model_dump()["units"])
                changed.append(_changed(layer, units=units))
            elif within is not None:
                name, inner = within
                kept = shape[0] if after == own else size
                changed.append(_changed(layer, **{name: _with_units(inner, shape, size, kept)}))
            else:
                changed.append(layer)
            own, shape = after, changed[-1].output_shape(shape)
        except ShapeError as error:
            raise UsageError(f"the network cannot have a width of {size}: {error}") from error
    return changed


def deepened(layers: Sequence[Layer], input_shape: Shape, size: int) -> list[Layer]:
    """Return `layers` with `size` hidden blocks in the place of those there are.

    What is repeated is the last block in front of the last dense layer, with the layers behind it that have
    no parameters to be chosen, such as an activation; without blocks it is the last hidden dense layer with
    what follows it. Whatever stands between the first and the last such block gives its place to copies of
    that one; what is in front of the first one and behind the last one stays.
    """
    final = max(_dense(layers), default=len(layers))
    hidden, back = list(layers[:final]), list(layers[final:])
    starts = [index for index, layer in enumerate(hidden) if _within(layer) is not None]
    starts = starts or _dense(hidden)
    if not starts:
        raise UsageError("there is no hidden linear layer or residual block that could be repeated; add one")
    stop = starts[-1] + 1
    while stop < len(hidden) and not (_has_units(hidden[stop]) or _within(hidden[stop]) is not None):
        stop += 1
    # A name of one's own would come twice.
    block = [layer.model_copy(update={"name": None}) for layer in hidden[starts[-1] : stop]]
    return [*hidden[: starts[0]], *block * size, *hidden[stop:], *back]


def with_outputs(layers: Sequence[Layer], input_shape: Shape, size: int) -> list[Layer]:
    """Return `layers` with `size` units in the last dense layer."""
    positions = _dense(layers)
    if not positions:
        raise UsageError("there is no linear layer whose units are the outputs; end the network with one")
    changed = list(layers)
    changed[positions[-1]] = _changed(layers[positions[-1]], units=size)
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


def _has_units(layer: Layer) -> bool:
    """Tell whether a layer's width is its option, as that of a linear one is."""
    return "units" in type(layer).model_fields


def _dense(layers: Sequence[Layer]) -> list[int]:
    return [index for index, layer in enumerate(layers) if _has_units(layer)]


def _within(layer: Layer) -> tuple[str, Sequence[Layer]] | None:
    """Return the option that is a list of layers, as that of a residual block is, with these."""
    for name in type(layer).model_fields:
        value = getattr(layer, name)
        if isinstance(value, list | tuple) and value and all(isinstance(each, Layer) for each in value):
            return name, value
    return None


def _changed(layer: Layer, **options: Any) -> Layer:
    """Return `layer` with other options, which it may refuse, and without what it has cached."""
    own = {name: getattr(layer, name) for name in type(layer).model_fields}
    try:
        return type(layer)(**{**own, **options})
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False)
        what = f"{layer.kind} refuses {first['input']!r}: {first['msg']}"
        raise UsageError(f"the network cannot have that size: {what}") from error
