"""What the figures were seen on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

from benchmarks import peers, threads

_PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "jax", "jactrain")


def description() -> dict[str, Any]:
    """Return processor, threads of every pool as they come, and versions; imports the peers there are."""
    pools: dict[str, int] = {}
    if peers.has("scipy"):
        import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which is to be listed
    if peers.has("torch"):
        import torch

        pools["PyTorch"] = torch.get_num_threads()
    for pool in threadpool_info():
        pools[Path(pool["filepath"]).name] = pool["num_threads"]
    return {
        "processor": _processor(),
        "cores": threads.cores(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {package: found for package in _PACKAGES if (found := _version(package))},
        "threads": pools,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
