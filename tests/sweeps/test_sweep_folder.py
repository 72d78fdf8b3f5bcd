"""The folder of a sweep: what became of its cells, and files that have changed since."""

import csv
import json
import os
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sweeps import (
    BASE,
    RATE,
    ThisProcess,
    cells_of,
    contents,
    hashes,
    lines,
    meta,
    statuses,
    trained,
    with_training,
    written,
)

from jactrain.errors import BusyError, OtherVersionError, RunError, UsageError
from jactrain.runs.directory import RunDirectory
from jactrain.runs.lock import locked
from jactrain.sweeps import folder as sweeps_folder
from jactrain.sweeps.folder import Status, set_aside, standing
from jactrain.sweeps.manner import Manner
from jactrain.sweeps.reading import read_sweep
from jactrain.sweeps.sweep import SweepListener, train_sweep
from jactrain.sweeps.task import Outcome, Task, train_cells
from jactrain.sweeps.workers import Workers

UPDATE, RETRY = Manner(update=True), Manner(retry=True)


def with_status(folder: Path, **facts: Any) -> RunDirectory:
    folder.mkdir(exist_ok=True)
    (folder / "meta.json").write_text(json.dumps(facts))
    return RunDirectory(folder)


def change(folder: Path, **facts: Any) -> None:
    """Make a run what it would be if it had ended otherwise."""
    (folder / "meta.json").write_text(json.dumps(meta(folder) | facts))


def test_a_run_says_what_became_of_its_cell(tmp_path: Path) -> None:
    assert standing(RunDirectory(tmp_path / "nowhere")) == (Status.NOT_BEGUN, "")
    for status in ("finished", "diverged", "failed", "interrupted", "pruned"):
        found = standing(with_status(tmp_path / "run", status=status, exit_reason="why"))
        assert (found.status.value, found.reason) == (status, "why")


def test_running_means_killed_unless_somebody_holds_the_lock(tmp_path: Path) -> None:
    run = with_status(tmp_path / "run", status="running")
    assert standing(run).status is Status.KILLED
    with locked(run):
        assert standing(run).status is Status.TRAINED_NOW
    assert standing(run).status is Status.KILLED


def test_where_the_lock_cannot_be_asked_that_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps_folder, "is_held", lambda directory: None)
    found = standing(with_status(tmp_path / "run", status="running"))
    assert found == (Status.KILLED, "whether a process still trains it cannot be known")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"status": 3}', '{"status": []}', '{"status": "dancing"}', "{}", "[" * 9999],
)
def test_a_damaged_record_is_a_failure(text: str, tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text(text)
    assert standing(RunDirectory(tmp_path)).status is Status.FAILED


def test_a_file_in_place_of_a_run_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    assert standing(RunDirectory(tmp_path / "run")).status is Status.FAILED


def test_what_is_set_aside_is_kept_under_a_name_of_its_own(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        run = with_status(tmp_path / "run", status="diverged", number=number)
        assert set_aside(run) == tmp_path / f".run.aside-{number}"
        assert not run.path.exists()
    assert [meta(tmp_path / f".run.aside-{number}")["number"] for number in (1, 2, 3)] == [1, 2, 3]


def test_everything_finishes_and_nothing_is_trained_again(tmp_path: Path) -> None:
    path, runs = written(tmp_path, grid={"mode": ["reverse", "forward"]}, seeds=2), tmp_path / "runs" / "e"
    first = trained(path)
    assert first.is_complete
    assert set(statuses(first).values()) == {"finished"}
    assert len(first.outcomes) == 4
    before = contents(runs)
    second = trained(path)
    assert second.is_complete
    assert second.outcomes == []
    ours = ("cells.json", "experiment.yaml", "results.csv")
    after = contents(runs)
    assert {name: each for name, each in before.items() if name not in ours} == {
        name: each for name, each in after.items() if name not in ours
    }
    assert all(before[name][1] == after[name][1] for name in ours)


def test_the_record_says_what_there_is(tmp_path: Path) -> None:
    path = written(tmp_path, grid={"mode": ["reverse", {"random_forward": {"directions": 2}}], RATE: [0.1]})
    trained(path)
    record = json.loads((tmp_path / "runs/e/cells.json").read_text())
    assert (record["schema_version"], record["kind"], record["name"]) == (1, "sweep", "e")
    assert record["command"] == f"jactrain sweep {path} --runs {tmp_path / 'runs'}"
    assert record["factors"] == ["mode", RATE]
    assert [(cell["name"], cell["seed"], cell["settings"]) for cell in record["cells"]] == [
        ("reverse-learning_rate-0.1-seed-0", 0, {"mode": "reverse", RATE: 0.1}),
        (
            "random_forward-directions-2-learning_rate-0.1-seed-0",
            0,
            {"mode": {"random_forward": {"directions": 2}}, RATE: 0.1},
        ),
    ]
    assert (tmp_path / "runs/e/experiment.yaml").read_bytes() == path.read_bytes()


def test_a_diverged_cell_is_repeated_only_if_asked_to(tmp_path: Path) -> None:
    path, runs = written(tmp_path, grid={RATE: [0.1, 1e30]}), tmp_path / "runs" / "e"
    first = trained(path)
    name = "learning_rate-1e30-seed-0"
    assert statuses(first) == {"learning_rate-0.1-seed-0": "finished", name: "diverged"}
    assert not first.is_complete
    (row,) = [row for row in first.rows if row["status"] == "diverged"]
    assert "training diverged in epoch 1, after 1 step in all: the loss is inf" in row["reason"]
    assert trained(path).outcomes == []
    good = contents(runs / "learning_rate-0.1-seed-0")
    again = trained(path, manner=RETRY)
    assert [outcome.name for outcome in again.outcomes] == [name]
    assert meta(runs / f".{name}.aside-1")["status"] == meta(runs / name)["status"] == "diverged"
    assert contents(runs / "learning_rate-0.1-seed-0") == good


def test_a_cell_that_cannot_begin_is_told_with_its_reason(tmp_path: Path) -> None:

    path = written(tmp_path, seeds=2)
    read = read_sweep(path)
    (tmp_path / "data.npz").write_bytes(b"no archive")  # after it was looked at
    failed = train_sweep(read, tmp_path / "runs", ThisProcess)
    assert set(statuses(failed).values()) == {"failed"}
    assert "data.npz" in failed.rows[0]["reason"]
    assert (tmp_path / "runs/e/e-seed-0/config.resolved.yaml").exists()
    written(tmp_path, seeds=2)
    assert trained(path).outcomes == []
    assert set(statuses(trained(path, manner=RETRY)).values()) == {"finished"}


def test_a_damaged_cell_is_repeated_only_if_asked_to(tmp_path: Path) -> None:
    path, runs = written(tmp_path, seeds=2), tmp_path / "runs" / "e"
    trained(path)
    weights = hashes(runs)
    (runs / "e-seed-1" / "meta.json").write_text("{")
    found = trained(path)
    assert statuses(found) == {"e-seed-0": "finished", "e-seed-1": "failed"}
    assert "meta.json cannot be read" in found.rows[1]["reason"]
    assert trained(path, manner=RETRY).is_complete
    assert hashes(runs) == weights


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_a_cell_that_was_stopped_goes_on_from_its_checkpoint(status: str, tmp_path: Path) -> None:
    path, runs = written(tmp_path, base=with_training(epochs=5)), tmp_path / "runs" / "e"
    trained(path)
    weights, metrics = hashes(runs), lines(runs / "e-seed-0" / "metrics.jsonl")
    run = runs / "e-seed-0"
    checkpoints = sorted((run / "checkpoints").iterdir())
    checkpoints[-1].unlink()
    change(run, status=status)
    result = trained(path)
    assert [outcome.status for outcome in result.outcomes] == [Status.FINISHED]
    assert meta(run)["resumed"][0]["step"] > 0
    assert hashes(runs) == weights
    assert [{**line, "seconds": 0} for line in lines(run / "metrics.jsonl")] == [
        {**line, "seconds": 0} for line in metrics
    ]


@pytest.mark.parametrize("status", ["running", "interrupted"])
def test_a_stopped_cell_without_checkpoints_is_trained_anew(status: str, tmp_path: Path) -> None:
    path, runs = written(tmp_path, base=with_training(checkpoints=None)), tmp_path / "runs" / "e"
    trained(path)
    weights = hashes(runs)
    change(runs / "e-seed-0", status=status)
    result = trained(path)
    assert [outcome.status for outcome in result.outcomes] == [Status.FINISHED]
    assert hashes(runs) == weights
    assert (runs / ".e-seed-0.aside-1").is_dir()


@pytest.mark.parametrize("damage", ["config.resolved.yaml", "checkpoints"])
def test_a_stopped_cell_that_is_damaged_is_trained_anew(damage: str, tmp_path: Path) -> None:
    path, run = written(tmp_path), tmp_path / "runs" / "e" / "e-seed-0"
    trained(path)
    weights = hashes(run.parent)
    change(run, status="running")
    files = [run / damage] if damage.endswith("yaml") else list((run / damage).iterdir())
    for file in files:
        file.write_bytes(b"}" * 100)
    assert trained(path).is_complete
    assert hashes(run.parent) == weights
    assert (run.parent / ".e-seed-0.aside-1").is_dir()


def test_a_stopped_cell_whose_data_are_others_says_so_and_is_kept(tmp_path: Path) -> None:
    path, run = written(tmp_path), tmp_path / "runs" / "e" / "e-seed-0"
    trained(path)
    sorted((run / "checkpoints").iterdir())[-1].unlink()
    change(run, status="running")
    with np.load(tmp_path / "data.npz") as file:
        np.savez(tmp_path / "data.npz", x=file["x"] * 2, y=file["y"])
    (outcome,) = trained(path).outcomes
    assert outcome.status is Status.KILLED
    assert "the data of" in outcome.reason
    assert not (run.parent / ".e-seed-0.aside-1").exists()
    written(tmp_path)
    assert trained(path).is_complete


def test_a_changed_file_is_told_with_the_two_ways_on(tmp_path: Path) -> None:
    path, runs = written(tmp_path, grid={RATE: [0.1, 0.2, 0.3]}), tmp_path / "runs" / "e"
    trained(path)
    before = contents(runs)
    written(tmp_path, base=with_training(epochs=4), grid={RATE: [0.1, 0.2, 0.4]})
    with pytest.raises(UsageError) as refused:
        trained(path)
    said = str(refused.value)
    assert f"{path}, or its base, has changed since {runs} was made from it" in said
    assert "1 cell is new: learning_rate-0.4-seed-0" in said
    assert "1 cell is no longer there: learning_rate-0.3-seed-0" in said
    assert "learning_rate-0.1-seed-0 and 1 more: training.epochs was 3, is 4" in said
    assert "give the file another name" in said
    assert "--update" in said
    assert contents(runs) == before


def test_update_keeps_what_is_the_same_and_sets_aside_what_is_not(tmp_path: Path) -> None:
    path, runs = written(tmp_path, grid={RATE: [0.1, 0.2]}), tmp_path / "runs" / "e"
    trained(path)
    kept = contents(runs / "learning_rate-0.1-seed-0")
    written(tmp_path, grid={RATE: [0.1, 0.3]})
    result = trained(path, manner=UPDATE)
    assert [outcome.name for outcome in result.outcomes] == ["learning_rate-0.3-seed-0"]
    assert contents(runs / "learning_rate-0.1-seed-0") == kept
    assert (runs / "learning_rate-0.2-seed-0").is_dir()  # which the file has no more
    written(tmp_path, base=with_training(epochs=4), grid={RATE: [0.1]})
    assert [outcome.name for outcome in trained(path, manner=UPDATE).outcomes] == ["learning_rate-0.1-seed-0"]
    assert contents(runs / ".learning_rate-0.1-seed-0.aside-1") == kept
    assert meta(runs / "learning_rate-0.1-seed-0")["epochs"] == 4
    assert trained(path).outcomes == []


def test_a_cell_that_comes_back_with_other_settings_is_not_taken_for_what_it_was(tmp_path: Path) -> None:
    path, runs = written(tmp_path, grid={RATE: [0.1, 0.2]}), tmp_path / "runs" / "e"
    trained(path)
    written(tmp_path, grid={RATE: [0.1]})
    trained(path, manner=UPDATE)
    written(tmp_path, base=with_training(epochs=5), grid={RATE: [0.2]})
    trained(path, manner=UPDATE)
    assert meta(runs / "learning_rate-0.2-seed-0")["epochs"] == 5


def test_without_its_record_a_folder_is_looked_at_anew(tmp_path: Path) -> None:
    path, runs = written(tmp_path, grid={RATE: [0.1, 0.2]}), tmp_path / "runs" / "e"
    trained(path)
    for damage in ("{", "[]", '{"cells": [{}]}'):
        (runs / "cells.json").write_text(damage)
        with pytest.raises(RunError, match="is damaged; remove it"):
            trained(path)
    (runs / "cells.json").unlink()
    assert trained(path).outcomes == []
    (runs / "cells.json").unlink()
    written(tmp_path, base=with_training(epochs=4), grid={RATE: [0.1, 0.2]})
    with pytest.raises(UsageError, match=r"training\.epochs was 3, is 4"):
        trained(path)


def test_comments_and_order_do_not_change_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, grid={RATE: [0.1, 0.2]})
    trained(path)
    path.write_text("# a comment\n" + path.read_text())
    assert trained(path).outcomes == []
    written(tmp_path, grid={RATE: [0.2, 0.1]})
    assert trained(path).outcomes == []


def test_one_sweep_at_a_time_trains_in_a_folder(tmp_path: Path) -> None:
    path = written(tmp_path)
    (tmp_path / "runs" / "e").mkdir(parents=True)
    with (
        locked(RunDirectory(tmp_path / "runs" / "e")),
        pytest.raises(BusyError, match="is training the cells of"),
    ):
        trained(path)
    assert trained(path).is_complete


def test_a_cell_that_somebody_trains_is_left_to_them(tmp_path: Path) -> None:
    path, run = written(tmp_path, seeds=2), tmp_path / "runs" / "e" / "e-seed-0"
    trained(path)
    change(run, status="running")
    with locked(RunDirectory(run)):
        result = trained(path)
    assert result.outcomes == []
    assert statuses(result) == {"e-seed-0": "being trained", "e-seed-1": "finished"}
    assert not result.is_complete


def test_results_are_what_the_runs_recorded(tmp_path: Path) -> None:
    base = BASE | {"agreement": {"modes": ["forward"], "every": 3, "examples": 8}}
    path = written(
        tmp_path,
        base=base,
        grid={"mode": ["reverse", {"random_forward": {"directions": 2}}], RATE: [0.1, 1e30]},
    )
    result = trained(path)
    with (tmp_path / "runs/e/results.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == [row["name"] for row in result.rows]
    assert list(table[0])[:6] == ["name", "seed", "mode", RATE, "status", "reason"]
    assert table[2]["mode"] == "{random_forward: {directions: 2}}"
    for row, cell in zip(table, result.rows, strict=True):
        assert row["status"] == ("finished" if cell[RATE] == 0.1 else "diverged")
        epochs = lines(tmp_path / "runs/e" / row["name"] / "metrics.jsonl")
        if not epochs:
            assert row["final_train_loss"] == row["epoch"] == ""
            continue
        best = min(epochs, key=lambda line: line["validation_loss"])
        for name in ("train_loss", "validation_loss", "train_rmse", "validation_r2"):
            assert float(row[f"final_{name}"]) == epochs[-1][name]
            assert float(row[f"best_{name}"]) == best[name]
        assert int(row["best_epoch"]) == best["epoch"]
        assert int(row["multiply_adds"]) == epochs[-1]["multiply_adds"]
        assert float(row["seconds"]) == epochs[-1]["seconds"]
    errors = [
        line["relative_error"]
        for line in lines(tmp_path / "runs/e" / table[0]["name"] / "agreement.jsonl")
        if line["relative_error"] is not None
    ]
    assert float(table[0]["agreement_worst"]) == max(errors)
    assert table[0]["agreement_disagreements"] == "0"


def test_a_cell_whose_record_is_a_pipe_has_failed(tmp_path: Path) -> None:
    """Opened, it would be waited for."""
    run = with_status(tmp_path / "run", status="finished")
    run.meta.unlink()
    os.mkfifo(run.meta)
    assert standing(run) == (Status.FAILED, f"{run.meta} cannot be read")


class Heard(SweepListener):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []

    def on_outcome(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


class OneOfThemOld(Workers):
    """Two workers, of which the second has another version, and the first ends when it is asked to stop."""

    slots = 2

    def __init__(self) -> None:
        self._first: tuple[Task, Future[list[Outcome]]] | None = None

    def submit(self, task: Task) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = Future()
        if self._first is None:
            self._first = task, future
        else:
            future.set_exception(OtherVersionError("another version"))
        return future

    def stop(self) -> None:
        assert self._first is not None
        task, future = self._first
        future.set_result(train_cells(task))

    def close(self) -> None:
        pass


@pytest.mark.parametrize("brought_back", [False, True])
def test_what_ends_while_a_sweep_gives_up_is_kept(brought_back: bool, tmp_path: Path) -> None:
    path, heard = written(tmp_path, seeds=3), Heard()
    with pytest.raises(OtherVersionError):
        trained(path, workers=OneOfThemOld, manner=Manner(brought_back=brought_back), listener=heard)
    assert [outcome.status for outcome in heard.outcomes] == [Status.FINISHED]
    (cell,) = cells_of(tmp_path / "runs" / "e")
    assert standing(RunDirectory(cell)).status is Status.FINISHED
