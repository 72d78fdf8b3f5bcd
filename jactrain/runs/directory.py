"""The folder of one run: its name, its files, and finding it again."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jactrain.errors import RunError
from jactrain.files import reachable


@dataclass(frozen=True)
class RunDirectory:
    """`runs/<UTC time>-<name>-<4 hex>/` and the files in it."""

    path: Path

    @classmethod
    def create(cls, base: Path, name: str) -> RunDirectory:
        """Make a new folder below `base`; RunError if that is not possible.

        The four hexadecimal digits keep two runs of one second apart.
        """
        for _ in range(100):
            now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
            path = base / f"{now}-{name}-{secrets.token_hex(2)}"
            try:
                path.mkdir(parents=True)
            except FileExistsError:
                if base.exists() and not base.is_dir():
                    break
                continue
            except OSError as error:
                raise RunError(
                    f"the run's folder {path} cannot be made: {error.strerror}; "
                    "choose another place with --runs"
                ) from None
            return cls(path)
        raise RunError(f"no folder for the run can be made in {base}; choose another place with --runs")

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Return the run at `path`; RunError if there is none."""
        run = cls(path)
        with reachable(path):
            if not path.is_dir():
                raise RunError(f"there is no run at {path}; give the folder that `jactrain run` printed")
            if not run.resolved_config.is_file():
                raise RunError(f"{path} is no run's folder: it has no {run.resolved_config.name}")
        return run

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
    def log(self) -> Path:
        """What was shown while training."""
        return self.path / "log.txt"
