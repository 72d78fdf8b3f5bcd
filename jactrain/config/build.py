"""From a configuration to live objects, with every mistake that only shows when parts meet."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jactrain.config.models import Config
from jactrain.data.base import Classification, Dataset, Outline
from jactrain.data.preparation import Scaling, split
from jactrain.errors import (
    ConfigurationError,
    DataError,
    Mistake,
    ShapeError,
    UnsupportedError,
)
from jactrain.layers.base import Layer
from jactrain.layers.chain import names_of
from jactrain.layers.linear import Linear
from jactrain.layers.residual import Residual
from jactrain.network import Network
from jactrain.objective import Objective
from jactrain.training.experiment import Experiment, Part, generators

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Blueprint:
    """What a configuration describes before its data are loaded."""

    outline: Outline
    objective: Objective

    @property
    def network(self) -> Network:
        """The network, its last layer's units settled."""
        return self.objective.network


def check(config: Config) -> Blueprint:
    """Return the blueprint of `config`; ConfigurationError with every mistake there is.

    Reads csv and npz files, but loads no named dataset and computes nothing.
    """
    mistakes: list[Mistake] = []
    outline = outputs = objective = None
    with _noting(mistakes, ("data", "source", config.data.source.kind)):
        outline = config.data.source.outline()
    if outline is not None:
        with _noting(mistakes, ("loss",)):
            outputs = config.loss.outputs_for(outline.task)
        _check_sizes(config, outline, mistakes)
        if outputs is not None:
            objective = _objective(config, outline, outputs, mistakes)
    if objective is not None:
        _check_modes(config, objective, mistakes)
    _check_settings(config, mistakes)
    if mistakes or outline is None or objective is None:
        raise ConfigurationError(mistakes)
    return Blueprint(outline, objective)


def build(config: Config) -> Experiment:
    """Load the data, split and scale them, and return the built experiment.

    Raises ConfigurationError with every mistake of the configuration, DataError for unusable data.
    """
    blueprint = check(config)
    random = generators(config.seed)
    dataset = config.data.source.load()
    training, validation = split(dataset, config.data.validation, random.split)
    input_scaling = Scaling.fit(config.data.scale, training.x)
    target_scaling = None
    if not isinstance(dataset.task, Classification):
        target_scaling = Scaling.fit(config.data.scale_targets, training.y)
    dtype = np.dtype(config.dtype)

    def part(examples: Dataset) -> Part:
        y = examples.y if target_scaling is None else target_scaling.apply(examples.y)
        targets = config.loss.encode(y, blueprint.network.output_shape[0])
        x = input_scaling.apply(examples.x)
        return Part(x.astype(dtype), targets.astype(dtype), examples.y)

    agreement = config.agreement
    return Experiment(
        objective=blueprint.objective,
        mode=config.mode,
        optimizer=config.optimizer,
        settings=config.training,
        dtype=dtype,
        seed=config.seed,
        task=dataset.task,
        training=part(training),
        validation=None if validation is None else part(validation),
        input_scaling=input_scaling,
        target_scaling=target_scaling,
        features=dataset.features,
        initial_parameters=blueprint.network.initial_parameters(random.parameters, dtype),
        agreement_modes=tuple(agreement.modes) if agreement else (),
        agreement_every=agreement.every if agreement else 0,
        agreement_examples=agreement.examples if agreement else 0,
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
    if network.size == 0:
        mistakes.append(
            Mistake(("network",), "no layer has parameters, so there is nothing to train", "add `linear`")
        )
    return objective if network.size else None


def settle_units(layers: Sequence[Layer], outputs: int) -> list[Layer]:
    """Return the layers, the last one's units set to `outputs` if they were left out."""
    *front, last = layers
    if isinstance(last, Linear) and last.units is None:
        last = last.model_copy(update={"units": outputs})
    return [*front, last]


def layer_path(layers: Sequence[Layer], name: str) -> tuple[str | int, ...]:
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


def _check_modes(config: Config, objective: Objective, mistakes: list[Mistake]) -> None:
    with _noting(mistakes, ("mode",)):
        config.mode.require_products(objective)
    labels: set[str] = set()
    for index, mode in enumerate(config.agreement.modes if config.agreement else ()):
        path = ("agreement", "modes", index)
        with _noting(mistakes, path):
            mode.require_products(objective)
        if mode == config.mode:
            message = f"{mode.label} is the training mode, and nothing is checked by comparing it with itself"
            mistakes.append(Mistake(path, message, "name another mode, or the same with other options"))
        if mode.label in labels:
            mistakes.append(Mistake(path, f"{mode.label} is listed twice", "leave one out"))
        labels.add(mode.label)


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
def _noting(mistakes: list[Mistake], path: tuple[str | int, ...]) -> Iterator[None]:
    """Turn a DataError or UnsupportedError into a mistake at `path`."""
    try:
        yield
    except (DataError, UnsupportedError) as error:
        mistakes.append(Mistake(path, str(error)))
