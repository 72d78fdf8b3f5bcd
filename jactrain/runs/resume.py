"""Going on with a run that was interrupted, killed or diverged, or with more epochs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import NonNegativeInt, TypeAdapter, ValidationError

from jactrain.config.build import build
from jactrain.config.files import load_document, located
from jactrain.config.models import Config
from jactrain.config.noting import located_at
from jactrain.config.resolved import resolved, resolved_yaml
from jactrain.errors import CheckpointError, RunError
from jactrain.files import reachable, require_unicode, write_text
from jactrain.runs.checkpoints import has_where_to_go_on, newest_whole
from jactrain.runs.configuration import configuration_of
from jactrain.runs.data_record import are_the_same_data, data_record, told_counts
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
    now,
    retries_of,
    write_meta,
)
from jactrain.training.checkpoint import Checkpoint, require_fits
from jactrain.training.state import TrainingState
from jactrain.training.trainer import is_over

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
    require_unicode(Path(folder))
    directory = RunDirectory.open(Path(folder))
    with locked(directory):
        return _resume(directory, overrides, listeners)


def _resume(directory: RunDirectory, overrides: Sequence[str], listeners: Sequence[RunListener]) -> RunResult:
    written = configuration_of(directory)
    config, document = load_document(directory.resolved_config, overrides)
    if not (written.engine.is_resumable() and config.engine.is_resumable()):
        raise RunError(
            f"{directory.path} is of several processes that train as one, whose checkpoints may be of "
            f"different steps: it cannot be resumed; train anew with {directory.repeat_command}"
        )
    found = newest_whole(directory)
    path, checkpoint, _ = found
    notes = found.notes
    meta = _meta(directory)
    if "retries" in meta:
        meta["retries"] = _retries(meta, checkpoint)
    if checkpoint is None:
        _require_restartable(directory, written)
        changes = list(differing(resolved(written), resolved(config)))
    else:
        changes = list(differing(resolved(_recorded(directory, checkpoint)), resolved(config)))
        _require_said(directory, changes, overrides, meta)
    with located(document):
        experiment = build(config, to_train=True)
        with located_at(("engine",), config.engine.kind):
            experiment.engine.join(experiment)
            engine = experiment.engine.facts(experiment)
    if experiment.mode != config.mode:  # bounded, for there is less memory now
        bounded = config.model_copy(update={"mode": experiment.mode})
        changes += differing(resolved(config), resolved(bounded))
        config = bounded
    facts = comparable_facts(
        provenance(config.seed, Path.cwd()) | {"engine": engine} | data_record(experiment)
    )
    point = Point(TrainingState.start(experiment), Lengths())
    if path is not None and checkpoint is not None:
        require_fits(path, experiment, checkpoint.state)
        notes += _differences(directory, checkpoint, facts, changes)
        lengths, missing = _lengths(directory, path, checkpoint)
        notes += missing
        point = Point.of(checkpoint, lengths, experiment, facts)
        if any(_overlap(change.key, "optimizer") for change in changes):  # by someone who knows better
            point.state.rate_factor, point.state.retries = 1.0, 0
    if point.state.epoch > config.training.epochs:
        raise RunError(
            f"{directory.path} was trained for {point.state.epoch} epochs, and training.epochs is "
            f"{config.training.epochs}: a training cannot be taken back; give it more, or start a new run"
        )
    if is_over(experiment, point.state):
        longer = "was trained to its end; --set training.epochs=… trains it for longer"
        if point.state.epoch < config.training.epochs:
            longer = "was stopped early; --set training.early_stopping=null trains it for longer"
        if overrides and changes:
            raise RunError(f"nothing would be trained with what is set: {directory.path} {longer}")
        notes.append(f"this run {longer}")
    resumed = {
        "time": now(),
        "step": point.state.step,
        "set": {change.key: change.new for change in changes},
        "notes": notes,
    }
    meta = meta | facts | {"resumed": [*meta.get("resumed", []), resumed]}
    found.put_damaged_aside()
    directory.remove_unfinished()
    if changes:
        write_meta(directory, meta, "running")  # what is recorded there is known as said, whatever happens
        write_text(directory.resolved_config, resolved_yaml(config))
    for listener in listeners:
        listener.on_folder(directory.path)
        for note in notes:
            listener.on_note(note)
    return Session(directory, experiment, meta, resolved(config), listeners).train(point)


def _retries(meta: dict[str, Any], checkpoint: Checkpoint | None) -> list[str]:
    """Return the notes of the retries that led to the checkpoint; later ones come again."""
    told = 0 if checkpoint is None else checkpoint.record.get("retries")
    return retries_of(meta)[: told if isinstance(told, int) and told >= 0 else None]


def _require_restartable(directory: RunDirectory, written: Config) -> None:
    """Raise RunError where there is no checkpoint, and training from the start would undo what is there."""
    if not has_where_to_go_on(directory, written):
        why = "has trained weights and no checkpoints"
        if written.training.checkpoints is None:
            why = "keeps no checkpoints (training.checkpoints is null)"
        raise RunError(f"{directory.path} {why}; train anew with {directory.repeat_command}")


def _recorded(directory: RunDirectory, checkpoint: Checkpoint) -> Config:
    """Return the configuration that the checkpoint was written with, new options at their defaults."""
    try:
        return Config.model_validate(checkpoint.record.get("config"), context={"folder": directory.path})
    except ValidationError:
        raise CheckpointError(
            f"the newest checkpoint of {directory.path} holds no configuration that this jactrain reads; "
            "resume it with the version that wrote it"
        ) from None


def _lengths(directory: RunDirectory, path: Path, checkpoint: Checkpoint) -> tuple[Lengths, list[str]]:
    """Return how much of both files belongs to the checkpoint, and what is to be said of missing lines."""
    try:
        told = TypeAdapter(dict[str, NonNegativeInt]).validate_python(checkpoint.record.get("lengths"))
        expected = Lengths(**told)
    except (ValidationError, TypeError):
        raise CheckpointError(
            f"{path} is damaged: the lengths of metrics and agreement are missing"
        ) from None
    there, notes = [], []
    for file, length in zip((directory.metrics, directory.agreement), expected, strict=True):
        with reachable(file):
            size = file.stat().st_size if file.exists() else 0
            if size < length:
                notes.append(f"{file} has {size} bytes, {length - size} fewer than it had: lines are missing")
            whole = file.read_bytes()[:length].rfind(b"\n") + 1 if size else 0
            if size >= length > whole:
                notes.append(f"{file} was changed: byte {length} is within a line; it is cut to whole ones")
        there.append(whole)
    return Lengths(*there), notes


class Change(NamedTuple):
    """A setting that is another: its key, its values then and now."""

    key: str
    old: Any
    new: Any

    def __str__(self) -> str:
        return (
            f"{self.key} was {_as_yaml(self.old)} when the checkpoint was written and is {_as_yaml(self.new)}"
        )


def differing(old: Any, new: Any, key: str = "") -> Iterator[Change]:
    """Yield the settings that differ, each as far out as their keys do."""
    if isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys():
        for name in old:
            yield from differing(old[name], new[name], f"{key}.{name}" if key else name)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, pair in enumerate(zip(old, new, strict=True)):
            yield from differing(*pair, f"{key}.{number}")
    elif _as_yaml(old) != _as_yaml(new):
        yield Change(key, old, new)


def _require_said(
    directory: RunDirectory, changes: Sequence[Change], overrides: Sequence[str], meta: dict[str, Any]
) -> None:
    """Raise RunError for changes that no override said, now or earlier, or that no training can make."""
    said = [override.partition("=")[0].strip() for override in overrides]
    earlier = [each["set"] for each in meta.get("resumed", [])]
    for change in changes:
        setting = shlex.quote(f"{change.key}={_as_yaml(change.new)}")
        # Another kind of optimizer: with the same one, its options differ and not the whole.
        if change.key == "optimizer" or any(_overlap(change.key, fixed) for fixed in _FIXED):
            raise RunError(
                f"{change}: a training that has begun cannot change it; start a new run with "
                f"{directory.repeat_command} --set {setting}"
            )
        known = any(change.key in each and each[change.key] == change.new for each in earlier)
        if not known and not any(_overlap(change.key, each) for each in said):
            raise RunError(
                f"{directory.resolved_config}: {change}; put it back, or say that it is to change with "
                f"--set {setting}"
            )


def _overlap(key: str, other: str) -> bool:
    return key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.")


def _as_yaml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)  # which is YAML


def _meta(directory: RunDirectory) -> dict[str, Any]:
    """Return what the run's `meta.json` says; nothing where it cannot be read."""
    meta = directory.read_meta()
    resumed = meta.get("resumed", [])
    if not isinstance(resumed, list) or not all(
        isinstance(each, dict) and isinstance(each.get("set"), dict) for each in resumed
    ):
        return {}
    return {key: value for key, value in meta.items() if key not in ("status", "ended", "exit_reason")}


def _differences(
    directory: RunDirectory, checkpoint: Checkpoint, facts: dict[str, Any], changes: Sequence[Change]
) -> list[str]:
    """Return in words what the training is gone on with that it was not begun with.

    Raises RunError for data that are others though nobody said so.
    """
    before, after = checkpoint.record.get("facts"), json.loads(json.dumps(facts))
    if not isinstance(before, dict):
        return []
    notes = []
    anew = f"start a new run with {directory.repeat_command}"
    if before.get("examples") != after["examples"]:
        raise RunError(
            f"{directory.path} was begun with {told_counts(before.get('examples'))} examples and there are "
            f"{told_counts(after['examples'])}: a training that has begun cannot change that; {anew}"
        )
    if before.get("data") != after["data"]:
        same = are_the_same_data(before, after)
        if not same and not any(_overlap(change.key, "data") for change in changes):
            raise RunError(
                f"the data of {directory.path} are others than those it was begun with; put them back, or "
                f"{anew}"
            )
        few = " in their last digits" if same else ""
        notes.append(f"the data are others{few} than those that the training was begun with")
    of_data = {name: after[name] for name in ("data", "data_sums")}
    found = [
        f"{change.key} was {_as_yaml(change.old)} and is {_as_yaml(change.new)}"
        for change in differing(before | of_data, after)
    ]
    if found:
        notes.append(f"{'; '.join(found)}: the last digits may differ from those of one training")
    return notes
