"""Sweeps on a Dask cluster over loopback."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import Cluster, dask_cluster
from small_sweeps import cells_of, done, hashes, meta, trained, with_training, written

from jactrain.errors import RunError
from jactrain.sweeps.clusters import DaskWorkers
from jactrain.sweeps.manner import Manner
from jactrain.sweeps.reading import read_sweep
from jactrain.sweeps.sweep import train_sweep
from jactrain.sweeps.task import Task
from jactrain.sweeps.workers import LocalWorkers, Workers


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask") / "cluster", workers=2) as found:
        yield found


def other_version(workers: Workers) -> Workers:
    """Return `workers` as they see tasks of a sweep that another version began."""
    submit = workers.submit
    workers.submit = lambda task: submit(task._replace(version="0.0.1"))  # type: ignore[method-assign]
    return workers


def test_folders_are_brought_back_from_other_file_systems(cluster: Cluster, tmp_path: Path) -> None:
    path, runs = written(tmp_path, base=with_training(epochs=4), seeds=3), tmp_path / "runs" / "e"
    trained(path)
    weights = hashes(runs)
    one, two, three = cells_of(runs)
    for file in two.rglob("*.npz"):
        if "step" in file.name and file != min(two.glob("checkpoints/*")):
            file.unlink()
    (two / "meta.json").write_text((two / "meta.json").read_text().replace('"finished"', '"running"'))
    (three / "meta.json").write_text("{")
    before = (one / "meta.json").read_bytes()
    options = ("--backend", "dask", "--address", cluster.address, "--bring-back", "--retry")
    result = done(path, *options)
    assert result.returncode == 0, result.stderr
    assert hashes(runs) == weights
    assert (one / "meta.json").read_bytes() == before
    assert meta(two)["resumed"][0]["step"] > 0  # from the checkpoint that was sent there
    assert not list(runs.glob(".jactrain-*"))


def test_a_worker_of_another_version_ends_the_sweep_with_both_named(cluster: Cluster, tmp_path: Path) -> None:
    from jactrain import __version__

    path = written(tmp_path, seeds=3)
    for workers in (lambda: DaskWorkers(cluster.address), lambda: LocalWorkers(1)):
        with pytest.raises(RunError) as refused:
            train_sweep(read_sweep(path), tmp_path / "runs", lambda w=workers: other_version(w()))
        assert f"a worker has jactrain {__version__}, and this sweep was begun with 0.0.1" in str(
            refused.value
        )
        assert cells_of(tmp_path / "runs" / "e") == []


def test_a_scheduler_that_cannot_be_reached_is_told_soon(tmp_path: Path) -> None:
    path = written(tmp_path)
    with socket.socket() as taken:  # nobody listens here
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        start = time.perf_counter()
        result = done(path, "--backend", "dask", "--address", address)
    assert time.perf_counter() - start < 15 + 10  # 15 s on a machine that does nothing else
    assert result.returncode == 2
    assert f"no Dask scheduler answers at {address} within 10 s" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "runs").exists()


def test_plug_ins_that_a_worker_lacks_are_told_of_every_cell(cluster: Cluster, tmp_path: Path) -> None:
    path = written(tmp_path, seeds=2)
    workers = lambda: DaskWorkers(cluster.address)  # noqa: E731
    result = train_sweep(read_sweep(path), tmp_path / "runs", workers, Manner(plugins=("no_such_module",)))
    assert len(result.outcomes) == 2
    assert all("no_such_module" in outcome.reason for outcome in result.outcomes)
    assert {row["status"] for row in result.rows} == {"not begun"}


def test_a_task_says_with_which_version_it_was_begun() -> None:
    from jactrain import __version__

    assert Task((), 1).version == __version__
