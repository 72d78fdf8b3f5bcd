"""No test reads or writes the cache of the person who runs it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jactrain.data.base import Source, sources


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Point the cache to an empty folder and return the folder of its datasets."""
    monkeypatch.setenv("JACTRAIN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Source]:
    """Return a function that writes a table and gives the csv source that reads it."""

    def write(content: str | bytes, **options: Any) -> Source:
        path = tmp_path / "people.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return sources.resolve({"csv": {"path": str(path), **options}})

    return write
