"""Pages that several tests look at, made once; and runs, real ones and such as are damaged by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from report_records import comparison, hostile

import jactrain
from jactrain.config.yaml import parse
from jactrain.report.comparison import comparison_page
from jactrain.report.page import Page, render

CONFIGURATION = """\
name: toy
data: {source: {moons: {examples: 60}}, validation: 0.25, scale: standard}
network:
  - linear: {units: 4}
  - tanh
  - linear
loss: binary_cross_entropy
mode: reverse
optimizer: {sgd: {learning_rate: 0.1}}
training: {epochs: 4, batch_size: 15}
agreement: {modes: [forward, finite_difference], every: 3, examples: 10}
"""


@pytest.fixture(scope="session")
def page() -> Page:
    return comparison_page(comparison())


@pytest.fixture(scope="session")
def html(page: Page) -> str:
    return render(page)


@pytest.fixture(scope="session")
def hostile_html() -> str:
    return render(comparison_page(hostile()))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run, which nobody changes."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "toy.yaml").write_text(CONFIGURATION, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACTRAIN_CACHE", str(folder / "cache"))
        return Path(jactrain.run(folder / "toy.yaml", folder / "runs").folder)


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the real run, to be damaged."""
    return Path(shutil.copytree(trained, tmp_path / trained.name))


@pytest.fixture
def make_run(trained: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that copies the run under another name, with text replaced in its configuration."""

    def make(called: str, *changes: tuple[str, str], **meta: Any) -> Path:
        folder = Path(shutil.copytree(trained, tmp_path / called))
        path = folder / "config.resolved.yaml"
        text = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        assert isinstance(parse(text, "changed").value, dict)
        path.write_text(text, encoding="utf-8")
        record = json.loads((folder / "meta.json").read_text(encoding="utf-8")) | meta
        record = {name: value for name, value in record.items() if value is not None}
        (folder / "meta.json").write_text(json.dumps(record), encoding="utf-8")
        return folder

    return make
