"""What a worker does with the cells that it is handed, and what it tells of them."""

import os
import sys
import threading
from concurrent.futures import BrokenExecutor
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import BASE, write_data

from jactrain.config.load import validated
from jactrain.config.models import Config
from jactrain.config.resolved import as_yaml, resolved
from jactrain.config.yaml import parse
from jactrain.errors import OtherVersionError
from jactrain.sweeps import task as tasks
from jactrain.sweeps.folder import Status
from jactrain.sweeps.parcel import unpacked
from jactrain.sweeps.task import CellTask, Task, failure, train_cells


@pytest.fixture
def cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CellTask:
    monkeypatch.setattr(sys, "argv", sys.argv)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "XLA_FLAGS"):  # which a task sets
        monkeypatch.setenv(name, os.environ.get(name, ""))
    write_data(tmp_path)
    config = validated(parse(as_yaml({"name": "one", **BASE}), "base"), Config, {"folder": tmp_path})
    return CellTask("one", resolved(config), str(tmp_path / "one"), trial=None)


def files(folder: str) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in Path(folder).rglob("*")}


def test_what_has_ended_is_not_trained_again(cell: CellTask) -> None:
    (outcome,) = train_cells(Task((cell,), 1))
    assert (outcome.name, outcome.status) == ("one", Status.FINISHED)
    before = files(cell.folder)
    assert train_cells(Task((cell,), 1)) == [outcome]
    assert files(cell.folder) == before


def test_another_version_trains_nothing(cell: CellTask) -> None:
    with pytest.raises(OtherVersionError, match=r"and this sweep was begun with 0\.0\.0; install the same"):
        train_cells(Task((cell,), 1, version="0.0.0"))
    assert not Path(cell.folder).exists()


def test_a_folder_is_brought_back_from_where_the_worker_trains(cell: CellTask, tmp_path: Path) -> None:
    (outcome,) = train_cells(Task((cell,), 1, brought_back=True, arguments=("jactrain", "sweep")))
    assert outcome.status is Status.FINISHED
    assert not Path(cell.folder).exists()
    assert outcome.parcel is not None
    unpacked(outcome.parcel, tmp_path / "back")
    assert (tmp_path / "back" / "weights.npz").is_file()


def test_a_cell_that_cannot_begin_leaves_a_folder_that_says_why(cell: CellTask) -> None:
    config: dict[str, Any] = {**cell.config, "data": {"source": {"npz": {"path": "/nowhere.npz"}}}}
    (outcome,) = train_cells(Task((cell._replace(config=config),), 1))
    assert outcome.status is Status.FAILED
    assert "nowhere.npz" in outcome.reason
    assert (Path(cell.folder) / "meta.json").is_file()


def test_a_worker_that_was_asked_to_stop_begins_nothing(
    cell: CellTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_stop", threading.Event())
    tasks.ask_to_stop()
    (outcome,) = train_cells(Task((cell,), 1))
    assert outcome.status is Status.NOT_BEGUN
    assert not Path(cell.folder).exists()


def test_a_worker_that_is_gone_is_told_by_what_its_cell_came_to(cell: CellTask) -> None:
    assert failure(cell, InterruptedError()).status is Status.NOT_BEGUN
    assert failure(cell, BrokenExecutor()).status is Status.KILLED
    assert failure(cell, ValueError("no more room")).reason == "no more room"
    assert failure(cell, ValueError()).reason == "ValueError"
    train_cells(Task((cell,), 1))
    assert failure(cell, BrokenExecutor()).status is Status.FINISHED
