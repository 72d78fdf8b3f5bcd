"""What tests of sweeps need: a cache of their own, and a process that stays as it was."""

import os
import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def apart(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give back what a worker changes of its process: its variables and its command line."""
    before, arguments = dict(os.environ), sys.argv
    monkeypatch.setenv("JACTRAIN_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    yield
    sys.argv = arguments
    os.environ.clear()
    os.environ.update(before)
