"""From a configuration to live objects, with every mistake that only shows when parts meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from jactrain.config.compared import Compared, check_plans, compared
from jactrain.config.memory import fitted
from jactrain.config.models import Config
from jactrain.config.noting import located_at, noting
from jactrain.data.base import Classification, Dataset, Outline, Task
from jactrain.data.preparation import Scaling, in_dtype, most_kept, split
from jactrain.errors import ConfigurationError, KeyPath, Mistake, ShapeError
from jactrain.explanation import notes_on
from jactrain.layers.base import Layer
from jactrain.layers.chain import names_of
from jactrain.layers.linear import Linear
from jactrain.layers.residual import Residual
from jactrain.modes.base import Mode
from jactrain.network import Network
from jactrain.objective import Objective
from jactrain.training.experiment import Experiment, Part, generators

_MOST_PARAMETERS = 2**31  # 16 GiB in float64, and training holds several vectors of that length


@dataclass(frozen=True)
class Blueprint:
    """What a configuration describes before its data are loaded; mode: bounded, where it had to be."""

    outline: Outline
    objective: Objective
    mode: Mode
    agreement: Compared

    @property
    def network(self) -> Network:
        """The network, its last layer's units settled."""
        return self.objective.network


def check(config: Config, to_train: bool = False) -> Blueprint:
    """Return the blueprint of `config`; ConfigurationError with every mistake there is.

    to_train: whether it must fit into memory, its mode bounded if need be.

    Reads csv and npz files, and splits, scales and encodes them. A named dataset is loaded only where its
    outline leaves open whether a batch is too large.
    """
    blueprint = _blueprint(config, to_train)
    outline = blueprint.outline
    if config.data.source.outline_loads:
        examples = len(_examples(config, blueprint).training.x)
    elif isinstance(outline.task, Classification):
        examples = config.training.batch_size  # what is left for the last step depends on the labels
    else:
        examples = outline.examples - most_kept(outline.examples, config.data.validation)
    check_plans(config, blueprint.objective, blueprint.agreement, examples)
    return blueprint


class Scalings(NamedTuple):
    """How inputs and numeric targets were scaled in another training; `targets` is None for classes."""

    inputs: Scaling
    targets: Scaling | None


def build(config: Config, scalings: Scalings | None = None, to_train: bool = False) -> Experiment:
    """Load the data, split and scale them, and return the built experiment.

    With `scalings`, of data of the same shapes, none is fitted. to_train: as of `check`.

    Raises ConfigurationError with every mistake of the configuration, unusable data among them.
    """
    blueprint = _blueprint(config, to_train)
    examples = _examples(config, blueprint, scalings)
    check_plans(config, blueprint.objective, blueprint.agreement, len(examples.training.x))
    parameters = generators(config.seed).parameters
    dtype = np.dtype(config.dtype)
    agreement = config.agreement
    return Experiment(
        objective=blueprint.objective,
        mode=blueprint.mode,
        optimizer=config.optimizer,
        settings=config.training,
        engine=config.engine,
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


def _blueprint(config: Config, to_train: bool) -> Blueprint:
    mistakes: list[Mistake] = []
    outline = outputs = objective = None
    agreement = Compared()
    with noting(mistakes, ("data", "source", config.data.source.kind)):
        outline = config.data.outline()
    if outline is not None:
        with noting(mistakes, ("loss",)):
            outputs = config.loss.outputs_for(outline.task)
        _check_sizes(config, outline, mistakes)
        if outputs is not None:
            objective = _objective(config, outline, outputs, mistakes)
    if objective is not None:
        agreement = compared(config, objective, mistakes)
        if not mistakes:
            with noting(mistakes, ("mode",), config.mode.kind):
                told = notes_on(config.mode, objective, config.training.batch_size, config.dtype)
                agreement = agreement._replace(notes=(*agreement.notes, *told))
    _check_settings(config, mistakes)
    if mistakes or outline is None or objective is None:
        raise ConfigurationError(mistakes)
    mode = config.mode
    if to_train:
        mode, bounded = fitted(config, objective, outline, agreement.modes)
        agreement = agreement._replace(notes=(*agreement.notes, *bounded))
    return Blueprint(outline, objective, mode, agreement)


class _Examples(NamedTuple):
    """The data, loaded, split, scaled and encoded."""

    task: Task
    features: tuple[str, ...]
    training: Part
    validation: Part | None
    input_scaling: Scaling
    target_scaling: Scaling | None


def _examples(config: Config, blueprint: Blueprint, scalings: Scalings | None = None) -> _Examples:
    """Return the data as training takes them; ConfigurationError where they cannot be used as described."""
    loss, dtype, outputs = config.loss, np.dtype(config.dtype), blueprint.network.output_shape[0]
    training, validation = _parts(config)
    input_scaling, target_scaling = scalings or _fitted(config, training)

    def part(examples: Dataset) -> Part:
        y = examples.y if target_scaling is None else target_scaling.apply(examples.y)
        with located_at(("loss",)):
            targets = loss.encode(y, outputs)
        with located_at(("data",)):
            x = in_dtype(input_scaling.apply(examples.x), dtype, "input", examples.x)
            return Part(x, in_dtype(targets, dtype, "target", examples.y), examples.y)

    return _Examples(
        training.task,
        training.features,
        part(training),
        None if validation is None else part(validation),
        input_scaling,
        target_scaling,
    )


def _fitted(config: Config, training: Dataset) -> Scalings:
    """Return the scalings that `config` asks for, fitted on the training part."""
    with located_at(("data", "scale")):
        inputs = Scaling.fit(config.data.scale, training.x)
    if isinstance(training.task, Classification):
        return Scalings(inputs, None)
    with located_at(("data", "scale_targets")):
        return Scalings(inputs, Scaling.fit(config.data.scale_targets, training.y))


def _parts(config: Config) -> tuple[Dataset, Dataset | None]:
    """Return the training and the validation part of the data, in their own units."""
    with located_at(("data", "source", config.data.source.kind)):
        dataset = config.data.load()
    with located_at(("data", "validation")):
        return split(dataset, config.data.validation, generators(config.seed).split)


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
    batch = config.training.batch_size
    examples = outline.examples - most_kept(outline.examples, config.data.validation)
    if batch > examples and isinstance(outline.task, Classification):
        # Classes may keep more for training than the outline tells, so that the data have to be split.
        try:
            examples = len(_parts(config)[0].x)
        except ConfigurationError as error:
            mistakes.extend(error.mistakes)
            return
    if batch > examples:
        mistakes.append(
            Mistake(
                ("training", "batch_size"),
                f"a batch of {batch} is larger than the training part of {examples} "
                f"({outline.examples} examples less those for validation)",
                f"set batch_size to at most {examples}",
            )
        )


def _check_settings(config: Config, mistakes: list[Mistake]) -> None:
    if config.training.early_stopping is not None and config.data.validation == 0:
        mistakes.append(
            Mistake(
                ("training", "early_stopping"),
                "early stopping watches the validation loss, but data.validation is 0",
                "keep some examples for validation, or set early_stopping to null",
            )
        )
