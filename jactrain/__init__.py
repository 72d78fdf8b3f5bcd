"""Train neural networks by any way of differentiating them, and know whether it is right."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jactrain.config.build import build
    from jactrain.config.files import load_config
    from jactrain.differentiate import value_and_gradient
    from jactrain.network import Network
    from jactrain.runs.model import load_run
    from jactrain.runs.resume import resume
    from jactrain.runs.run import run
    from jactrain.sweeps.sweep import sweep

__version__ = "0.1.0"
__all__ = ["Network", "build", "load_config", "load_run", "resume", "run", "sweep", "value_and_gradient"]

# Imported when first asked for, so that `jactrain --help` need not wait for NumPy.
_HOMES = {
    "Network": "jactrain.network",
    "build": "jactrain.config.build",
    "load_config": "jactrain.config.files",
    "load_run": "jactrain.runs.model",
    "resume": "jactrain.runs.resume",
    "run": "jactrain.runs.run",
    "sweep": "jactrain.sweeps.sweep",
    "value_and_gradient": "jactrain.differentiate",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'jactrain' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
