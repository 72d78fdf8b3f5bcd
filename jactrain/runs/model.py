"""A trained model: parameters and all that predicting with them needs, in one npz file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from jactrain.arrays import Array
from jactrain.config.build import settle_units
from jactrain.config.models import Config
from jactrain.data.base import Classification, Task
from jactrain.data.preparation import Scaling
from jactrain.errors import DataError, RunError, ShapeError
from jactrain.files import reachable, write_atomically
from jactrain.losses.base import Loss
from jactrain.network import Network
from jactrain.runs.checkpoints import command_to_go_on
from jactrain.runs.configuration import configuration_of
from jactrain.runs.directory import ENDINGS, RunDirectory
from jactrain.runs.facts import Facts, read, read_facts, require_numbers
from jactrain.runs.lock import is_held
from jactrain.training.experiment import Experiment

_PORTION = 4096  # examples at once, so that memory does not grow with the data


@dataclass(frozen=True, eq=False, repr=False)  # arrays have no single truth value to compare by
class Model:
    """A trained network: its parameters `(P,)`, how inputs are scaled, and how outputs are read."""

    network: Network
    loss: Loss
    parameters: Array
    input_scaling: Scaling
    target_scaling: Scaling
    task: Task
    features: tuple[str, ...]

    @classmethod
    def of(cls, experiment: Experiment, parameters: Array) -> Model:
        """Return the model of an experiment with `parameters` `(P,)`."""
        outputs = experiment.network.output_shape
        return cls(
            experiment.network,
            experiment.objective.loss,
            parameters,
            experiment.input_scaling,
            experiment.target_scaling or Scaling(np.zeros(outputs), np.ones(outputs)),
            experiment.task,
            experiment.features,
        )

    @classmethod
    def load(cls, run: RunDirectory) -> Model:
        """Return the model of a run, without its data; RunError if that is unfinished or damaged."""
        with reachable(run.weights):
            has_weights = run.weights.is_file()
        config = configuration_of(run)
        if not has_weights:
            ended = ENDINGS.get(str(run.read_meta().get("status")))
            why = f"{ended} before it wrote any" if ended else "was not trained to an end"
            raise RunError(f"{run.path} has no {run.weights.name}: this run {why}{_way_on(run, config)}")
        facts = read_facts(run.weights)
        layers = settle_units(config.network, config.loss.outputs_for(facts.task))
        network = Network(layers, facts.input_shape)
        parameters = _parameters(run.weights, network)
        require_numbers(
            run.weights, "scaling/targets/offset", facts.target_scaling.offset, network.output_shape
        )
        return cls(
            network,
            config.loss,
            parameters,
            facts.input_scaling,
            facts.target_scaling,
            facts.task,
            facts.features,
        )

    def __repr__(self) -> str:
        task = self.task
        word, names = (
            ("classes", task.classes) if isinstance(task, Classification) else ("targets", task.targets)
        )
        few = [*map(repr, names[:5]), *(["…"] if len(names) > 5 else [])]
        return (
            f"Model(input_shape={self.network.input_shape}, {word}=[{', '.join(few)}], "
            f"parameters={self.network.size})"
        )

    def save(self, path: Path) -> None:
        """Write the model to `path`, atomically and without Python objects."""
        facts = Facts(
            self.network.input_shape, self.task, self.features, self.input_scaling, self.target_scaling
        )
        arrays = named_parameters(self.network, self.parameters) | facts.as_arrays()
        write_atomically(path, lambda file: np.savez(file, **arrays))

    def outputs(self, x: Array) -> Array:
        """Return the network's outputs `(N, m)` for inputs `(N, *in)` in the dataset's own units.

        Raises ShapeError for inputs of another shape, DataError with the row of one that is not finite, or
        whose outputs are not.
        """
        x, shape = np.asarray(x, np.float64), self.network.input_shape
        if x.shape[1:] != shape or len(x) == 0:
            raise ShapeError(
                f"inputs are (N, {', '.join(map(str, shape))}) with N at least 1 for this model, "
                f"not {x.shape}" + ("; give one example as x[None]" if x.shape == shape else "")
            )
        with np.errstate(over="ignore", invalid="ignore"):  # refused below, in words
            scaled = self.input_scaling.apply(x).astype(self.parameters.dtype)
            portions = [scaled[start : start + _PORTION] for start in range(0, len(scaled), _PORTION)]
            outputs = [self.network.outputs(self.parameters, portion) for portion in portions]
        return _finite(np.concatenate(outputs), scaled, x)

    def predict(self, x: Array) -> Array:
        """Return predicted classes `(N,)` as text, or numbers `(N, m)` in the dataset's own units."""
        predictions = self.loss.predictions_for(self.task, self.outputs(x))
        if isinstance(self.task, Classification):
            return np.array(self.task.classes)[predictions]
        return self.target_scaling.invert(np.asarray(predictions, np.float64))


def load_run(folder: Path | str) -> Model:
    """Return the trained model in the `folder` of a run: `load_run(folder).predict(x)`.

    Raises RunError for a folder that is no run's, and for a run that is unfinished or damaged.
    """
    return Model.load(RunDirectory.open(Path(folder)))


def age_of_weights(run: RunDirectory) -> list[str]:
    """Return a note where the training went on after the weights were written, and wrote no others."""
    meta = run.read_meta()
    written, status = meta.get("weights"), meta.get("status")
    if not isinstance(written, dict) or (status != "running" and written.get("step") == meta.get("steps")):
        return []
    told = f"the weights are of epoch {written.get('epoch')}, kept at step {written.get('step')}"
    held = is_held(run) if status == "running" else False
    if held is not False:  # None: it cannot be known
        return [f"{told}; the training goes on at this moment{'' if held else ', or was killed'}"]
    since = ENDINGS.get(str(status), "was killed")
    return [f"{told}; the training then went on, and {since}{_way_on(run, configuration_of(run))}"]


def _way_on(run: RunDirectory, config: Config) -> str:
    """Return how to go on with a run, if it can be."""
    command = command_to_go_on(run, config)
    return f"; go on with it: {command}" if command else ""


def _finite(outputs: Array, scaled: Array, x: Array) -> Array:
    """Return `outputs` `(N, m)` for the inputs x; DataError with the first row where they are not finite.

    Inputs that are not, once `scaled` and in the dtype of the parameters, are refused too: an activation may
    make a finite output of them.
    """
    finite = np.isfinite(scaled.reshape(len(x), -1)).all(axis=1) & np.isfinite(outputs).all(axis=1)
    if not finite.all():
        row = int(finite.argmin())
        raise DataError(
            f"input {row + 1} of {len(x)} cannot be predicted from: it, or its outputs, are not finite in "
            f"{outputs.dtype} (its largest entry is {np.abs(x[row]).max():.3g}); mend or remove it"
            + (f", and {np.count_nonzero(~finite) - 1} more" if np.count_nonzero(~finite) > 1 else "")
        )
    return outputs


def named_parameters(network: Network, flat: Array, prefix: str = "parameters") -> dict[str, Array]:
    """Return `{"<prefix>/<layer>/<name>": array}` of a vector `(P,)` laid out as the parameters."""
    layout = network.layout
    return {
        f"{prefix}/{name}": flat[part].reshape(shape)
        for name, shape, part in zip(layout.names, layout.shapes, layout.slices, strict=True)
    }


def _parameters(path: Path, network: Network) -> Array:
    names = [f"parameters/{name}" for name in network.layout.names]
    arrays = read(path, names)
    for name, shape in zip(names, network.layout.shapes, strict=True):
        if arrays[name].shape != shape:
            raise RunError(
                f"{path}: {name} has shape {arrays[name].shape}, but the run's network takes {shape}"
            )
        require_numbers(path, name, arrays[name], shape)
    return np.concatenate([arrays[name].ravel() for name in names])
