"""What is told while a sweep trains: what is done, what is left, and the time that takes."""

from pathlib import Path

import pytest

from jactrain.cli.sweep_progress import SweepProgress
from jactrain.sweeps.folder import Status
from jactrain.sweeps.task import Outcome


def test_what_was_killed_or_others_train_is_handled_but_not_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    became = {
        "a": Status.FINISHED,
        "b": Status.KILLED,
        "c": Status.TRAINED_NOW,
        "d": Status.DIVERGED,
        "e": Status.PRUNED,
    }
    with SweepProgress() as progress:
        progress.on_start(Path("runs/e"), 7, 2)
        for name, status in became.items():
            progress.on_begin(name)
            progress.on_outcome(Outcome(name, status))
    first, *lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note")]
    assert first == "7 cells in runs/e, 2 done already"
    assert [line.split()[0] for line in lines] == ["3/7", "3/7", "3/7", "4/7", "5/7"]
    assert ["left" in line for line in lines] == [True, True, True, True, False]


def test_what_failed_is_told_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    with SweepProgress() as progress:
        progress.on_start(Path("runs/e"), 2, 0)
        progress.on_outcome(Outcome("a", Status.FAILED, "its \x1b[31mdata"))
    assert "note: a: failed: its \\x1b[31mdata" in capsys.readouterr().err


def test_what_ends_because_a_sweep_gives_up_is_not_told_as_interrupted_by_the_user(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with SweepProgress() as progress:
        progress.on_start(Path("runs/e"), 3, 0)
        for name in ("a", "b"):
            progress.on_begin(name)
        progress.on_giving_up("what is being trained keeps a checkpoint")
        progress.on_outcome(Outcome("a", Status.INTERRUPTED, "interrupted by the user"))
    _, note, line = capsys.readouterr().err.splitlines()
    assert note == "note: the sweep gives up: what is being trained keeps a checkpoint"
    assert line.startswith("0/3  a  interrupted in ")
    assert "left" not in line
