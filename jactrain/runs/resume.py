"""Going on with a run that was interrupted, killed or diverged, or with more epochs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from jactrain.config.build import build
from jactrain.config.files import load_document, located
from jactrain.config.models import Config
from jactrain.config.noting import located_at
from jactrain.config.resolved import resolved, resolved_yaml
from jactrain.errors import CheckpointError, RunError
from jactrain.files import write_text
from jactrain.runs.checkpoints import newest_whole
from jactrain.runs.configuration import configuration_of
from jactrain.runs.directory import RunDirectory
from jactrain.runs.lock import locked
from jactrain.runs.provenance import provenance
from jactrain.runs.recorder import Lengths
from jactrain.runs.session import (
    Point,
    RunListener,
    RunResult,
    Session,
    comparable_facts,
    data_digest,
    now,
    write_meta,
)
from jactrain.training.checkpoint import Checkpoint, require_fits
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState

# What a training that has begun cannot change: its numbers would be those of another.
_FIXED = ("seed", "dtype", "network", "loss", "training.batch_size")


def resume(
    folder: Path | str, overrides: Sequence[str] = (), *, listeners: Sequence[RunListener] = ()
) -> RunResult:
    """Go on with the run in `folder` from its newest checkpoint that is whole, or from its start without one.

    overrides: settings that are to be others from here on, such as "training.epochs=60"; they are recorded.

    Raises RunError for a folder that is no run's, is trained in by another process or keeps no checkpoints;
    CheckpointError where all checkpoints are damaged, or the configuration is another than they were written
    with. Else as `run`.
    """
    directory = RunDirectory.open(Path(folder))
    with locked(directory):
        return _resume(directory, overrides, listeners)


def _resume(directory: RunDirectory, overrides: Sequence[str], listeners: Sequence[RunListener]) -> RunResult:
    configuration_of(directory)  # says which plug-ins are missing
    config, document = load_document(directory.resolved_config, overrides)
    path, checkpoint, notes = newest_whole(directory)
    _require_resumable(directory, config, checkpoint)
    meta = _meta(directory)
    changes = {} if checkpoint is None else _changes(directory, config, checkpoint, overrides, meta)
    with located(document):
        experiment = build(config)
        with located_at(("engine",), config.engine.kind):
            experiment.engine.join(experiment)
            engine = experiment.engine.facts(experiment)
    now_there = {
        "engine": engine,
        "data": data_digest(experiment),
        **provenance(config.seed, Path.cwd()),
    }
    point = _point(path, checkpoint, experiment)
    if checkpoint is not None:
        notes += _differences(checkpoint.record.get("facts"), comparable_facts(now_there))
    resumed = {
        "time": now(),
        "step": point.state.step,
        "set": {key: new for key, (_, new) in changes.items()},
        "notes": notes,
    }
    meta = meta | now_there | {"resumed": [*meta.get("resumed", []), resumed]}
    if changes:
        write_meta(directory, meta, "running")  # what is recorded there is known as said, whatever happens
        write_text(directory.resolved_config, resolved_yaml(config))
    for listener in listeners:
        listener.on_folder(directory.path)
        for note in notes:
            listener.on_note(note)
    return Session(directory, experiment, meta, resolved(config), listeners).train(point)


def _require_resumable(directory: RunDirectory, config: Config, checkpoint: Checkpoint | None) -> None:
    """Raise RunError where there is no checkpoint, and training from the start would undo what is there."""
    if checkpoint is not None:
        return
    advice = f"train anew with jactrain run {directory.resolved_config}"
    if config.training.checkpoints is None:
        raise RunError(f"{directory.path} keeps no checkpoints (training.checkpoints is null); {advice}")
    if directory.weights.is_file():
        raise RunError(f"{directory.path} was trained to an end and has no checkpoints; {advice}")


def _point(path: Path | None, checkpoint: Checkpoint | None, experiment: Experiment) -> Point:
    """Return where the training goes on: at the checkpoint, or at the start."""
    if path is None or checkpoint is None:
        return Point(TrainingState.start(experiment), Lengths())
    require_fits(path, experiment, checkpoint.state)
    try:
        lengths = TypeAdapter(dict[str, NonNegativeInt]).validate_python(checkpoint.record.get("lengths"))
        return Point(checkpoint.state, Lengths(**lengths))
    except (ValidationError, TypeError):
        raise CheckpointError(
            f"{path} is damaged: the lengths of metrics and agreement are missing"
        ) from None


def _changes(
    directory: RunDirectory,
    config: Config,
    checkpoint: Checkpoint,
    overrides: Sequence[str],
    meta: dict[str, Any],
) -> dict[str, tuple[Any, Any]]:
    """Return what the configuration has changed since the checkpoint, all of it by `overrides`, old or new.

    Raises RunError for other changes, and for those that a training which has begun cannot make.
    """
    try:  # with the defaults of options that there were not yet
        config_before = Config.model_validate(
            checkpoint.record.get("config"), context={"folder": directory.path}
        )
    except ValidationError:
        raise CheckpointError(
            f"the newest checkpoint of {directory.path} holds no configuration that this jactrain reads; "
            "resume it with the version that wrote it"
        ) from None
    before = dict(_flat(resolved(config_before)))
    after = dict(_flat(resolved(config)))
    missing = object()
    changes = {
        key: (before.get(key), after.get(key))
        for key in sorted({*before, *after})
        if before.get(key, missing) != after.get(key, missing)
    }
    said = [override.partition("=")[0].strip() for override in overrides]
    said += [
        key
        for earlier in meta.get("resumed", [])
        for key, value in earlier["set"].items()
        if after.get(key) == value
    ]
    for key, (old, new) in changes.items():
        if any(_is_within(key, fixed) for fixed in _FIXED):
            raise RunError(
                f"{key} was {old!r} when the checkpoint was written and is {new!r}: a training that has "
                f"begun cannot change it; start a new run with jactrain run {directory.resolved_config}"
            )
        if not any(_is_within(key, each) or _is_within(each, key) for each in said):
            raise RunError(
                f"{directory.resolved_config}: {key} was {old!r} when the checkpoint was written and is "
                f"{new!r}; put it back, or say that it is to change with --set {key}={new}"
            )
    return changes


def _is_within(key: str, outer: str) -> bool:
    return key == outer or key.startswith(f"{outer}.")


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield `("training.epochs", 30)` for every value of nested mappings and lists."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    if not items:
        yield prefix, value
    for key, item in items:
        yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))


def _meta(directory: RunDirectory) -> dict[str, Any]:
    """Return what the run's `meta.json` says; nothing where it cannot be read."""
    try:
        meta = json.loads(directory.meta.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    resumed = meta.get("resumed", []) if isinstance(meta, dict) else None
    if not isinstance(resumed, list) or not all(
        isinstance(each, dict) and isinstance(each.get("set"), dict) for each in resumed
    ):
        return {}
    return {key: value for key, value in meta.items() if key not in ("status", "ended", "exit_reason")}


def _differences(before: Any, after: dict[str, Any]) -> list[str]:
    """Return in words what the training is gone on with that it was not begun with."""
    old, new = (dict(_flat(each)) for each in (before, json.loads(json.dumps(after))))
    found = [
        f"{key} was {old.get(key)!r} and is {new.get(key)!r}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    ]
    return [f"{'; '.join(found)}: the last digits may differ from those of one training"] if found else []
