"""What tests of this folder start from: broken input, or a run of their own."""

import sys

import numpy as np
import pytest
import yaml
from fuzzing import FOLDER, SEEDS, bounded_address_space
from run_folders import only_run, sets

from jactrain.cli import main
from jactrain.config.build import build
from jactrain.config.files import load_config
from jactrain.training.checkpoint import save
from jactrain.training.state import TrainingState


@pytest.fixture
def apart(tmp_path, monkeypatch):
    """Keep a test from the user's cache, and from taking all memory."""
    monkeypatch.setenv("JACTRAIN_CACHE", str(tmp_path / "cache"))
    with bounded_address_space():
        yield


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The bytes of a checkpoint with every member there can be, and their names."""
    folder = tmp_path_factory.mktemp("checkpoint")
    (folder / "houses.csv").write_bytes((FOLDER / "houses.csv").read_bytes())
    (folder / "a.yaml").write_text(SEEDS["csv.yaml"])
    state = TrainingState.start(build(load_config(folder / "a.yaml")))
    state.step, state.epoch, state.best_epoch, state.best_loss, state.seconds = 7, 3, 2, 0.25, 1.5
    state.metrics = {"training_loss": 0.5, "validation_loss": None}
    state.best_parameters = state.parameters * 2
    drawn = np.random.default_rng(1)
    for array in state.optimizer.values():
        array[...] = drawn.integers(1, 9, array.shape)
    state.order = np.random.default_rng(0).permutation(64)
    save(folder / "step-7.npz", state, {"files": {"steps.csv": 120}, "text": "ü"})
    return (folder / "step-7.npz").read_bytes()


@pytest.fixture(scope="session", autouse=True)
def _environment(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACTRAIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def jactrain(capsys, monkeypatch):
    """Return a function that calls the command line in this process: exit code, stdout, stderr."""

    def call(*arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["jactrain", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as ending:
            code = int(ending.code or 0)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "moons.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "name": "moons",
                "data": {"source": {"moons": {"examples": 80}}, "validation": 0.25},
                "network": [{"linear": {"units": 8}}, "tanh", {"dropout": {"rate": 0.2}}, "linear"],
                "loss": "cross_entropy",
                "mode": "reverse",
                "optimizer": {"adam": {"learning_rate": 0.01}},
                "training": {"epochs": 4, "batch_size": 13, "checkpoints": {"share": 1.0}},
                "agreement": {"modes": ["forward"], "every": 3, "examples": 8},
            }
        )
    )
    return path


@pytest.fixture
def begun(jactrain, config, tmp_path):
    """Return a function that trains into a folder of its own below tmp_path, and returns the run's."""

    def train(name="runs", *changes):
        code, _, err = jactrain("run", config, "--runs", tmp_path / name, *sets(changes))
        assert code == 0, err
        return only_run(tmp_path / name)

    return train
