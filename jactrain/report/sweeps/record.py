"""What a sweep's folder holds: its list of cells, and the run of each as far as it got."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from jactrain.config.wording import shown
from jactrain.errors import JactrainError, RunError
from jactrain.files import reachable
from jactrain.report.json_files import read_bytes, read_json, validated
from jactrain.report.record import Count, Number, Recorded
from jactrain.report.run_record import RunRecord, read_folder
from jactrain.report.texts import called, listing
from jactrain.runs.directory import CELLS_FILE, EXPERIMENT_FILE, RunDirectory
from jactrain.runs.lock import is_held

_VERSION = 1
_MOST_NAMED = 5

NOT_BEGUN = "not begun"


class CellEntry(Recorded):
    """A cell as it was planned: `settings` holds the value of each factor."""

    name: str
    seed: int
    settings: dict[str, Any]


class SearchEntry(Recorded):
    """What a search is after; each cell is a trial, in their order."""

    metric: str
    direction: Literal["minimize", "maximize"]
    trials: Count


class _Cells(Recorded):
    kind: Literal["sweep"]
    schema_version: Literal[1]
    name: str
    command: str
    factors: list[str]
    cells: list[Any]  # each is looked at by itself, so that a damaged one takes no other with it
    search: SearchEntry | None = None


@dataclass(frozen=True)
class CellRecord:
    """One cell, and its run where there is a folder that can be read.

    status: of the run, or `killed`, `damaged` or `not begun`. reason: in words, why it did not finish; empty
    where nothing is known.
    """

    entry: CellEntry
    folder: Path
    run: RunRecord | None = None
    status: str = NOT_BEGUN
    reason: str = ""

    @property
    def figures(self) -> dict[str, Number]:
        """The figures of the weights that were kept; none but of a cell that finished."""
        return self.run.figures if self.run is not None and self.status == "finished" else {}


@dataclass(frozen=True)
class SweepRecord:
    """A sweep as its folder tells it.

    faults: in words, what is damaged, but for whole cells, or does not belong there. experiment: the file
    that it was made from.
    """

    folder: Path
    name: str
    command: str
    factors: list[str]
    cells: list[CellRecord]
    search: SearchEntry | None = None
    experiment: str = ""
    faults: list[str] = field(default_factory=list)

    def with_status(self, *statuses: str) -> list[CellRecord]:
        """Return the cells that are in one of these states."""
        return [cell for cell in self.cells if cell.status in statuses]


def read_sweep(folder: Path) -> SweepRecord:
    """Return the sweep in `folder`, damaged cells as such; RunError where its list cannot be read."""
    path = folder / CELLS_FILE
    cells = _checked(path, read_json(path))
    faults: list[str] = []
    entries = _entries(cells.cells, faults)
    factors, entries = opened(cells.factors, entries)
    records = [_read_cell(folder, entry) for entry in entries]
    for cell in records:
        if cell.run is not None and cell.status == "finished":
            faults += [f"{cell.entry.name}: {fault}" for fault in cell.run.faults]
    faults += _strangers(folder, {entry.name for entry in entries})
    faults += _versions(records)
    experiment = _experiment(folder / EXPERIMENT_FILE, faults)
    return SweepRecord(folder, cells.name, cells.command, factors, records, cells.search, experiment, faults)


def _checked(path: Path, value: Any) -> _Cells:
    advice = f"give the runs in {path.parent} themselves to see them side by side"
    if not isinstance(value, dict) or value.get("kind") != "sweep":
        came = value.get("kind") if isinstance(value, dict) else value
        raise RunError(f"{path}: expected a record of kind 'sweep', not {shown(came)}; {advice}")
    version = value.get("schema_version")
    if isinstance(version, int) and version > _VERSION:
        raise RunError(
            f"{path}: this sweep has schema_version {shown(version)}, and this jactrain reads up to "
            f"{_VERSION}; update jactrain"
        )
    try:
        return validated(_Cells, value)
    except RunError as error:
        raise RunError(f"{path}: {error}; {advice}") from None


def _entries(values: list[Any], faults: list[str]) -> list[CellEntry]:
    """Return the cells that can be read, each name once; what is wrong with others becomes a fault."""
    found: dict[str, CellEntry] = {}
    wrong: list[str] = []
    for number, value in enumerate(values, 1):
        try:
            entry = validated(CellEntry, value)
        except RunError as error:
            wrong.append(f"cell {number}: {error}")
            continue
        if not _is_name(entry.name):
            wrong.append(f"cell {number}: {shown(entry.name)} is no name of a folder")
        elif entry.name in found:
            wrong.append(f"cell {number}: its name {shown(entry.name)} is that of another")
        else:
            found[entry.name] = entry
    if wrong:
        more = f" and {len(wrong) - _MOST_NAMED:,} more" if len(wrong) > _MOST_NAMED else ""
        faults.append(f"{CELLS_FILE}, without what cannot be read: {'; '.join(wrong[:_MOST_NAMED])}{more}")
    return list(found.values())


def opened(factors: list[str], entries: list[CellEntry]) -> tuple[list[str], list[CellEntry]]:
    """Return factors and cells with one component's options in its place, where its name is always the same.

    So `mode: {spsa: {directions: 8}}` beside `{spsa: {directions: 64}}` is the number `mode.spsa.directions`.
    """
    found: list[str] = []
    settings = [dict(entry.settings) for entry in entries]
    waiting = [*dict.fromkeys(factors)]
    while waiting:
        factor = waiting.pop(0)
        path, options = _options_of_one(factor, [own.get(factor) for own in settings])
        keys = [
            key for key in (options[0] if options else ()) if any(o[key] != options[0][key] for o in options)
        ]
        if not keys or any(f"{path}.{key}" in own for key in keys for own in settings):
            found.append(factor)
            continue
        for own, options_of_cell in zip(settings, options, strict=True):
            own |= {f"{path}.{key}": options_of_cell[key] for key in keys}
        waiting = [*(f"{path}.{key}" for key in keys), *waiting]
    return found, [
        entry.model_copy(update={"settings": own}) for entry, own in zip(entries, settings, strict=True)
    ]


def _options_of_one(factor: str, values: list[Any]) -> tuple[str, list[dict[str, Any]]]:
    """Return the dotted path of a component and its options in every cell.

    There are none where it is not one component with options of the same names everywhere.
    """
    options: list[dict[str, Any]] = []
    names = set()
    for value in values:
        if not isinstance(value, dict) or len(value) != 1:
            return factor, []
        ((name, own),) = value.items()
        if not isinstance(own, dict):
            return factor, []
        names.add(name)
        options.append(own)
    if len(names) != 1 or any({*own} != {*options[0]} for own in options):
        return factor, []
    return f"{factor}.{names.pop()}", options


def _is_name(name: str) -> bool:
    """Tell whether `name` can be that of a folder within another: it leads nowhere else."""
    return name not in ("", ".", "..") and not any(character in name for character in "/\\\0")


def _read_cell(base: Path, entry: CellEntry) -> CellRecord:
    folder = base / entry.name
    try:
        with reachable(folder, "read"):
            if not folder.exists():
                return CellRecord(entry, folder)
        run = read_folder(folder)
    except (JactrainError, ValueError) as error:  # a ValueError: characters that no path can have
        reason = str(error).replace(str(folder), "its folder")
        return CellRecord(entry, folder, None, "damaged", reason)
    status, reason = _status(run)
    return CellRecord(entry, folder, run, status, reason)


def _status(run: RunRecord) -> tuple[str, str]:
    status, reason = run.meta.status, run.meta.exit_reason
    where = f", {run.cut_short}" if run.cut_short else ""
    if not status:
        return "damaged", "; ".join(run.faults) or "its meta.json has no status"
    if status == "running":
        held = is_held(RunDirectory(run.folder))
        if held is False:
            return "killed", f"its process ended without a word{where}"
        unknown = "" if held else "; whether a process still trains cannot be known"
        return status, f"it goes on{where}{unknown}"
    if status == "finished" and not _has_its_figures(run):
        missing = (
            f"its metrics end{where}"
            if run.cut_short
            else "the figures of the epoch that was kept are missing"
        )
        return "damaged", "; ".join([*run.faults, missing])
    return status, "" if status == "finished" else reason or f"no reason is recorded{where}"


def _has_its_figures(run: RunRecord) -> bool:
    """Tell whether what a finished run reached is known: the figures of the epoch that was kept."""
    return run.kept is not None if run.kept_epoch is not None else bool(run.metrics) and not run.cut_short


def _strangers(folder: Path, names: set[str]) -> list[str]:
    """Return, in words, which runs lie in the folder that are no cells."""
    with reachable(folder, "read"):
        found = sorted(
            path.name
            for path in folder.iterdir()
            if path.name not in names and not path.name.startswith(".") and (path / "meta.json").is_file()
        )
    if not found:
        return []
    named = listing(map(called, found), _MOST_NAMED)
    return [f"left out, for {CELLS_FILE} does not name {'it' if len(found) == 1 else 'them'}: {named}"]


def _versions(cells: list[CellRecord]) -> list[str]:
    """Return a warning where the cells were trained by several versions of jactrain."""
    found: dict[str, int] = {}
    for cell in cells:
        versions = cell.run.environment.get("versions") if cell.run is not None else None
        version = versions.get("jactrain") if isinstance(versions, dict) else None
        if isinstance(version, str):
            found[version] = found.get(version, 0) + 1
    if len(found) < 2:
        return []
    named = listing(f"{called(version)} ({count:,})" for version, count in sorted(found.items()))
    return [f"the cells were trained by several versions of jactrain: {named}"]


def _experiment(path: Path, faults: list[str]) -> str:
    try:
        return read_bytes(path).decode("utf-8", "replace")
    except JactrainError as error:
        faults.append(str(error).replace(str(path), path.name))
        return ""
