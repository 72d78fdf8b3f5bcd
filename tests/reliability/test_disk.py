"""What a training does where files find no room, memory ends, or nobody takes its output."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from run_folders import bits, checkpoints, everything, meta, only_run, sets
from test_kill import written

from jactrain.training.checkpoint import load

resource = pytest.importorskip("resource")
FULL = Path("/dev/full")
SIZES = [100, 400, 740, 900, 1100, 2000, 3600, 4500, 6500, 9000, 13000, 20000]  # bytes
# MiB; with none at all the interpreter fails by itself, in the words of its compiler (SystemError).
ROOM = [1, 4, 8, 24]
LIMIT_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({0}, {0}))\n"
LIMIT_MEMORY = """
import resource
import jactrain.cli.progress, jactrain.cli.training, jactrain.config.build, jactrain.runs.run
from pathlib import Path
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + ({0} << 20)
resource.setrlimit(resource.RLIMIT_AS, (used, used))
"""


def under(limit, size, *arguments, **options):
    """Return how the command line ended in a process of its own, with a limit on what it may take."""
    program = limit.format(size) + "from jactrain.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-B", "-c", program, *map(str, arguments)],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
    )


def require_whole(runs):
    """Fail if a file below `runs` is there in part, or under a temporary name."""
    for path in runs.rglob("*") if runs.is_dir() else ():
        assert not path.name.startswith(".jactrain-"), path
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".jsonl":
            assert path.read_bytes()[-1:] in (b"", b"\n"), path
            for line in path.read_text().splitlines():
                json.loads(line)
        elif path.suffix == ".npz" and path.parent.name == "checkpoints":
            load(path)
        elif path.suffix == ".npz":
            with np.load(path) as file:
                assert all(np.isfinite(file[name]).all() for name in file.files if "parameters/" in name)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return a configuration, and what an undisturbed run of it leaves."""
    folder = tmp_path_factory.mktemp("whole")
    config = written(folder / "disk.yaml", "reverse", "numpy")
    done = under("", 0, "run", config, "--runs", folder / "runs")
    assert done.returncode == 0, done.stderr
    return config, only_run(folder / "runs")


@pytest.mark.parametrize("size", SIZES)
def test_a_run_without_room_leaves_whole_files_and_goes_on(size, whole, jactrain, tmp_path):
    config, undisturbed = whole
    runs = tmp_path / "runs"
    done = under(LIMIT_FILES, size, "run", config, "--runs", runs)
    largest = max(len(data) for data in everything(undisturbed).values())
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    if size > largest + 50:
        assert done.returncode == 0, done.stderr
    elif size < largest - 50:  # `seconds` have more digits in one run than in another
        assert (done.returncode, done.stdout) in ((1, ""), (2, "")), done.stderr
        last = done.stderr.splitlines()[-1]
        assert last.startswith("error: ")
        assert "File too large" in last
        folder = only_run(runs)
        assert last.endswith(
            "; nothing written" if folder is None else f"go on with: jactrain resume {folder}"
        )
    require_whole(runs)
    folder = only_run(runs)
    if folder is not None:
        if done.returncode and size > 1300:
            assert meta(folder)["status"] == "interrupted"
            assert "cannot be written" in meta(folder)["exit_reason"]
        code, _, err = jactrain("resume", folder)
        assert code == 0, err
        assert bits(folder) == bits(undisturbed)
        assert meta(folder)["status"] == "finished"


@pytest.mark.parametrize("size", [2000, 2300])
def test_weights_without_room_end_a_run_that_keeps_no_checkpoints(size, whole, jactrain, tmp_path):
    config, _ = whole
    changes = sets(["training.checkpoints=null", "agreement=null"])
    done = under(LIMIT_FILES, size, "run", config, "--runs", tmp_path, *changes)
    assert done.returncode == 2
    assert "weights.npz cannot be written: File too large" in done.stderr
    folder = only_run(tmp_path)
    assert meta(folder)["status"] == "interrupted"
    assert "weights.npz cannot be written" in meta(folder)["exit_reason"]
    assert not (folder / "weights.npz").exists()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="how much is used is read from /proc")
@pytest.mark.parametrize("room", ROOM)
def test_a_run_without_memory_says_so(room, whole, tmp_path):
    config, _ = whole
    runs = tmp_path / "runs"
    more = ["data.source.moons.examples=40000", "training.batch_size=8000", "network.0.linear.units=200"]
    sets = [part for change in more for part in ("--set", change)]
    done = under(LIMIT_MEMORY, room, "run", config, "--runs", runs, *sets)
    assert done.returncode in (1, 2), done.stderr
    assert "Traceback" not in done.stderr
    assert "memory" in done.stderr
    assert done.stdout == ""
    require_whole(runs)


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("more", [[], ["--json"]], ids=["text", "json"])
def test_a_result_that_cannot_be_printed_is_in_the_folder(more, whole, tmp_path):
    config, undisturbed = whole
    with FULL.open("w") as full:
        done = under("", 0, "run", config, "--runs", tmp_path / "runs", *more, stdout=full)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    folder = only_run(tmp_path / "runs")
    assert bits(folder) == bits(undisturbed)
    assert meta(folder)["status"] == "finished"


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a file that is always full")
def test_a_log_without_room_is_named_and_the_run_goes_on_later(whole, jactrain, tmp_path):
    config, undisturbed = whole
    code, _, _ = jactrain("run", config, "--runs", tmp_path / "runs")
    assert code == 0
    folder = only_run(tmp_path / "runs")
    checkpoints(folder)[-1].unlink()
    (folder / "log.txt").unlink()
    (folder / "log.txt").symlink_to(FULL)
    code, _, err = jactrain("resume", folder)
    assert code == 0, err
    require_whole(tmp_path / "runs")
    assert "log.txt cannot be written (No space left on device)" in err
    (folder / "log.txt").unlink()
    code, _, err = jactrain("resume", folder)
    assert code == 0, err
    assert bits(folder) == bits(undisturbed)
