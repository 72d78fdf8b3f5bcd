"""The folders that a comparison writes into, made before anything is measured."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from jactrain.errors import UsageError
from jactrain.files import reachable
from jactrain.runs.directory import RunDirectory

RECORD = "comparison.json"


@contextlib.contextmanager
def new_folder(base: Path, name: str, figures: Path | None = None) -> Iterator[Path]:
    """Make a new folder below `base`, and `figures`, and give the first.

    Whatever ends the block before comparison.json is in it, Ctrl-C included, what was made is removed again.
    Raises FileAccessError for a folder that cannot be made or written into.
    """
    made = [*_missing(base), *(_missing(figures) if figures else ())]
    folder = None
    try:
        if figures is not None:
            _make(figures)
        folder = RunDirectory.create(base, name).path
        yield folder
    except BaseException:
        if folder is None or not (folder / RECORD).exists():
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            for path in made:
                with contextlib.suppress(OSError):  # it is not empty, or was never made
                    path.rmdir()
        raise


def _missing(path: Path) -> list[Path]:
    """Return `path` and its parents that do not exist, the innermost first."""
    return [each for each in (path, *path.parents) if not os.path.lexists(each)]


def _make(figures: Path) -> None:
    with reachable(figures, "made"):
        if figures.exists() and not figures.is_dir():
            raise UsageError(f"{figures} is a file, and figures need a folder; choose another with --figures")
        figures.mkdir(parents=True, exist_ok=True)
    if not os.access(figures, os.W_OK | os.X_OK):
        raise UsageError(f"no file can be made in {figures}; choose another folder with --figures")
