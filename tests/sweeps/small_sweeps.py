"""Sweeps of trainings that take milliseconds, and what they leave."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np

from jactrain.config.resolved import as_yaml
from jactrain.sweeps.sweep import SweepResult, sweep
from jactrain.sweeps.task import Outcome, Task, train_cells
from jactrain.sweeps.workers import Workers

RATE = "optimizer.sgd.learning_rate"
BASE: dict[str, Any] = {
    "data": {"source": {"npz": {"path": "data.npz"}}, "validation": 0.25},
    "network": [{"linear": {"units": 4}}, "tanh", "linear"],
    "loss": "mean_squared_error",
    "optimizer": {"sgd": {"learning_rate": 0.1}},
    "training": {"epochs": 3, "batch_size": 16, "checkpoints": {"share": 1.0}},
}


class ThisProcess(Workers):
    """Trains in the process that asks, at once: nothing has to be started."""

    slots = 1

    def submit(self, task: Task) -> Future[list[Outcome]]:
        future: Future[list[Outcome]] = Future()
        try:
            future.set_result(train_cells(task))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        pass


def write_data(folder: Path) -> None:
    """Write 64 examples of three inputs and one number, as data.npz."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((64, 3))
    np.savez(folder / "data.npz", x=x, y=np.sin(x).sum(1, keepdims=True))


def written(folder: Path, file: str = "e.yaml", base: Any = None, **parts: Any) -> Path:
    """Write the data and an experiment over the base, in `folder`; return the experiment's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_data(folder)
    path = folder / file
    path.write_text(as_yaml({"base": BASE if base is None else base, **parts}))
    return path


def with_training(**settings: Any) -> dict[str, Any]:
    return {**BASE, "training": {**BASE["training"], **settings}}


def trained(path: Path, **settings: Any) -> SweepResult:
    """Train in this process, in `runs` beside the file."""
    settings.setdefault("workers", ThisProcess)
    return sweep(path, path.parent / "runs", **settings)


def statuses(result: SweepResult) -> dict[str, str]:
    return {row["name"]: row["status"] for row in result.rows}


def cells_of(runs: Path) -> list[Path]:
    """Return the folders of the cells, without those that were set aside."""
    return sorted(path for path in runs.iterdir() if path.is_dir() and not path.name.startswith("."))


def meta(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "meta.json").read_text())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def hashes(runs: Path) -> dict[str, str]:
    """Return what stands for the final weights of every cell that has some."""
    found = {}
    for folder in cells_of(runs):
        if meta(folder)["status"] == "finished":
            digest = hashlib.sha256()
            with np.load(folder / "weights.npz") as file:
                for name in sorted(file.files):
                    digest.update(f"{name} {file[name].dtype.str}".encode() + file[name].tobytes())
            found[folder.name] = digest.hexdigest()
    return found


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and bytes of every file below `folder`."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def command(path: Path, *options: object) -> list[str]:
    runs = path.parent / "runs"
    return [sys.executable, "-m", "jactrain", "sweep", str(path), "--runs", str(runs), *map(str, options)]


def done(path: Path, *options: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, in a process of its own."""
    return subprocess.run(
        command(path, *options), capture_output=True, text=True, timeout=300, cwd=cwd, env=os.environ
    )


def children(pid: int, word: str) -> list[int]:
    """Return the processes that `pid` has started whose command line has `word`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                text = (entry / "cmdline").read_text()
            except (OSError, ValueError):  # it has ended meanwhile
                continue
            if parent == pid and word in text:
                found.append(int(entry.name))
    return sorted(found)
