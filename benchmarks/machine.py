"""What the figures were seen on."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_info

_PACKAGES = ("numpy", "scipy", "scikit-learn", "torch", "jax", "jactrain")


def description() -> dict[str, Any]:
    """Return processor, threads of every pool as they are now, and versions."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES},
        "threads": {"torch": torch.get_num_threads()}
        | {Path(pool["filepath"]).name: pool["num_threads"] for pool in threadpool_info()},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()
