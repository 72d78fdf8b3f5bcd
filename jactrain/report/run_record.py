"""What a run's folder holds, read with patience: whatever is damaged is named, and the rest is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from jactrain.config.yaml import escaped, parse
from jactrain.errors import ConfigurationError, JactrainError, RunError
from jactrain.files import reachable
from jactrain.report.page import flattened
from jactrain.report.record import Count, Judged, Number, Recorded, parse_json, read_json, validated
from jactrain.runs.directory import RunDirectory

_FOLDER = re.compile(r"\d{8}T\d{6}Z-(.+)")
_KEPT = re.compile(r"the weights are those of epoch (\d+)")
_MOST_FAULTS = 3
_MAXIMUM_BYTES = 256 * 2**20
_ENDINGS = ("finished", "diverged", "interrupted", "failed")

Line = TypeVar("Line")


class MeasurementRecord(Judged):
    """A line of `agreement.jsonl`: one mode compared with the reference at a step."""

    step: Count
    mode: str
    reference: str = ""
    examples: Count | None = None
    blocks: dict[str, Judged] = Field(default_factory=dict)


class MetaRecord(Recorded):
    """What is needed of `meta.json`; all of it is shown."""

    name: str = ""
    started: str = ""
    ended: str = ""
    status: str = ""
    exit_reason: str = ""
    examples: dict[str, Count] = Field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One run as its folder tells it. `faults` says in words what is damaged or missing."""

    folder: Path
    meta: MetaRecord
    environment: dict[str, Any]
    configuration: str
    settings: dict[str, str]
    metrics: list[dict[str, Number]]
    agreement: list[MeasurementRecord]
    faults: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        """The folder's name without its time, which is short and yet the run's own."""
        name = self.folder.name or self.folder.resolve().name
        match = _FOLDER.fullmatch(name)
        return match[1] if match else name

    @property
    def kept(self) -> dict[str, Number]:
        """The figures of the epoch whose weights were kept: the last, or under early stopping the best."""
        match = _KEPT.search(self.meta.exit_reason)
        epoch = int(match[1]) if match else None
        return next((line for line in self.metrics if line.get("epoch") == epoch), self.metrics[-1])


def read_run(folder: Path) -> RunRecord:
    """Return the run in `folder`; RunError, with the reason, where nothing of it can be shown."""
    directory = RunDirectory(folder)
    with reachable(folder, "read"):
        if not folder.exists():
            raise RunError(f"there is no folder {folder}; give one that `jactrain run` printed")
        if not folder.is_dir():
            raise RunError(f"{folder} is a file; give a run's folder, or the comparison.json of a comparison")
        known = (directory.resolved_config, directory.meta, directory.metrics)
        if not any(file.is_file() for file in known):
            names = ", ".join(file.name for file in known)
            raise RunError(f"{folder} is no run's folder: it has none of {names}")
    faults: list[str] = []
    meta, environment = _meta(directory, faults)
    configuration, settings = _configuration(directory, faults)
    metrics = _lines(directory.metrics, _metrics_line, faults)
    agreement = _lines(directory.agreement, lambda value: validated(MeasurementRecord, value), faults)
    if not metrics and not agreement:
        why = "; ".join(faults) or "it has no epoch and no comparison of modes yet"
        raise RunError(f"{folder} has nothing to show: {why}")
    if not metrics:
        faults.append(f"{directory.metrics.name} has no finished epoch")
    if meta.status == "running" or (environment and meta.status not in _ENDINGS):
        faults.append("meta.json has no end: the run still goes on, or it was cut off")
    return RunRecord(folder, meta, environment, configuration, settings, metrics, agreement, faults)


def _meta(directory: RunDirectory, faults: list[str]) -> tuple[MetaRecord, dict[str, Any]]:
    try:
        value = read_json(directory.meta)
        record = validated(MetaRecord, value)
    except JactrainError as error:
        faults.append(_fault(directory.meta, error))
        return MetaRecord(), {}
    return record, dict(value)


def _configuration(directory: RunDirectory, faults: list[str]) -> tuple[str, dict[str, str]]:
    path = directory.resolved_config
    try:
        data = _bytes(path)
        value = parse(data, path.name).value
    except ConfigurationError as error:
        faults.append(f"{path.name} cannot be read: {str(error).splitlines()[0]}")
        return data.decode("utf-8", "replace"), {}
    except JactrainError as error:
        faults.append(_fault(path, error))
        return "", {}
    return data.decode("utf-8"), dict(flattened(value)) if isinstance(value, dict) else {}


def _lines(path: Path, read: Callable[[Any], Line], faults: list[str]) -> list[Line]:
    """Return what `read` makes of each line of JSON; lines that cannot be read become faults."""
    try:
        lines = _bytes(path).split(b"\n")
    except JactrainError as error:
        faults.append(_fault(path, error))
        return []
    found, bad = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(read(parse_json(line, f"line {number}")))
        except RunError as error:
            last = number == len(lines)  # each whole line ends with a line feed
            bad.append(f"line {number}, the last, is cut off" if last else f"line {number}: {error}")
    if bad:
        more = f" and {len(bad) - _MOST_FAULTS} more" if len(bad) > _MOST_FAULTS else ""
        faults.append(f"{path.name}, without what cannot be read: {'; '.join(bad[:_MOST_FAULTS])}{more}")
    return found


_NUMBERS: TypeAdapter[dict[str, Number]] = TypeAdapter(dict[str, Number], config={"allow_inf_nan": False})


def _metrics_line(value: Any) -> dict[str, Number]:
    try:
        line = _NUMBERS.validate_python(value, strict=True)
    except ValidationError:
        raise RunError("expected an object of numbers") from None
    if line.get("step") is None:
        raise RunError("it has no step")
    return line


def _bytes(path: Path) -> bytes:
    with reachable(path, "read"):
        if not path.is_file():
            raise RunError(f"there is no {path.name}")
        if path.stat().st_size > _MAXIMUM_BYTES:
            raise RunError(f"{path.name} has more than {_MAXIMUM_BYTES:,} bytes")
        return path.read_bytes()


def _fault(path: Path, error: JactrainError) -> str:
    """Return the message of `error` with the file's name in place of its whole path."""
    text = escaped(str(error).replace(str(path), path.name))
    return text if path.name in text else f"{path.name}: {text}"
