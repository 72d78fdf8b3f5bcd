"""A checkpoint: everything that a training goes on from, in one npz file that vouches for itself.

Members::

    facts                  UTF-8 JSON, uint8: format, step, epoch, …, the generators, `record`, `digests`
    parameters             (P,)
    optimizer/<name>       what the optimizer keeps
    order                  (N,) of the epoch that has begun; left out between epochs
    best_parameters        (P,) under early stopping, once there are any
    digest                 SHA-256 of `facts`, whose `digests` are those of all other members

`record` is what the caller keeps with the state: how long its files were, its configuration, and so on.
"""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    NonNegativeFloat,
    NonNegativeInt,
    ValidationError,
)

from jactrain.arrays import Array
from jactrain.data.archive import member_names, read_arrays, without_advice
from jactrain.errors import CheckpointError, DataError, RunError
from jactrain.files import reachable, write_atomically
from jactrain.training.experiment import Experiment, Generators, generators
from jactrain.training.state import TrainingState

FORMAT = 1

_OPTIMIZER = "optimizer/"


class _PCG64(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    state: NonNegativeInt = Field(lt=2**128)
    inc: NonNegativeInt = Field(lt=2**128)


class _Generator(BaseModel):
    """What NumPy's generators give as their state."""

    model_config = ConfigDict(extra="forbid", strict=True)
    bit_generator: str = Field(pattern="^PCG64$")
    state: _PCG64
    has_uint32: int = Field(ge=0, le=1)
    uinteger: NonNegativeInt = Field(lt=2**32)


class _Facts(BaseModel):
    """The numbers of a state."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    format: int
    step: int = Field(ge=0, lt=2**63)
    epoch: int = Field(ge=0, lt=2**63)
    seconds: NonNegativeFloat
    multiply_adds: NonNegativeInt
    metrics: dict[str, float | None]
    best_epoch: int = Field(ge=0, lt=2**63)
    best_loss: float | None
    rate_factor: float = Field(gt=0, le=1)
    retries: int = Field(ge=0, lt=2**63)
    generators: dict[str, _Generator]
    record: dict[str, JsonValue]
    digests: dict[str, str]


class Checkpoint(NamedTuple):
    """A state, and what the caller keeps with it."""

    state: TrainingState
    record: dict[str, Any]


def save(path: Path, state: TrainingState, record: dict[str, Any]) -> None:
    """Write `state` and a `record` of plain values to `path`, atomically.

    Raises UsageError where it cannot be written; `path` is then what it was before.
    """
    arrays = _arrays(state)
    facts = {
        "format": FORMAT,
        "step": state.step,
        "epoch": state.epoch,
        "seconds": state.seconds,
        "multiply_adds": state.multiply_adds,
        "metrics": {name: value if _is_number(value) else None for name, value in state.metrics.items()},
        "best_epoch": state.best_epoch,
        "best_loss": state.best_loss if math.isfinite(state.best_loss) else None,
        "rate_factor": state.rate_factor,
        "retries": state.retries,
        "generators": {
            name: generator.bit_generator.state for name, generator in state.random._asdict().items()
        },
        "record": record,
        "digests": {name: _digest(array) for name, array in arrays.items()},
    }
    told = np.frombuffer(json.dumps(facts, allow_nan=False).encode(), np.uint8)
    members = {**arrays, "facts": told, "digest": np.frombuffer(_sha256(told).digest(), np.uint8)}
    write_atomically(path, lambda file: np.savez(file, **members))


def load(path: Path) -> Checkpoint:
    """Return what `save` wrote.

    Raises CheckpointError, which names file and member, where that is damaged; RunError for a checkpoint of
    another format, UsageError for a file that cannot be reached.
    """
    with reachable(path), path.open("rb"):
        # What was written is not compressed: it takes no more than the file, eight times that as float64.
        limit = 8 * path.stat().st_size
    try:
        names = set(member_names(path, limit))
        told, digest = read_arrays(path, ["facts", "digest"], limit=limit).values()
        if told.dtype != np.uint8 or _sha256(told).digest() != digest.tobytes():
            raise CheckpointError(f"{path} is damaged: facts are not what was written")
        facts = _facts(path, told.tobytes())
        arrays = read_arrays(path, facts.digests, limit=limit)
        if extra := names - {*facts.digests, "facts", "digest"}:
            raise CheckpointError(f"{path} is damaged: {min(extra)} was not written")
    except DataError as error:
        what = without_advice(path, error).removeprefix(f"{path}: ")
        raise CheckpointError(f"{path} is damaged: {what}") from None
    for name, array in arrays.items():
        if array.dtype.kind not in "fiu" or _digest(array) != facts.digests[name]:
            raise CheckpointError(f"{path} is damaged: {name} is not what was written")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise CheckpointError(f"{path} is damaged: {name} is not finite")
    if "parameters" not in arrays:
        raise CheckpointError(f"{path} is damaged: there are no parameters")
    return Checkpoint(_state(path, facts, arrays), facts.record)


def require_fits(path: Path, experiment: Experiment, state: TrainingState) -> None:
    """Raise CheckpointError unless `state` is one that a training of `experiment` can go on from."""
    start = TrainingState.start(experiment)
    count = len(experiment.training.x)
    expected = {"parameters": start.parameters} | {
        f"{_OPTIMIZER}{name}": array for name, array in start.optimizer.items()
    }
    if state.best_parameters is not None:
        expected["best_parameters"] = start.parameters
    if state.order is not None:
        expected["order"] = np.arange(count)
    came = _arrays(state)
    if set(came) != set(expected):
        raise CheckpointError(
            f"{path} has {', '.join(sorted(came))}, but this training goes on from "
            f"{', '.join(sorted(expected))}; give the settings that it was written with"
        )
    for name, array in came.items():
        wanted = expected[name]
        if array.shape != wanted.shape or array.dtype != wanted.dtype:
            raise CheckpointError(
                f"{path}: {name} is {array.dtype} of shape {array.shape}, but this training takes "
                f"{wanted.dtype} of {wanted.shape}; give the settings that it was written with"
            )
    if state.order is not None and not np.array_equal(np.sort(state.order), np.arange(count)):
        raise CheckpointError(f"{path}: order does not have each of the {count} examples once")


def _arrays(state: TrainingState) -> dict[str, Array]:
    arrays = {"parameters": state.parameters}
    arrays |= {f"{_OPTIMIZER}{name}": array for name, array in state.optimizer.items()}
    if state.order is not None:
        arrays["order"] = state.order
    if state.best_parameters is not None:
        arrays["best_parameters"] = state.best_parameters
    return arrays


def _facts(path: Path, told: bytes) -> _Facts:
    try:
        plain = json.loads(told)
        if isinstance(plain, dict) and plain.get("format") != FORMAT:
            raise RunError(
                f"{path} has format {plain.get('format')}, and this jactrain reads {FORMAT}; resume it with "
                "the version that wrote it"
            )
        return _Facts.model_validate(plain)
    except (ValueError, RecursionError) as error:  # ValidationError is a ValueError
        place = ".".join(map(str, error.errors()[0]["loc"])) if isinstance(error, ValidationError) else "JSON"
        raise CheckpointError(f"{path} is damaged: {place} of facts is not what a checkpoint has") from None


def _state(path: Path, facts: _Facts, arrays: dict[str, Array]) -> TrainingState:
    random = generators(0)
    if set(facts.generators) != set(Generators._fields):
        raise CheckpointError(f"{path} is damaged: generators of facts are not those of a training")
    for name, told in facts.generators.items():
        getattr(random, name).bit_generator.state = told.model_dump()
    kept = {"facts", "parameters", "order", "best_parameters"}
    return TrainingState(
        parameters=arrays["parameters"],
        optimizer={
            name.removeprefix(_OPTIMIZER): array for name, array in arrays.items() if name not in kept
        },
        random=random,
        step=facts.step,
        epoch=facts.epoch,
        seconds=facts.seconds,
        multiply_adds=facts.multiply_adds,
        metrics=facts.metrics,
        best_parameters=arrays.get("best_parameters"),
        best_epoch=facts.best_epoch,
        best_loss=math.inf if facts.best_loss is None else facts.best_loss,
        order=arrays.get("order"),
        rate_factor=facts.rate_factor,
        retries=facts.retries,
    )


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _digest(array: Array) -> str:
    """Return the SHA-256 of an array: its dtype and shape, and its bytes."""
    return _sha256(array, f"{array.dtype.str} {array.shape} ".encode()).hexdigest()


def _sha256(array: Array, prefix: bytes = b"") -> hashlib._Hash:
    digest = hashlib.sha256(prefix)
    digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest
