"""What a terminal shows while something trains: a bar, the newest figures, and what is stopping."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from jactrain.cli.progress import ProgressListener
from jactrain.cli.sweep_progress import SweepProgress
from jactrain.config.build import build
from jactrain.config.files import load_config
from jactrain.sweeps.folder import Status
from jactrain.sweeps.task import Outcome
from jactrain.training.engine import Engine
from jactrain.training.state import TrainingState


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have rich take what it writes to for a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_a_run_shows_a_bar_and_its_figures(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("run", toy())
    assert done.code == 0
    assert "epoch " in done.err
    assert "━" in done.err
    assert "train loss" in done.err
    assert "\x1b" in done.err


def test_a_sweep_shows_a_table(jactrain: Callable, toy: Callable, folder: Path) -> None:
    (folder / "e.yaml").write_text(f"base: {toy()}\nseeds: 2\n")
    done = jactrain("sweep", "e.yaml")
    assert done.code == 0
    assert "2 of 2 cells done (2 finished this time), 0 running" in done.err


def test_that_a_training_stops_stays_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressListener() as progress:
        progress.on_stopping()
        progress.on_note("something")
    shown = capsys.readouterr().err
    assert Engine.stopping in shown
    assert "note: something" in shown


def test_another_engine_says_when_it_stops(capsys: pytest.CaptureFixture[str], toy: Callable) -> None:
    experiment = build(load_config(toy(("mode: reverse", "mode: reverse\nengine: jax"))))
    with ProgressListener() as progress:
        progress.on_start(experiment, TrainingState.start(experiment))
        progress.on_stopping()
    assert "stopping at the end of this program, an epoch mostly" in capsys.readouterr().err


def test_that_a_sweep_stops_stays_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    with SweepProgress() as progress:
        progress.on_start(Path("runs/e"), 3, 1)
        progress.on_begin("a")
        progress.on_stopping("what is being trained keeps a checkpoint")
        progress.on_outcome(Outcome("a", Status.INTERRUPTED))
        progress.on_outcome(Outcome("b", Status.NOT_BEGUN))
        progress.on_note("something")
    shown = capsys.readouterr().err
    assert "1 of 3 cells done (1 interrupted this time), 0 running" in shown
    assert "stopping: what is being trained keeps a checkpoint; Ctrl-C again to stop at once" in shown
    assert "note: something" in shown


def test_a_mode_that_disagrees_is_told_of_at_once_and_again_at_the_end(
    toy: Callable, jactrain: Callable
) -> None:
    Path("wrong_at_first.py").write_text(
        "from jactrain.layers import layers\nfrom jactrain.layers.tanh import Tanh\n\n"
        '@layers.register("wrong_at_first")\nclass Wrong(Tanh):\n    """A tanh whose vjp is wrong."""\n\n'
        "    def vjp(self, *arguments):\n        return super().vjp(*arguments) * 2\n"
    )
    changes = ("- tanh", "- wrong_at_first"), ("modes: [forward]", "modes: [forward], every: 2")
    arguments = ("run", toy(*changes), "--plugin", "wrong_at_first")
    done = jactrain(*arguments)
    assert done.code == 0
    assert done.err.count("note: at step 0 forward disagrees with reverse by ") == 1
    assert done.err.count("disagrees with reverse by") == 1
    assert "note: forward disagreed or failed at 2 earlier comparisons, the first at step 0;" in done.err
    assert json.loads(jactrain(*arguments, "--json").out)["disagreements"] == {"forward": [0, 2, 4]}
