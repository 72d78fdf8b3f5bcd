"""Cells that find no room are gone on with by the same command, and come to the same bits."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_sweeps import RATE, cells_of, hashes, meta, statuses, trained, with_training, written

pytest.importorskip("resource")
SIZES = [400, 900, 2000, 3500]  # bytes that a file may have; a checkpoint takes more
PROGRAM = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
from jactrain.cli import main
main()
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """Return what stands for the weights of all cells of `e`, listed, and of `s`, searched, with room."""
    folder = tmp_path_factory.mktemp("undisturbed")
    for path in (listed(folder), searched(folder)):
        assert trained(path).is_complete
    found = {name: hashes(folder / "runs" / name) for name in ("e", "s")}
    assert {name: len(cells) for name, cells in found.items()} == {"e": 3, "s": 4}
    return found


def listed(folder: Path) -> Path:
    return written(folder, base=with_training(epochs=12), seeds=3)


def searched(folder: Path) -> Path:
    over = {RATE: {"log_uniform": [1e-3, 0.5]}}
    base = with_training(epochs=6)
    return written(folder, "s.yaml", base, random={"over": over}, search={"optuna": {"trials": 4}})


def without_room(path: Path, size: int, jobs: int) -> str:
    """Train where no file may be larger than `size`, which fails; return what is said."""
    arguments = ["sweep", str(path), "--runs", str(path.parent / "runs"), "--jobs", str(jobs)]
    short = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(size), *arguments], capture_output=True, text=True, check=False
    )
    assert short.returncode in (1, 2), short.stderr
    assert "Traceback" not in short.stderr
    return " ".join((short.stderr + short.stdout).split())  # a table breaks lines anywhere


@pytest.mark.parametrize("size", SIZES)
def test_cells_without_room_are_gone_on_with(
    size: int, undisturbed: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    path, runs = listed(tmp_path), tmp_path / "runs"
    assert "File too large" in without_room(path, size, jobs=1)
    kept = {folder.name: meta(folder)["status"] for folder in cells_of(runs / "e")} if runs.exists() else {}
    assert set(kept.values()) <= {"interrupted", "running", "finished"}
    assert trained(path).is_complete
    assert hashes(runs / "e") == undisturbed["e"]


@pytest.mark.parametrize(("size", "jobs"), [(1500, 1), (1500, 2), (3000, 1), (5000, 1), (5000, 2)])
def test_a_search_without_room_has_the_same_trials_in_the_end(
    size: int, jobs: int, undisturbed: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    path, runs = searched(tmp_path), tmp_path / "runs"
    said = without_room(path, size, jobs)
    assert "cannot be written: File too large" in said
    assert f"jactrain sweep {path} --runs {runs} --jobs {jobs}" in said
    again = trained(path)
    assert again.is_complete
    assert list(statuses(again)) == [f"trial-{number:04}" for number in range(4)]
    if jobs == 1:  # else a trial may be drawn before the one before it is known, or after
        assert hashes(runs / "s") == undisturbed["s"]
