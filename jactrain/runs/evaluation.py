"""A trained run, evaluated on its data as they are now."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from jactrain.config.build import Scalings, build
from jactrain.data.base import Classification, Task
from jactrain.data.preparation import Scaling
from jactrain.errors import DataError, RunError
from jactrain.runs.configuration import configuration_of
from jactrain.runs.data_record import are_the_same_data, data_record, told_counts
from jactrain.runs.directory import RunDirectory
from jactrain.runs.model import Model, age_of_weights
from jactrain.training.experiment import Experiment, Part
from jactrain.training.metrics import evaluate, outputs_and_losses


class Evaluation(NamedTuple):
    """Figures of each part of the data, `examples` among them, and what is to be told of the data."""

    parts: dict[str, dict[str, Any]]
    notes: list[str]


def evaluate_run(run: RunDirectory) -> Evaluation:
    """Return the scores of a trained run on its training and validation part, scaled as in its training.

    Raises RunError where the data have other features, classes or shapes than those trained on, DataError
    where an example has outputs that are not finite.
    """
    model, config = Model.load(run), configuration_of(run)
    experiment = build(config)
    differences = list(_differences(model, experiment))
    if differences:
        raise RunError(
            f"the data of {run.path} are not those that it was trained on: {'; '.join(differences)}; "
            "bring them back as they were, or train anew"
        )
    scalings = Scalings(model.input_scaling, None if _classes(model.task) else model.target_scaling)
    if not _are_equal(scalings, experiment):
        experiment = build(config, scalings)
    parts = {"train": experiment.training, "validation": experiment.validation}
    figures: dict[str, dict[str, Any]] = {
        name: {"examples": len(part.x), **_scores(experiment, model, part, name)}
        for name, part in parts.items()
        if part is not None
    }
    return Evaluation(figures, [*age_of_weights(run), *_notes(run, experiment)])


def _scores(experiment: Experiment, model: Model, part: Part, name: str) -> dict[str, float | None]:
    with np.errstate(over="ignore", invalid="ignore"):  # refused below, in words
        scores = evaluate(experiment, model.parameters, part)
        if scores["loss"] is None or not math.isfinite(scores["loss"]):
            outputs, losses = outputs_and_losses(experiment, model.parameters, part)
            finite = np.isfinite(outputs).all(1) & np.isfinite(losses)
            raise DataError(
                f"{np.count_nonzero(~finite)} of {len(finite)} examples of the {name} part have outputs or "
                f"losses that are not finite in {model.parameters.dtype}, the first with targets "
                f"{part.y[int(finite.argmin())].tolist()}; look for values of another size than the others"
            )
    return scores


def _differences(model: Model, experiment: Experiment) -> Iterator[str]:
    """Yield in words what the data of `experiment` have otherwise than those of `model`."""
    now, then = experiment.network.input_shape, model.network.input_shape
    if experiment.features != model.features:
        yield _of_names("features", experiment.features, model.features)
    elif now != then:
        yield f"inputs have shape {now}, not {then}"
    if _classes(experiment.task) != _classes(model.task):
        yield _of_names("classes", _classes(experiment.task), _classes(model.task))
    elif experiment.task != model.task:
        yield _of_names("targets", _targets(experiment.task), _targets(model.task))


def _of_names(word: str, now: tuple[str, ...], then: tuple[str, ...]) -> str:
    new = [name for name in now if name not in then]
    gone = [name for name in then if name not in now]
    changes = [*(f"{_few(new)} came" for _ in new[:1]), *(f"{_few(gone)} went" for _ in gone[:1])]
    return f"of the {word} {' and '.join(changes)}" if changes else f"the {word} have another order or number"


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(map(repr, names[:5])) + more


def _classes(task: Task) -> tuple[str, ...]:
    return task.classes if isinstance(task, Classification) else ()


def _targets(task: Task) -> tuple[str, ...]:
    return () if isinstance(task, Classification) else task.targets


def _are_equal(scalings: Scalings, experiment: Experiment) -> bool:
    pairs = ((scalings.inputs, experiment.input_scaling), (scalings.targets, experiment.target_scaling))
    return all(_same(one, other) for one, other in pairs)


def _same(one: Scaling | None, other: Scaling | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one.offset, other.offset) and np.array_equal(one.scale, other.scale)


def _notes(run: RunDirectory, experiment: Experiment) -> list[str]:
    """Return a note if the data, in the scale of the training, are others than those trained on."""
    now, meta = data_record(experiment), run.read_meta()
    then = meta.get("examples")
    if not isinstance(then, dict):
        return []
    if then != now["examples"]:
        return [
            f"the data changed since the training: examples were {told_counts(then)} and are "
            f"{told_counts(now['examples'])}, so that validation may hold examples that were trained on"
        ]
    if not are_the_same_data(meta, now):
        return ["the data, or their settings, changed since the training: as many examples, other values"]
    return []
