"""Plug-ins: modules that register layers, modes, … and are named on the command line, never in a file."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

from jactrain.errors import UsageError


def load_plugins(modules: Sequence[str] | None) -> None:
    """Import each of `modules`, found in the current folder or installed; UsageError if that fails."""
    for module in modules or ():
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            importlib.import_module(module)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a third party's module raises is told, not shown as ours
            raise UsageError(
                f"the plug-in {module!r} cannot be imported ({type(error).__name__}: {error}); --plugin "
                "takes the name of a Python module that is installed or lies in the current folder"
                f"{_as_module(module)}"
            ) from error


def _as_module(path: str) -> str:
    """Return what to write instead of the path of a file in the current folder."""
    parts = Path(path).with_suffix("").parts if path.endswith(".py") else ()
    return f": --plugin {'.'.join(parts)}" if parts and all(map(str.isidentifier, parts)) else ""
