"""A small experiment, built from options."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jactrain.config.build import build
from jactrain.config.models import Config
from jactrain.training.experiment import Experiment


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Experiment]:
    """Return a function that builds an experiment on Friedman's function, some options changed."""
    monkeypatch.setenv("JACTRAIN_CACHE", str(tmp_path / "cache"))

    def make(**options: Any) -> Experiment:
        given = {
            "name": "toy",
            "dtype": "float64",
            "data": {
                "source": {"friedman1": {"examples": 60, "noise": 2.0}},
                "scale": "standard",
                "scale_targets": "standard",
            },
            "network": [{"linear": {"units": 16}}, "tanh", {"dropout": {"rate": 0.1}}, "linear"],
            "loss": "mean_squared_error",
            "optimizer": {"adam": {"learning_rate": 0.03}},
            "training": {"epochs": 4, "batch_size": 20},
        }
        return build(Config.model_validate({**given, **options}, context={"folder": tmp_path}))

    return make


@pytest.fixture
def quick() -> Iterator[None]:
    """Let XLA optimise little: for programs that run a few times, compiling is nearly all of their time."""
    import jax

    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
