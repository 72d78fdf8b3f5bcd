"""Sweeps: what a cell takes besides its training, where, and what two processes are worth."""

from __future__ import annotations

import atexit
import shutil
from concurrent.futures import Future
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from time import perf_counter
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import peers
from benchmarks.case import Case, Subjects
from benchmarks.timing import Subject
from jactrain.config.build import build
from jactrain.report.page import render
from jactrain.report.sweeps.page import sweep_page
from jactrain.report.sweeps.record import read_sweep as read_record
from jactrain.sweeps.cells import Sweep
from jactrain.sweeps.reading import read_sweep
from jactrain.sweeps.sweep import train_sweep
from jactrain.sweeps.task import Outcome, Task
from jactrain.sweeps.workers import LocalWorkers, Workers
from jactrain.training.state import TrainingState
from jactrain.training.trainer import train

SWEEP = "sweep"
SHARES = "sweep, what a cell takes of those who do not train"
ALLOWED = 0.15  # seconds that a cell takes besides its bare training, at most
_CELLS = 12

_EXPERIMENT = """\
base:
  data: {{source: {{npz: {{path: data.npz}}}}, validation: 0.2}}
  network: [{{linear: {{units: 64}}}}, tanh, {{linear: {{units: 64}}}}, tanh, linear]
  loss: mean_squared_error
  optimizer: {{sgd: {{learning_rate: 0.01}}}}
  training: {{epochs: {epochs}, batch_size: 32}}
seeds: {cells}
"""


def cases() -> list[Case]:
    """Return the case of sweeps."""
    about = f"{_CELLS} trainings of 64-64-64-1 on 1,000 examples, half a second each; processes are warm"
    shares = "seconds a cell: of the process that hands cells over, of Dask's scheduler, of the report"
    return [Case(SWEEP, _subjects, 0.2, about=about), Case(SHARES, _shares, 0.2, about=shares)]


class _Lent(Workers):
    """Workers that go on to live when a sweep is over."""

    def __init__(self, workers: Workers) -> None:
        self._workers, self.slots = workers, workers.slots

    def submit(self, task: Task) -> Future[list[Outcome]]:
        """Hand over `task`."""
        return self._workers.submit(task)

    def close(self) -> None:
        """Keep them."""


def _subjects(smoke: bool) -> Subjects:
    """Return sweeps by one process and by two, and their trainings without anything around them."""
    read = _read(epochs=2 if smoke else 240, cells=2 if smoke else _CELLS)
    one, two = _warm(1, read), _warm(2, read)

    def bare() -> float:
        seconds = 0.0
        with threadpool_limits(1):
            for cell in read.cells:
                experiment = build(cell.config, to_train=True)
                state = TrainingState.start(experiment)
                start = perf_counter()
                train(experiment, state)
                seconds += perf_counter() - start
        return seconds

    def beside() -> float:
        seconds = bare()
        return max((_swept(read, one) - seconds) / len(read.cells), 1e-6)

    return {
        "bare trainings": Subject(bare, threads=1, tells=True, told="without data, folders, checkpoints"),
        "sweep, 1 job": Subject(lambda: _swept(read, one), threads=1, tells=True),
        "sweep, 2 jobs": Subject(lambda: _swept(read, two), threads=1, tells=True),
        "a cell beside its training": Subject(
            beside, threads=1, tells=True, told="of a sweep by one process"
        ),
        "what it may take": Subject(lambda: ALLOWED, threads=1, tells=True),
    }


def _shares(smoke: bool) -> Subjects:
    """Return what is done with every cell, by those of whom there is only one."""
    cells, many = (2, 10) if smoke else (40, 1000)
    read, large = _read(epochs=2, cells=cells), _read(epochs=2, cells=many)
    runs = Path(mkdtemp(prefix="jactrain-sweep-"))
    atexit.register(shutil.rmtree, runs, ignore_errors=True)
    workers = LocalWorkers(1)
    try:
        folder = train_sweep(read, runs, lambda: _Lent(workers)).folder
    finally:
        workers.close()

    def rendered() -> None:
        (folder / "report.html").write_text(render(sweep_page(read_record(folder))))

    found = {
        "reading and checking": Subject(lambda: read_sweep(large.path), many),
        "finding it finished": Subject(lambda: train_sweep(read, runs, lambda: _Lent(workers)), cells),
        "the page": Subject(rendered, cells),
    }
    if peers.has("distributed"):
        client = _dask()
        futures = client.get_executor(pure=False)
        found["Dask, handing over and back"] = Subject(
            lambda: [future.result() for future in [futures.submit(abs, -1) for _ in range(many)]], many
        )
    return found


def _dask() -> Any:
    """Return a client of a scheduler with one worker, each a process of its own, over loopback."""
    from distributed import Client, LocalCluster

    folder = mkdtemp(prefix="jactrain-dask-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=folder
    )
    client = Client(cluster)
    atexit.register(cluster.close)
    atexit.register(client.close)
    return client


def _read(epochs: int, cells: int) -> Sweep:
    folder = Path(mkdtemp(prefix="jactrain-sweep-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 64))
    np.savez(folder / "data.npz", x=x, y=np.sin(x).sum(1, keepdims=True))
    (folder / "sweep.yaml").write_text(_EXPERIMENT.format(epochs=epochs, cells=cells))
    return read_sweep(folder / "sweep.yaml")


def _warm(jobs: int, read: Sweep) -> Workers:
    """Return processes that have trained before."""
    workers = LocalWorkers(jobs)
    atexit.register(workers.close)
    _swept(read, workers)
    return workers


def _swept(read: Sweep, workers: Workers) -> float:
    """Return the seconds of one sweep in a folder of its own."""
    with TemporaryDirectory() as runs:
        start = perf_counter()
        result = train_sweep(read, Path(runs), lambda: _Lent(workers))
        seconds = perf_counter() - start
    assert result.is_complete
    return seconds
