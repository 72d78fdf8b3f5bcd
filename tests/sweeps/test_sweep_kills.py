"""Workers are killed at random and cells diverge: all other cells finish, with the bits of a sweep in peace.

24 cells are in every run of the tests; `make soak` takes 200. The seed of a failure repeats it.
"""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clusters import dask_cluster
from small_sweeps import (
    RATE,
    cells_of,
    children,
    command,
    contents,
    done,
    hashes,
    trained,
    with_training,
    written,
)

CELLS = int(os.environ.get("JACTRAIN_CELLS", "24"))
KILLS, DIVERGING = 5, 3
MODES = ["reverse", "forward", {"random_forward": {"directions": 2}}]


def experiment(folder: Path) -> Path:
    """Write an experiment of `CELLS` cells, of which three diverge at their first steps."""
    rates = [round(0.01 + 0.09 * number / CELLS, 6) for number in range(CELLS - DIVERGING)]
    for number in range(DIVERGING):
        rates.insert((number + 1) * CELLS // (DIVERGING + 2), (number + 1) * 1e30)
    pairs = {RATE: rates, "mode": [MODES[number % len(MODES)] for number in range(CELLS)]}
    return written(folder, base=with_training(epochs=25), zip=pairs, file="kills.yaml")


def begun(runs: Path) -> int:
    return len(cells_of(runs)) if runs.is_dir() else 0


def killed_sweep(path: Path, runs: Path, rng: np.random.Generator) -> tuple[int, int, str]:
    """Train on two workers, of which one or the other is killed; return kills, exit code, stderr."""
    log = path.with_name("stderr.txt")
    with log.open("wb") as file:
        process = subprocess.Popen(command(path, "--jobs", 2), stdout=subprocess.DEVNULL, stderr=file)
    kills = seen = 0
    while process.poll() is None:
        time.sleep(0.01)
        if kills == KILLS or begun(runs) < seen + 3:
            continue
        time.sleep(float(rng.uniform(0, 0.1)))
        workers = children(process.pid, "LokyProcess")
        if workers:
            os.kill(workers[int(rng.integers(len(workers)))], signal.SIGKILL)
            kills, seen = kills + 1, begun(runs)
    return kills, process.returncode, log.read_text()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the weights of a sweep in this process, without anything in its way."""
    path = experiment(tmp_path_factory.mktemp("undisturbed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACTRAIN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        trained(path)
    found = hashes(path.parent / "runs" / "kills")
    assert len(found) == CELLS - DIVERGING
    return found


def test_killed_workers_cost_their_own_cells_and_no_bit(
    undisturbed: dict[str, str], tmp_path: Path, record_property: Any
) -> None:
    path, runs = experiment(tmp_path), tmp_path / "runs" / "kills"
    start = time.perf_counter()
    kills, code, told = killed_sweep(path, runs, np.random.default_rng(CELLS))
    assert kills == KILLS, told
    assert code == 1
    first = hashes(runs)
    assert len(first) >= CELLS - DIVERGING - KILLS, told
    assert told.count(": diverged: ") == DIVERGING, told
    assert told.count(": killed: ") <= KILLS, told
    ended = {folder: contents(runs / folder) for folder in first}

    second = done(path, "--jobs", 2)
    assert second.returncode == 1  # three diverged, and are not to be repeated
    assert f"{CELLS - DIVERGING} finished, {DIVERGING} diverged" in second.stdout, second.stdout
    assert hashes(runs) == undisturbed
    assert {folder: contents(runs / folder) for folder in ended} == ended
    trained_again = second.stderr.count(" finished in ")
    assert trained_again == CELLS - DIVERGING - len(first)
    record_property(
        "told",
        f"{CELLS} cells, {kills} workers killed, {DIVERGING} diverged: {len(first)} finished in the first "
        f"call, {trained_again} in the second, {time.perf_counter() - start:.0f} s, no bit differs",
    )


def test_one_job_gives_the_same_weights(undisturbed: dict[str, str], tmp_path: Path) -> None:
    path = experiment(tmp_path)
    assert done(path, "--jobs", 1).returncode == 1
    assert hashes(tmp_path / "runs" / "kills") == undisturbed


def test_dask_gives_the_same_weights_and_goes_on_where_a_worker_was_killed(
    undisturbed: dict[str, str], tmp_path: Path
) -> None:
    path, runs = experiment(tmp_path), tmp_path / "runs" / "kills"
    log = tmp_path / "stderr.txt"
    with dask_cluster(tmp_path / "dask", workers=2) as cluster:
        with log.open("wb") as file:
            options = ("--backend", "dask", "--address", cluster.address)
            process = subprocess.Popen(command(path, *options), stdout=subprocess.DEVNULL, stderr=file)
        while process.poll() is None and begun(runs) < CELLS // 3:
            time.sleep(0.01)
        cluster.workers[0].kill()
        assert process.wait(300) == 1, log.read_text()
    assert log.read_text().count(": diverged: ") == DIVERGING
    assert hashes(runs) == undisturbed  # Dask has given the killed worker's cell to the other
