"""What tests of broken input start from."""

import numpy as np
import pytest
from fuzzing import FOLDER, SEEDS, bounded_address_space

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
