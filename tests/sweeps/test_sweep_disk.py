"""Cells that find no room are gone on with by the same command, and come to the same bits."""

import subprocess
import sys
from pathlib import Path

import pytest
from small_sweeps import cells_of, hashes, meta, trained, with_training, written

pytest.importorskip("resource")
SIZES = [400, 900, 2000, 3500]  # bytes that a file may have; a checkpoint takes more
PROGRAM = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))
from jactrain.cli import main
main()
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("undisturbed")
    trained(experiment(folder))
    return hashes(folder / "runs" / "e")


def experiment(folder: Path) -> Path:
    return written(folder, base=with_training(epochs=12), seeds=3)


@pytest.mark.parametrize("size", SIZES)
def test_cells_without_room_are_gone_on_with(size: int, undisturbed: dict[str, str], tmp_path: Path) -> None:
    path, runs = experiment(tmp_path), tmp_path / "runs"
    arguments = ["sweep", str(path), "--runs", str(runs), "--jobs", "1"]
    short = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(size), *arguments], capture_output=True, text=True, check=False
    )
    assert short.returncode in (1, 2), short.stderr
    assert "Traceback" not in short.stderr
    assert "File too large" in short.stderr + short.stdout
    kept = {folder.name: meta(folder)["status"] for folder in cells_of(runs / "e")} if runs.exists() else {}
    assert set(kept.values()) <= {"interrupted", "running", "finished"}
    again = trained(path)
    assert again.is_complete
    assert hashes(runs / "e") == undisturbed
