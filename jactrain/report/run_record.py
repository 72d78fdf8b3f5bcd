"""What a run's folder holds, read with patience: whatever is damaged is named, and the rest is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from jactrain.config.wording import escaped
from jactrain.config.yaml import parse
from jactrain.errors import ConfigurationError, JactrainError, RunError
from jactrain.files import reachable
from jactrain.report.json_files import parse_json, read_bytes, read_json, validated
from jactrain.report.page import flattened
from jactrain.report.record import Count, Entry, Judged, Number, Recorded
from jactrain.report.texts import listing
from jactrain.runs.directory import CELLS_FILE, RunDirectory

_FOLDER = re.compile(r"\d{8}T\d{6}Z-(.+)-([0-9a-f]{4})")
_MOST_FAULTS = 3
_ENDINGS = ("finished", "diverged", "interrupted", "failed", "pruned")
_REQUIRED = ("data", "network", "loss", "optimizer", "training")  # of a configuration

Line = TypeVar("Line")


class MeasuredBlock(Judged):
    """One parameter of a line of `agreement.jsonl`, where runs made earlier lack some figures."""

    relative_error: Number = None
    cosine: Number = None
    norm_ratio: Number = None
    allowed: Number = None
    verdict: str | None = None
    kinked: Count = 0
    worst: Entry | None = None


class MeasurementRecord(MeasuredBlock):
    """A line of `agreement.jsonl`: one mode compared with the reference at a step."""

    step: Count
    mode: str
    reference: str = ""
    examples: Count | None = None
    reason: str = ""
    blocks: dict[str, MeasuredBlock] = Field(default_factory=dict)


class MetaRecord(Recorded):
    """What is needed of `meta.json`; all of it is shown."""

    name: str = ""
    kept_epoch: Count | None = None
    epochs: Count | None = None
    steps: Count | None = None
    started: str = ""
    ended: str = ""
    status: str = ""
    exit_reason: str = ""
    examples: dict[str, Count] = Field(default_factory=dict)


@dataclass(frozen=True)
class RunRecord:
    """One run as its folder tells it.

    label: what it is called, among others so that it is told apart. configuration: its text, and configured,
    its value, empty where it is damaged. faults: in words, what is damaged or missing.
    """

    folder: Path
    label: str
    meta: MetaRecord
    environment: dict[str, Any]
    configuration: str
    configured: dict[str, Any]
    metrics: list[dict[str, Number]]
    agreement: list[MeasurementRecord]
    faults: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The folder's name without its time and digits, which other runs may have as well."""
        match = _FOLDER.fullmatch(_folder_name(self.folder))
        return match[1] if match else self.label

    @property
    def settings(self) -> dict[str, str]:
        """The settings by dotted path; none where the configuration is damaged."""
        return dict(flattened(self.configured)) if self.configured else {}

    @property
    def kept_epoch(self) -> int | None:
        """The epoch whose weights were kept: the last, or under early stopping the best; None if unknown."""
        return self.meta.kept_epoch

    @property
    def kept(self) -> dict[str, Number] | None:
        """The figures of the epoch whose weights were kept; None where they are not known."""
        epoch = self.kept_epoch
        return next((line for line in self.metrics if epoch is not None and line.get("epoch") == epoch), None)

    @property
    def figures(self) -> dict[str, Number]:
        """The figures that speak for the run: `kept`, or else those of the last epoch recorded."""
        return self.kept or (self.metrics[-1] if self.metrics else {})

    @property
    def cut_short(self) -> str:
        """In words, where the metrics end before the training did or was to; else empty."""
        if not self.metrics:
            return ""
        last, steps = self._last("epoch"), self._last("step") or 0
        planned = self.settings.get("training.epochs", "")
        whole = self.meta.epochs
        if whole is None and planned.isdecimal():  # nothing is told of a training that did not end
            whole = int(planned)
        if last is not None and whole is not None and whole > last:
            return f"after epoch {last:,} of {whole:,}"
        if self.meta.epochs == last and self.meta.steps is not None and self.meta.status == "finished":
            return f"after step {steps:,} of {self.meta.steps:,}" if self.meta.steps > steps else ""
        return ""

    def _last(self, name: str) -> int | None:
        value = self.metrics[-1].get(name) if self.metrics else None
        return None if value is None else int(value)


def _folder_name(folder: Path) -> str:
    return folder.name or folder.resolve().name


def read_run(folder: Path) -> RunRecord:
    """Return the run in `folder`; RunError, with the reason, where nothing of it can be shown."""
    run = read_folder(folder)
    directory = RunDirectory(folder)
    if not run.metrics and not run.agreement:
        why = "; ".join(run.faults) or "it has no epoch and no comparison of modes yet"
        raise RunError(f"{folder} has nothing to show: {why}")
    faults = [*run.faults]
    if not run.metrics:
        faults.append(f"{directory.metrics.name} has no finished epoch")
    if (
        run.configured.get("agreement")
        and not run.agreement
        and not any(directory.agreement.name in fault for fault in faults)
    ):
        faults.append(f"{directory.agreement.name} is empty, though the configuration asks for agreement")
    if run.meta.status == "running" or (run.environment and run.meta.status not in _ENDINGS):
        faults.append("meta.json has no end: the run still goes on, or it was cut off")
    if run.cut_short:
        faults.append(f"{directory.metrics.name} ends {run.cut_short}")
    return replace(run, faults=faults)


def read_folder(folder: Path) -> RunRecord:
    """Return what is in `folder`, be it little, with what cannot be read as faults.

    RunError where it is not the folder of a run.
    """
    directory = RunDirectory(folder)
    with reachable(folder, "read"):
        _require_run(folder, directory)
    faults: list[str] = []
    meta, environment = _meta(directory, faults)
    configuration, configured = _configuration(directory, faults)
    metrics = _lines(directory.metrics, _metrics_line, faults)
    agreement = _lines(directory.agreement, lambda value: validated(MeasurementRecord, value), faults)
    match = _FOLDER.fullmatch(_folder_name(folder))
    label = f"{match[1]}-{match[2]}" if match else _folder_name(folder)
    return RunRecord(folder, label, meta, environment, configuration, configured, metrics, agreement, faults)


def _require_run(folder: Path, directory: RunDirectory) -> None:
    """Raise RunError, which says what `folder` is, where it is not that of a run."""
    if not folder.exists():
        raise RunError(
            f"there is no folder {folder}; give one that `jactrain run` or `jactrain compare` printed"
        )
    if folder.name == "comparison.json" or (folder / "comparison.json").is_file():
        raise RunError(f"{folder} is a comparison, which has a page of its own; give it alone")
    if folder.name == CELLS_FILE or (folder / CELLS_FILE).is_file():
        raise RunError(f"{folder} is a sweep, which has a page of its own; give it alone")
    if folder.suffix in (".yaml", ".yml") and folder.is_file():
        raise RunError(f"{folder} is a configuration; run it first: jactrain run {folder}")
    if not folder.is_dir():
        raise RunError(f"{folder} is a file; give a run's folder, or the comparison.json of a comparison")
    known = (directory.resolved_config, directory.meta, directory.metrics)
    if not any(file.is_file() for file in known):
        names = ", ".join(file.name for file in known)
        raise RunError(
            f"{folder} is no folder of a run or a comparison: it has none of {names}, nor comparison.json"
        )


def _meta(directory: RunDirectory, faults: list[str]) -> tuple[MetaRecord, dict[str, Any]]:
    try:
        value = read_json(directory.meta)
        record = validated(MetaRecord, value)
    except JactrainError as error:
        faults.append(_fault(directory.meta, error))
        return MetaRecord(), {}
    return record, dict(value)


def _configuration(directory: RunDirectory, faults: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the configuration's text, and its value: empty where it is damaged."""
    path = directory.resolved_config
    try:
        data = read_bytes(path)
    except JactrainError as error:
        faults.append(_fault(path, error))
        return "", {}
    text = data.decode("utf-8", "replace")
    try:
        value = parse(data, path.name).value
    except ConfigurationError as error:
        faults.append(str(error).splitlines()[0])
        return text, {}
    missing = [key for key in _REQUIRED if key not in value] if isinstance(value, dict) else [*_REQUIRED]
    if missing:
        faults.append(f"{path.name} lacks {listing(missing)}; it may have been cut off or edited")
        return text, {}
    return text, dict(value)


def _lines(path: Path, read: Callable[[Any], Line], faults: list[str]) -> list[Line]:
    """Return what `read` makes of each line of JSON; lines that cannot be read become faults."""
    try:
        lines = read_bytes(path).split(b"\n")
    except JactrainError as error:
        faults.append(_fault(path, error))
        return []
    found, bad = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(read(parse_json(line)))
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


def _fault(path: Path, error: JactrainError) -> str:
    """Return the message of `error` with the file's name in place of its whole path."""
    text = escaped(str(error).replace(str(path), path.name))
    return text if path.name in text else f"{path.name}: {text}"
