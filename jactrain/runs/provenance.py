"""Where a run comes from: versions, machine, BLAS, git commit."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import jactrain

SCHEMA_VERSION = 1


def provenance(seed: int, folder: Path) -> dict[str, Any]:
    """Return what a run's `meta.json` says besides its status.

    `folder` is where the run was started; its git commit is recorded if it is under version control.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": seed,
        "argv": [os.fsencode(each).decode(errors="backslashreplace") for each in sys.argv],
        "versions": library_versions(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
        },
        "blas": _blas(),
        "git": _git(folder),
    }


def library_versions() -> dict[str, str | None]:
    """Return the versions of jactrain and of what it computes with."""
    return {
        "jactrain": jactrain.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scikit-learn": _version("scikit-learn"),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _blas() -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_info  # 10 ms, and only here

    keys = ("internal_api", "version", "num_threads", "architecture")
    found = [library for library in threadpool_info() if library["user_api"] == "blas"]
    # Others come with other imports, and compute nothing of a training.
    own = [library for library in found if "numpy" in library["filepath"]] or found
    return [{key: library.get(key) for key in keys} for library in own]


def _git(folder: Path) -> dict[str, Any] | None:
    def git(*arguments: str) -> str:
        return subprocess.run(  # noqa: S603 - fixed arguments, no shell
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - git is where the user has it
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=True,
        ).stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain", "-uno"))}
    except (OSError, subprocess.SubprocessError):
        return None
