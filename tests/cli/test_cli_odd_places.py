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


def test_a_sweep_of_a_file_whose_folder_s_name_is_no_text_leaves_nothing(
    toy: Callable, jactrain: Callable
) -> None:
    odd = Path(os.fsdecode(b"\xff"))
    odd.mkdir()
    (odd / "e.yaml").write_text(f"base: ../{toy()}\n")
    done = jactrain("sweep", odd / "e.yaml", "--runs", "s")
    assert done.code == 2
    assert "is no text in UTF-8, so that no record could name it; rename it" in done.err
    assert not Path("s").exists()


def test_a_run_whose_folder_s_name_is_no_text_is_not_gone_on_with(toy: Callable, jactrain: Callable) -> None:
    assert jactrain("run", toy(), "--runs", "r").code == 0
    (run,) = Path("r").iterdir()
    odd = run.rename(os.fsdecode(b"r/\xff"))
    before = (odd / "meta.json").read_bytes()
    done = jactrain("resume", odd)
    assert done.code == 2
    assert "is no text in UTF-8" in done.err
    assert (odd / "meta.json").read_bytes() == before


def test_names_that_git_tells_as_they_are_end_nothing(toy: Callable, jactrain: Callable) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)

    odd = Path(os.fsdecode(b"n\xff"))
    odd.touch()
    git("init", "-q")
    git("config", "core.quotePath", "false")
    git("add", ".")
    git("commit", "-qm", "a")
    odd.write_text("changed")
    assert jactrain("run", toy()).code == 0
    (run,) = Path("runs").iterdir()
    assert json.loads((run / "meta.json").read_text())["git"]["dirty"]


def test_json_of_names_that_the_encoding_lacks_has_escapes(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jactrain", "init", "λ.yaml", "--json"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"},
    )
    assert json.loads(done.stdout.decode("latin-1"))["path"] == "λ.yaml"


@pytest.mark.parametrize("text", ["[]", "{", '{"argv": 3}', '{"argv": [3, "--plugin=a.b"]}'])
def test_records_that_somebody_changed_are_no_traceback(text: str, toy: Callable, jactrain: Callable) -> None:
    assert jactrain("run", toy()).code == 0
    (run,) = Path("runs").iterdir()
    (run / "meta.json").write_text(text)
    assert jactrain("evaluate", run).code == 0
    resolved = run / "config.resolved.yaml"
    resolved.write_text(resolved.read_text().replace("- tanh", "- nothing_known"))
    done = jactrain("evaluate", run)
    assert done.code == 2
    assert ("--plugin a.b" in done.err) == ("a.b" in text)
    assert "nothing_known" in done.err or "a.b" in done.err
