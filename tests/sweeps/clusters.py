"""A Dask cluster over loopback: a scheduler and workers, each a process of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Cluster:
    """The scheduler's address, and the workers' processes."""

    address: str
    workers: list[subprocess.Popen[bytes]]


def _begun(folder: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]],
            cwd=folder,
            env=os.environ | {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "info"},
            stdout=log,
            stderr=log,
        )


def _told(log: Path, pattern: str) -> str:
    """Return what `pattern` finds in a log, once it is there."""
    for _ in range(600):
        if found := re.search(pattern, log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@contextmanager
def dask_cluster(folder: Path, workers: int) -> Iterator[Cluster]:
    folder.mkdir(parents=True)
    processes = [
        _begun(folder, "scheduler", "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    ]
    try:
        address = _told(folder / "scheduler.log", r"Scheduler at:\s+(tcp://\S+)")
        options = ("--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(folder))
        for number in range(workers):
            processes.append(_begun(folder, f"worker-{number}", "dask_worker", address, *options))
        for number in range(workers):
            _told(folder / f"worker-{number}.log", r"(Registered to)")
        yield Cluster(address, processes[1:])
    finally:
        for process in reversed(processes):
            process.kill()
        for process in processes:
            process.wait()
