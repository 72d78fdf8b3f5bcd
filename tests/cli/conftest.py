"""The command line, called in this process as a shell would call it."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pytest

from jactrain.cli import main

TOY = """\
name: toy
data: {source: iris, scale: standard}
network:
  - linear: {units: 4}
  - tanh
  - linear
loss: cross_entropy
mode: reverse
optimizer: {sgd: {learning_rate: 0.1}}
training: {epochs: 1, batch_size: 20}
agreement: {modes: [forward]}
"""


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


Jactrain: TypeAlias = Callable[..., Done]


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give all tests one cache, away from the user's, and no wish for colours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACTRAIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def jactrain() -> Jactrain:
    """Return a function that runs the command line with its arguments."""

    def call(*arguments: object) -> Done:
        out, err, code = io.StringIO(), io.StringIO(), 0
        with (
            pytest.MonkeyPatch.context() as patch,
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            patch.setattr(sys, "argv", ["jactrain", *map(str, arguments)])
            try:
                main()
            except SystemExit as ending:
                code = int(ending.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    return call


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what plug-ins of a test register: other tests take what is registered for all that there is."""
    from jactrain.layers import layers
    from jactrain.losses import losses
    from jactrain.modes import modes

    for registry in (layers, losses, modes):
        registry.names()  # have its own kinds found first
        monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the current one, so that runs would be written into it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def toy(folder: Path) -> Callable[..., Path]:
    """Return a function that writes the toy configuration, each `old` replaced by `new`, as toy.yaml."""

    def write(*changes: tuple[str, str]) -> Path:
        text = TOY
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = Path("toy.yaml")
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def plug_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Write a module with a layer that lacks vjp, and return its name."""
    (folder / "one_way_plug_in.py").write_text(
        "from jactrain.extend import Cost, Layer, layers, size_of\n"
        '@layers.register("one_way")\n'
        "class OneWay(Layer):\n"
        '    """Doubles, forward only."""\n'
        "    def cost(self, input_shape):\n"
        "        return Cost(*(size_of(input_shape),) * 5)\n"
        "    def forward(self, xp, params, x, noise=None):\n"
        "        return 2 * x, None\n"
        "    def jvp(self, xp, params, residual, x_dot):\n"
        "        return 2 * x_dot\n"
    )
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "one_way_plug_in"
    sys.modules.pop("one_way_plug_in", None)
