"""Small configurations, built from options or read from `configs/`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jactrain.config.files import load_config
from jactrain.config.models import Config

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture(autouse=True, scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory):
    """Keep loaded data in a folder of the test's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACTRAIN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def shipped() -> Callable[..., Config]:
    """Return a function that reads one of the project's own configurations, with overrides."""
    return lambda name, *overrides: load_config(CONFIGS / f"{name}.yaml", overrides)


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., Config]:
    """Return a function that makes a configuration on Friedman's function, some options changed."""

    def make(**options: Any) -> Config:
        given = {
            "name": "toy",
            "dtype": "float64",
            "data": {
                "source": {"friedman1": {"examples": 60, "noise": 1.0}},
                "scale": "standard",
                "scale_targets": "standard",
            },
            "network": [{"linear": {"units": 6}}, "tanh", "linear"],
            "loss": "mean_squared_error",
            "optimizer": {"sgd": {"learning_rate": 0.1}},
            "training": {"epochs": 3, "batch_size": 20},
        }
        return Config.model_validate({**given, **options}, context={"folder": tmp_path})

    return make
