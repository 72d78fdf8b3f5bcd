"""From a configuration to live objects, with every mistake that only shows when parts meet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jactrain.config.models import Config
from jactrain.data.base import Classification, Dataset, Outline, Task
from jactrain.data.preparation import Scaling, split
from jactrain.errors import (
    ConfigurationError,
    DataError,
    KeyPath,
    Mistake,
    ShapeError,
    UnsupportedError,
)
from jactrain.layers.base import Layer
from jactrain.layers.chain import names_of
from jactrain.layers.linear import Linear
from jactrain.layers.residual import Residual
from jactrain.modes import modes
from jactrain.modes.base import Mode
from jactrain.network import Network
from jactrain.objective import Objective
from jactrain.training.experiment import Experiment, Part, generators

if TYPE_CHECKING:
    from collections.abc import Iterator


_MOST_PARAMETERS = 2**31  # 16 GiB in float64, and training holds several vectors of that length


class Compared(NamedTuple):
    """The modes that are compared with the one that trains, and what is to be said of the choice."""

    modes: tuple[Mode, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Blueprint:
    """What a configuration describes before its data are loaded."""

    outline: Outline
    objective: Objective
    agreement: Compared

    @property
    def network(self) -> Network:
        """The network, its last layer's units settled."""
        return self.objective.network


def check(config: Config) -> Blueprint:
    """Return the blueprint of `config`; ConfigurationError with every mistake there is.

    Reads csv and npz files, and splits, scales and encodes them; loads no named dataset.
    """
    blueprint = _blueprint(config)
    if config.data.source.outline_loads:
        _examples(config, blueprint)
    return blueprint


def build(config: Config) -> Experiment:
    """Load the data, split and scale them, and return the built experiment.

    Raises ConfigurationError with every mistake of the configuration, unusable data among them.
    """
    blueprint = _blueprint(config)
    examples = _examples(config, blueprint)
    parameters = generators(config.seed).parameters
    dtype = np.dtype(config.dtype)
    agreement = config.agreement
    return Experiment(
        objective=blueprint.objective,
        mode=config.mode,
        optimizer=config.optimizer,
        settings=config.training,
        dtype=dtype,
        seed=config.seed,
        task=examples.task,
        training=examples.training,
        validation=examples.validation,
        input_scaling=examples.input_scaling,
        target_scaling=examples.target_scaling,
        features=examples.features,
        initial_parameters=blueprint.network.initial_parameters(parameters, dtype),
        agreement_modes=blueprint.agreement.modes,
        agreement_every=agreement.every if agreement else 0,
        agreement_examples=agreement.examples if agreement else 0,
        notes=blueprint.agreement.notes,
    )


def _blueprint(config: Config) -> Blueprint:
    mistakes: list[Mistake] = []
    outline = outputs = objective = None
    agreement = Compared()
    with _noting(mistakes, ("data", "source", config.data.source.kind)):
        outline = config.data.source.outline()
    if outline is not None:
        with _noting(mistakes, ("loss",)):
            outputs = config.loss.outputs_for(outline.task)
        _check_sizes(config, outline, mistakes)
        if outputs is not None:
            objective = _objective(config, outline, outputs, mistakes)
    if objective is not None:
        agreement = _compared(config, objective, mistakes)
    _check_settings(config, mistakes)
    if mistakes or outline is None or objective is None:
        raise ConfigurationError(mistakes)
    return Blueprint(outline, objective, agreement)


class _Examples(NamedTuple):
    """The data, loaded, split, scaled and encoded."""

    task: Task
    features: tuple[str, ...]
    training: Part
    validation: Part | None
    input_scaling: Scaling
    target_scaling: Scaling | None


def _examples(config: Config, blueprint: Blueprint) -> _Examples:
    """Return the data as training takes them; ConfigurationError where they cannot be used as described."""
    data, loss = config.data, config.loss
    dtype, outputs = np.dtype(config.dtype), blueprint.network.output_shape[0]
    with _located_at(("data", "source", data.source.kind)):
        dataset = data.source.load()
    with _located_at(("data", "validation")):
        training, validation = split(dataset, data.validation, generators(config.seed).split)
    with _located_at(("data", "scale")):
        input_scaling = Scaling.fit(data.scale, training.x)
    target_scaling = None
    if not isinstance(dataset.task, Classification):
        with _located_at(("data", "scale_targets")):
            target_scaling = Scaling.fit(data.scale_targets, training.y)

    def part(examples: Dataset) -> Part:
        y = examples.y if target_scaling is None else target_scaling.apply(examples.y)
        with _located_at(("loss",)):
            targets = loss.encode(y, outputs)
        return Part(input_scaling.apply(examples.x).astype(dtype), targets.astype(dtype), examples.y)

    return _Examples(
        dataset.task,
        dataset.features,
        part(training),
        None if validation is None else part(validation),
        input_scaling,
        target_scaling,
    )


def _objective(config: Config, outline: Outline, outputs: int, mistakes: list[Mistake]) -> Objective | None:
    """Return network and loss for `outputs` outputs, or None after noting why there is none."""
    layers = settle_units(config.network, outputs)
    try:
        network = Network(layers, outline.input_shape)
        objective = Objective(network, config.loss)
    except ShapeError as error:
        path = layer_path(config.network, error.layer)
        mistakes.append(Mistake(path, str(error)))
        return None
    last = len(layers) - 1
    if network.output_shape != (outputs,):
        name = network.links[-1].name
        mistakes.append(
            Mistake(
                ("network", last),
                f"{config.loss.kind} needs {outputs} outputs for these targets, but {name} gives "
                f"{network.output_shape[0]}",
                f"end the network with `linear` without units, or with units: {outputs}",
            )
        )
    if network.size > _MOST_PARAMETERS:
        mistakes.append(
            Mistake(
                ("network",),
                f"{network.size:,} parameters are more than the {_MOST_PARAMETERS:,} trained at most",
                "lower the units of the layers",
            )
        )
    return objective


def settle_units(layers: Sequence[Layer], outputs: int) -> list[Layer]:
    """Return the layers, the last one's units set to `outputs` if they were left out."""
    *front, last = layers
    if isinstance(last, Linear) and last.units is None:
        last = last.model_copy(update={"units": outputs})
    return [*front, last]


def layer_path(layers: Sequence[Layer], name: str) -> KeyPath:
    """Return the key path of the layer called `name`, such as `residual_1/linear_2`."""
    path: list[str | int] = ["network"]
    for part in filter(None, name.split("/")):
        try:
            names = names_of(layers)
        except ShapeError:  # two layers of one name: the second is the one that is wrong
            names = [layer.name or "" for layer in layers]
            path.append(len(names) - 1 - names[::-1].index(part))
            break
        index = names.index(part)
        path.append(index)
        layer = layers[index]
        if isinstance(layer, Residual):
            layers = layer.network
            path += [layer.kind, "network"]
    while path and path[-1] == "network" and len(path) > 1:
        del path[-2:]
    return tuple(path)


def _check_sizes(config: Config, outline: Outline, mistakes: list[Mistake]) -> None:
    kept = round(config.data.validation * outline.examples)
    if config.data.validation > 0:
        kept = min(max(kept, 1), outline.examples - 1)
    examples = outline.examples - kept
    if config.training.batch_size > examples:
        mistakes.append(
            Mistake(
                ("training", "batch_size"),
                f"a batch of {config.training.batch_size} is larger than the {examples} training examples "
                f"({outline.examples} less the validation part)",
                f"set batch_size to at most {examples}",
            )
        )


def _compared(config: Config, objective: Objective, mistakes: list[Mistake]) -> Compared:
    """Return the modes to compare with the training mode, after noting what cannot be done.

    The training mode itself, which `--set mode=` may have taken from the list, gives its place to reverse.
    """
    with _noting(mistakes, ("mode",)):
        config.mode.require_products(objective)
    listed = config.agreement.modes if config.agreement else []
    for index, mode in enumerate(listed):
        path = ("agreement", "modes", index)
        if mode != config.mode:
            with _noting(mistakes, path):
                mode.require_products(objective)
        if mode in listed[:index]:
            mistakes.append(Mistake(path, f"{mode.label} is listed twice", "leave one out"))
    if config.mode not in listed:
        return Compared(tuple(listed))
    reverse = modes.resolve("reverse")
    place = [] if reverse in (config.mode, *listed) or not _serves(reverse, objective) else [reverse]
    index = listed.index(config.mode)
    kept = [*listed[:index], *place, *listed[index + 1 :]]
    if not kept:
        mistakes.append(_nothing_to_compare(config, objective))
    instead = "reverse is compared with it instead" if place else "it is left out"
    note = f"agreement.modes lists {config.mode.label}, which is the training mode: {instead}"
    return Compared(tuple(kept), (note,))


def _nothing_to_compare(config: Config, objective: Objective) -> Mistake:
    others = (modes.resolve(name) for name in ("forward", "finite_difference"))
    other = next(mode for mode in others if mode != config.mode and _serves(mode, objective))
    return Mistake(
        ("agreement", "modes", 0),
        f"{config.mode.label} is the training mode, and nothing is checked by comparing it with itself",
        f"compare with another: --set 'agreement.modes=[{other.label}]'\nor with none: --set agreement=null",
    )


def _serves(mode: Mode, objective: Objective) -> bool:
    """Tell whether the network has the products that `mode` uses."""
    try:
        mode.require_products(objective)
    except UnsupportedError:
        return False
    return True


def _check_settings(config: Config, mistakes: list[Mistake]) -> None:
    if config.training.early_stopping is not None and config.data.validation == 0:
        mistakes.append(
            Mistake(
                ("training", "early_stopping"),
                "early stopping watches the validation loss, but data.validation is 0",
                "keep some examples for validation, or set early_stopping to null",
            )
        )


@contextmanager
def _noting(mistakes: list[Mistake], path: KeyPath) -> Iterator[None]:
    """Turn a DataError or UnsupportedError into a mistake at `path`."""
    try:
        with _located_at(path):
            yield
    except ConfigurationError as error:
        mistakes.extend(error.mistakes)


@contextmanager
def _located_at(path: KeyPath) -> Iterator[None]:
    """Turn a DataError or UnsupportedError into a ConfigurationError with one mistake at `path`."""
    try:
        yield
    except (DataError, UnsupportedError) as error:
        message, _, more = str(error).partition("\n")  # a file's complaints are a line each
        raise ConfigurationError([Mistake(path, message, more)]) from None
