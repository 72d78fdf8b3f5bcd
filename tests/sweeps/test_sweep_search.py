"""Searches: the same trials whatever interrupts them, pruned early, told truly."""

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from small_sweeps import (
    RATE,
    cells_of,
    command,
    contents,
    done,
    hashes,
    lines,
    meta,
    statuses,
    trained,
    with_training,
    written,
)

from jactrain.errors import UsageError
from jactrain.runs.directory import RunDirectory
from jactrain.runs.lock import is_held
from jactrain.sweeps.journal import opened
from jactrain.sweeps.manner import Manner
from jactrain.sweeps.sweep import SweepListener
from jactrain.sweeps.task import Outcome

RATES = {"over": {RATE: {"log_uniform": [1e-3, 0.5]}}}


def search(folder: Path, trials: int = 6, over: Any = None, base: Any = None, **options: Any) -> Path:
    options.setdefault("pruning", False)
    return written(
        folder,
        base=base,
        search={"optuna": {"trials": trials, **options}},
        random=RATES if over is None else {"over": over},
    )


def settings(folder: Path) -> dict[str, dict[str, Any]]:
    record = json.loads((folder / "runs/e/cells.json").read_text())
    return {cell["name"]: cell["settings"] for cell in record["cells"]}


def study(folder: Path) -> Any:
    return opened(str(folder / "runs/e/journal.log"), "e", 0)


class StopAfter(SweepListener):
    """Ends a sweep as an error would, after so many cells."""

    def __init__(self, cells: int) -> None:
        self._left = cells

    def on_outcome(self, outcome: Outcome) -> None:
        self._left -= 1
        if not self._left:
            raise InterruptedError


def test_a_search_is_the_same_again_and_after_an_interruption(tmp_path: Path) -> None:
    whole = trained(search(tmp_path / "whole", trials=14))
    assert whole.is_complete
    assert list(statuses(whole)) == [f"trial-{number:04}" for number in range(14)]
    assert len({row[RATE] for row in whole.rows}) == 14
    path = search(tmp_path / "parts", trials=14)
    for cells in (1, 3, 8):
        with pytest.raises(InterruptedError):
            trained(path, listener=StopAfter(cells))
    rest = trained(path)
    assert len(rest.outcomes) == 2
    assert settings(tmp_path / "parts") == settings(tmp_path / "whole")
    assert hashes(tmp_path / "parts/runs/e") == hashes(tmp_path / "whole/runs/e")
    other = search(tmp_path / "other", trials=2, seed=1)
    trained(other)
    assert settings(tmp_path / "other")["trial-0000"] != settings(tmp_path / "whole")["trial-0000"]


def test_a_search_is_told_what_came_of_its_trials(tmp_path: Path) -> None:
    trained(search(tmp_path, trials=4, metric="train_r2"))
    found = study(tmp_path)
    assert found.direction.name == "MAXIMIZE"
    for trial in found.get_trials():
        (*_, last) = lines(tmp_path / f"runs/e/trial-{trial.number:04}/metrics.jsonl")
        assert trial.value == last["train_r2"]
    record = json.loads((tmp_path / "runs/e/cells.json").read_text())
    assert record["search"] == {"metric": "train_r2", "direction": "maximize", "trials": 4}


def test_a_search_is_told_of_the_weights_that_are_kept(tmp_path: Path) -> None:
    base = with_training(epochs=40, early_stopping={"patience": 2})
    trained(search(tmp_path, trials=3, base=base, over={RATE: {"uniform": [0.5, 0.9]}}))
    early = 0
    for trial in study(tmp_path).get_trials():
        run = tmp_path / f"runs/e/trial-{trial.number:04}"
        kept = meta(run)["kept_epoch"]
        epochs = lines(run / "metrics.jsonl")
        early += kept < len(epochs)
        assert trial.value == epochs[kept - 1]["validation_loss"]
    assert early


def test_trials_that_promise_less_are_ended_early(tmp_path: Path) -> None:
    base = with_training(epochs=12)
    over = {RATE: {"choice": [0.1, 0.11, 0.12, 1e-6, 1e-7]}}
    result = trained(search(tmp_path, trials=14, base=base, over=over, pruning=True, pruning_after=2))
    assert result.is_complete
    pruned = [row for row in result.rows if row["status"] == "pruned"]
    assert pruned
    for row in pruned:
        assert 2 <= row["epoch"] < 12
        assert f"pruned after epoch {row['epoch']}: validation_loss" in row["reason"]
    assert trained(tmp_path / "e.yaml").outcomes == []


def test_diverging_trials_are_told_and_repeated_only_if_asked_to(tmp_path: Path) -> None:
    over = {RATE: {"choice": [1e30, 0.1, 0.2]}}
    path = search(tmp_path, trials=6, over=over)
    result = trained(path)
    diverged = [row["name"] for row in result.rows if row["status"] == "diverged"]
    assert diverged
    states = {trial.number: trial.state.name for trial in study(tmp_path).get_trials()}
    assert {f"trial-{number:04}" for number, state in states.items() if state == "FAIL"} == set(diverged)
    assert trained(path).outcomes == []
    again = trained(path, manner=Manner(retry=True))
    assert [outcome.name for outcome in again.outcomes] == diverged
    assert {outcome.status.value for outcome in again.outcomes} == {"diverged"}


def test_a_trial_that_was_complete_is_trained_anew_and_not_told_twice(tmp_path: Path) -> None:
    path = search(tmp_path, trials=3)
    trained(path)
    run = tmp_path / "runs/e/trial-0001"
    before = len(study(tmp_path).get_trials())
    (run / "meta.json").write_text("{")
    assert [outcome.name for outcome in trained(path, manner=Manner(retry=True)).outcomes] == ["trial-0001"]
    assert len(study(tmp_path).get_trials()) == before
    again = search(tmp_path, trials=5)
    assert len(trained(again, manner=Manner(update=True)).outcomes) == 2
    assert trained(again).outcomes == []


def test_another_question_is_refused_in_the_same_folder(tmp_path: Path) -> None:
    path = search(tmp_path, trials=2)
    trained(path)
    search(tmp_path, trials=3)
    with pytest.raises(UsageError, match=r"has changed since .* say --update"):
        trained(path)
    for other in (
        {"metric": "train_loss"},
        {"direction": "maximize"},
        {"over": {RATE: {"choice": [0.1, 0.2]}}},
        {"over": {"network.0.linear.units": {"integers": [2, 4]}}},
    ):
        search(tmp_path, trials=3, **other)
        with pytest.raises(UsageError, match="give the file another name"):
            trained(path, manner=Manner(update=True))
    search(tmp_path, trials=3, over={RATE: {"log_uniform": [1e-4, 0.9]}})
    assert len(trained(path, manner=Manner(update=True)).outcomes) == 1


def test_settings_that_do_not_go_together_are_drawn_anew(tmp_path: Path) -> None:
    # Every value is fine with the first of the others; 0.7 kept for validation leaves fewer than 40.
    over = {"data.validation": {"choice": [0.2, 0.7]}, "training.batch_size": {"choice": [8, 40]}}
    result = trained(search(tmp_path, trials=8, over=over))
    assert result.is_complete
    assert len(result.rows) == 8
    assert not any(row["data.validation"] == 0.7 and row["training.batch_size"] == 40 for row in result.rows)
    assert trained(tmp_path / "e.yaml").outcomes == []


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_search_whose_journal_ends_within_a_line_goes_on(tmp_path: Path, cut: int) -> None:
    trained(search(tmp_path, trials=2))
    journal = tmp_path / "runs" / "e" / "journal.log"
    journal.write_bytes(journal.read_bytes()[:-cut])
    result = trained(search(tmp_path, trials=4), manner=Manner(update=True))
    assert result.is_complete
    assert len(result.rows) == 4


@pytest.mark.parametrize("line", ["{}", '{"op_code": 99, "worker_id": "x"}'])
def test_a_journal_with_lines_that_mean_nothing_is_refused(tmp_path: Path, line: str) -> None:
    path = search(tmp_path, trials=2)
    trained(path)
    journal = tmp_path / "runs" / "e" / "journal.log"
    journal.write_text(f"{journal.read_text()}{line}\n")
    with pytest.raises(UsageError, match=r"journal.log is damaged \(.*; remove the file, and the search beg"):
        trained(path)


def test_a_lock_of_a_killed_process_does_not_outlast_a_move_of_the_folder(tmp_path: Path) -> None:
    path = search(tmp_path, trials=2)
    trained(path)
    (tmp_path / "runs" / "e" / "journal.log.lock").symlink_to(tmp_path / "elsewhere" / "journal.log")
    search(tmp_path, trials=3)
    assert len(trained(path, manner=Manner(update=True)).outcomes) == 1


@pytest.mark.parametrize("line", ["null", "rubbish", "[1]"])
def test_a_journal_with_other_lines_is_refused(tmp_path: Path, line: str) -> None:
    path = search(tmp_path, trials=2)
    trained(path)
    journal = tmp_path / "runs" / "e" / "journal.log"
    journal.write_text(f"{journal.read_text()}{line}\n")
    with pytest.raises(UsageError, match=r"line \d+ of .*journal.log is none that a search writes; remove"):
        trained(path)
    journal.unlink()
    assert trained(path).is_complete


def test_a_killed_search_on_two_workers_goes_on(tmp_path: Path) -> None:
    base = with_training(epochs=60)
    path, runs = search(tmp_path, trials=8, base=base, pruning=True), tmp_path / "runs" / "e"
    with (tmp_path / "stderr.txt").open("wb") as file:
        process = subprocess.Popen(command(path, "--jobs", 2), stdout=subprocess.DEVNULL, stderr=file)
    while process.poll() is None and not (runs.is_dir() and len(cells_of(runs)) >= 3):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, (tmp_path / "stderr.txt").read_text()
    time.sleep(3)  # until its workers have seen it
    while any(is_held(RunDirectory(folder)) for folder in cells_of(runs)):  # and are gone
        time.sleep(0.1)
    finished = hashes(runs)
    ended = {name: contents(runs / name) for name in finished}
    rest = done(path, "--jobs", 2)
    assert rest.returncode == 0, rest.stderr
    record = settings(tmp_path)
    assert len(record) == 8
    assert {meta(folder)["status"] for folder in cells_of(runs)} <= {"finished", "pruned"}
    assert {name: contents(runs / name) for name in finished} == ended
    assert len({values[RATE] for values in record.values()}) == 8
    assert all(trial.state.is_finished() for trial in study(tmp_path).get_trials())


def test_a_line_that_another_process_left_unfinished_is_cut_before_the_next_is_written(
    tmp_path: Path,
) -> None:
    """A worker that found no room leaves half a line, while others go on."""
    trained(search(tmp_path, trials=2))
    journal = tmp_path / "runs" / "e" / "journal.log"
    whole = journal.read_bytes()
    searched = study(tmp_path)
    with journal.open("ab") as file:
        file.write(b'{"op_code": 4, "wor')
    searched.set_user_attr("seen", True)
    assert journal.read_bytes().startswith(whole + b"{")
    assert study(tmp_path).user_attrs["seen"] is True
    assert all(isinstance(json.loads(line), dict) for line in journal.read_bytes().splitlines())
