"""Names, links and terminals that few have: a message or a result, never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    "arguments",
    [
        ("init", "loop"),
        ("init", "loop", "--template", "experiment"),
        ("gradient", "toy.yaml", "--mode", "forward", "--out", "loop"),
    ],
)
def test_links_in_a_circle_are_refused(
    arguments: tuple[str, ...], jactrain: Callable, toy: Callable, folder: Path
) -> None:
    toy()
    (folder / "loop").symlink_to("loop")
    done = jactrain(*arguments)
    assert done.code == 2
    assert "loop cannot be written" in done.err


def test_a_cell_whose_folder_is_a_link_in_a_circle_fails_alone(
    jactrain: Callable, toy: Callable, folder: Path
) -> None:
    toy()
    (folder / "e.yaml").write_text("base: toy.yaml\nseeds: 2\n")
    (folder / "runs" / "e").mkdir(parents=True)
    (folder / "runs" / "e" / "e-seed-0").symlink_to("e-seed-0")
    done = jactrain("sweep", "e.yaml")
    assert done.code == 1
    assert done.out.startswith("2 cells: 1 ")
    assert "1 finished" in done.out


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_a_folder_whose_name_is_no_unicode_is_refused_before_anything_is_written(
    command: str, jactrain: Callable, toy: Callable, folder: Path
) -> None:
    (folder / "e.yaml").write_text(f"base: {toy()}\n")
    before = sorted(os.listdir(folder))
    odd = os.fsdecode(b"\xff")
    done = jactrain(command, "e.yaml" if command == "sweep" else "toy.yaml", "--runs", odd)
    assert done.code == 2
    assert "udcff' is no text in UTF-8, so that no record could name it; rename it" in done.err
    assert sorted(os.listdir(folder)) == before


def test_a_configuration_whose_name_is_no_unicode_is_trained(
    jactrain: Callable, toy: Callable, folder: Path
) -> None:
    odd = Path(os.fsdecode(b"\xff.yaml"))
    odd.write_text(toy().read_text())
    done = jactrain("run", odd, "--set", "training.epochs=1")
    assert done.code == 0
    (run,) = (folder / "runs").iterdir()
    assert json.loads((run / "meta.json").read_text())["argv"][2] == "\\xff.yaml"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_without_greek_letters_shows_the_rest(encoding: str, toy: Callable, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jactrain", "check", str(toy())],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"agree" in done.stdout
    assert b"Traceback" not in done.stderr
