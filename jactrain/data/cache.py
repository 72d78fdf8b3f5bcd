"""Datasets of scikit-learn, kept as npz files so that the next run need not import it (0.9 s).

The files lie in `datasets/` of the user's cache folder, or of the folder that the environment variable
JACTRAIN_CACHE names. They may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from jactrain.data.archive import read_arrays
from jactrain.data.base import Dataset, Outline
from jactrain.errors import DataError, UsageError
from jactrain.files import write_atomically

# Part of every key: to be raised when a source computes something else from the same options.
FORMAT = 1
# Larger datasets are computed each time: next to that, an import is no matter.
LARGEST_KEPT = 64 * 2**20


def cached(
    kind: str, options: Mapping[str, Any], outline: Outline, compute: Callable[[], Dataset]
) -> Dataset:
    """Return the dataset kept for `kind`, `options` and scikit-learn's version, or compute and keep it.

    A cache that cannot be read or written is as good as none; a damaged file, or one that does not
    fit `outline`, is written anew. Raises what `compute` raises, nothing else.
    """
    path = folder() / _name(kind, options)
    dataset = _read(path, outline)
    if dataset is None:
        dataset = compute()
        if dataset.x.nbytes + dataset.y.nbytes <= LARGEST_KEPT:
            _write(path, dataset)
    return dataset


def folder() -> Path:
    """Return the folder of the kept datasets, which need not exist."""
    root = os.environ.get("JACTRAIN_CACHE") or platformdirs.user_cache_dir("jactrain", appauthor=False)
    return Path(root) / "datasets"


def _name(kind: str, options: Mapping[str, Any]) -> str:
    version = importlib.metadata.version("scikit-learn")
    key = json.dumps([FORMAT, version, kind, options], sort_keys=True)
    return f"{kind}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npz"


def _read(path: Path, outline: Outline) -> Dataset | None:
    try:
        arrays = read_arrays(path, ("x", "y", "features"))
        dataset = Dataset(arrays["x"], arrays["y"], outline.task, tuple(arrays["features"].tolist()))
    except DataError:
        return None
    return dataset if dataset.outline == outline else None


def _write(path: Path, dataset: Dataset) -> None:
    features = np.array(dataset.features, dtype=np.str_)
    with contextlib.suppress(
        OSError, UsageError
    ):  # a full disk or a read-only folder costs time, not the run
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: np.savez(file, x=dataset.x, y=dataset.y, features=features))
