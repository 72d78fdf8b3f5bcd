"""The folder of one run: its name, its files, and finding it again."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jactrain.errors import FileAccessError, RunError
from jactrain.files import UNFINISHED, reachable, sync_folder

# What the folder of a sweep has, whose cells are runs.
EXPERIMENT_FILE = "experiment.yaml"
CELLS_FILE = "cells.json"
# How a run ended before its end, in words, by the status in its `meta.json`.
ENDINGS = {
    "diverged": "diverged",
    "interrupted": "was interrupted",
    "failed": "failed",
    "pruned": "was pruned",
}


@dataclass(frozen=True)
class RunDirectory:
    """`runs/<UTC time>-<name>-<4 hex>/` and the files in it."""

    path: Path

    @classmethod
    def create(
        cls, base: Path, name: str, fill: Callable[[RunDirectory], None] = lambda _: None
    ) -> RunDirectory:
        """Make a new folder below `base` with what `fill` writes; FileAccessError if that is not possible.

        It appears under its name with all of that in it, or not at all. The four hexadecimal digits keep two
        runs of one second apart.
        """
        with _unfinished(base, fill) as unfinished:
            for _ in range(100):
                time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
                path = base / f"{time}-{name}-{secrets.token_hex(2)}"
                if not path.exists():
                    return cls(_named(unfinished, path))
            raise RunError(f"no folder for the run can be made in {base}; choose another place with --runs")

    @classmethod
    def create_at(cls, path: Path, fill: Callable[[RunDirectory], None]) -> RunDirectory:
        """Make the new folder `path`, as `create` does; RunError where there is something already."""
        with _unfinished(path.parent, fill) as unfinished:
            if os.path.lexists(path):
                raise RunError(f"{path} is there already; resume it, or choose another place")
            return cls(_named(unfinished, path))

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Return the run at `path`; RunError if there is none."""
        run = cls(path)
        with reachable(path):
            if not path.is_dir():
                raise RunError(f"there is no run at {path}; give the folder that `jactrain run` printed")
            if not run.resolved_config.is_file():
                what = f"it has no {run.resolved_config.name}"
                if (path / EXPERIMENT_FILE).is_file():
                    what = "it is a sweep's, each of whose cells has one; sweep and report take it as a whole"
                elif newest := max(path.glob(f"[!.]*/{run.resolved_config.name}"), default=None):
                    what += f"; the newest run in it is {newest.parent}"
                raise RunError(f"{path} is no run's folder: {what}")
        return run

    def remove_unfinished(self) -> None:
        """Remove the files that a process which was killed had not finished."""
        for folder in (self.path, self.checkpoints):
            for path in folder.glob(f"{UNFINISHED}*"):
                with contextlib.suppress(OSError):
                    path.unlink()

    def resume_command(self, diverged_by: str = "") -> str:
        """Return what to type to go on with the run; diverged_by: the optimizer that is to take less."""
        lower = f" --set optimizer.{diverged_by}.learning_rate=…" if diverged_by else ""
        return f"jactrain resume {shlex.quote(str(self.path))}{lower}"

    @property
    def repeat_command(self) -> str:
        """What to type to train its configuration anew, in another folder."""
        return f"jactrain run {shlex.quote(str(self.resolved_config))}"

    @property
    def config(self) -> Path:
        """The configuration as it was given."""
        return self.path / "config.yaml"

    @property
    def resolved_config(self) -> Path:
        """The configuration with every option spelled out; running it repeats the run."""
        return self.path / "config.resolved.yaml"

    @property
    def meta(self) -> Path:
        """Versions, machine, seed, status."""
        return self.path / "meta.json"

    def read_meta(self) -> dict[str, Any]:
        """Return what `meta.json` says; nothing where it is missing, or no mapping in JSON."""
        try:
            meta = json.loads(self.meta.read_text(encoding="utf-8")) if self.meta.is_file() else None
        except (OSError, ValueError, RecursionError):
            return {}
        return meta if isinstance(meta, dict) else {}

    @property
    def metrics(self) -> Path:
        """A line an epoch."""
        return self.path / "metrics.jsonl"

    @property
    def agreement(self) -> Path:
        """A line for each mode compared at a step."""
        return self.path / "agreement.jsonl"

    @property
    def weights(self) -> Path:
        """The trained parameters and what is needed to predict with them."""
        return self.path / "weights.npz"

    @property
    def checkpoints(self) -> Path:
        """The folder of what the run is resumed from."""
        return self.path / "checkpoints"

    @property
    def lock(self) -> Path:
        """Locked by the process that trains."""
        return self.path / ".lock"

    @property
    def log(self) -> Path:
        """What was shown while training."""
        return self.path / "log.txt"


@contextlib.contextmanager
def _unfinished(base: Path, fill: Callable[[RunDirectory], None]) -> Iterator[Path]:
    """Make a folder below `base` that `fill` has filled, to be named; it is removed if that fails."""
    try:
        base.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=base))
    except OSError as error:
        raise FileAccessError(
            f"a folder in {base} cannot be made: {'it is a file' if base.is_file() else error.strerror}; "
            "choose another place with --runs"
        ) from None
    try:
        umask = os.umask(0)
        os.umask(umask)
        unfinished.chmod(0o777 & ~umask)  # mkdtemp makes folders that only their owner can enter
        fill(RunDirectory(unfinished))
        yield unfinished
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _named(unfinished: Path, path: Path) -> Path:
    with reachable(path, "made"):
        unfinished.rename(path)
    sync_folder(path.parent)
    return path
