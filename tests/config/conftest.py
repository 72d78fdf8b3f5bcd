from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import pytest
import yaml as pyyaml
from pydantic import Field, field_validator

import jactrain.config.yaml
from jactrain.config.load import validated
from jactrain.config.yaml import Document, parse
from jactrain.errors import ConfigurationError
from jactrain.registry import Component, ComponentOf, Options, Registry


class Layer(Component):
    """A toy layer."""


layer_registry: Registry[Layer] = Registry("layer", "layers")
optimizer_registry: Registry[Component] = Registry("optimizer", "optimizers")


@layer_registry.register("tanh")
class Tanh(Layer):
    """Hyperbolic tangent.

    What follows the first line is for `describe`.
    """


@layer_registry.register("linear")
class Linear(Layer):
    """An affine map."""

    units: int = Field(gt=0, description="how many outputs")
    bias: bool = True


@layer_registry.register("residual")
class Residual(Layer):
    """Layers with their input added."""

    network: list[Annotated[Layer, ComponentOf(layer_registry)]] = Field(min_length=1)


@optimizer_registry.register("sgd")
class Sgd(Component):
    """Gradient descent."""

    learning_rate: float = Field(default=0.1, gt=0, le=10)


class Training(Options):
    """How long to train."""

    epochs: int = 1
    widths: dict[str, int] = Field(default_factory=dict)


class Top(Options):
    """A toy configuration."""

    name: str = Field(default="toy", min_length=1, max_length=70, pattern="^[a-z]*$")
    dtype: Literal["float32", "float64"] = "float32"
    network: list[Annotated[Layer, ComponentOf(layer_registry)]] = Field(default=[], max_length=4)
    optimizer: float | Annotated[Component, ComponentOf(optimizer_registry)] | None = None
    rate: int | float = 1
    sizes: int | list[int] = 1
    modes: list[str] = Field(default=[], max_length=2)
    validation: float = Field(default=0.1, ge=0, lt=1)
    even: int = Field(default=2, multiple_of=2)
    shuffle: bool = True
    training: Training = Training()

    @field_validator("name")
    @classmethod
    def _not_taken(cls, name: str) -> str:
        if name == "taken":
            raise ValueError("{braces} and a name that is taken")
        return name


@pytest.fixture
def model() -> type[Top]:
    return Top


@pytest.fixture
def layers() -> Registry[Layer]:
    return layer_registry


@pytest.fixture
def optimizers() -> Registry[Component]:
    return optimizer_registry


@pytest.fixture(params=["SafeLoader", "CSafeLoader"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both of PyYAML's parsers: which one is there depends on how it was built."""
    if not hasattr(pyyaml, request.param):
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(jactrain.config.yaml, "_Parser", getattr(pyyaml, request.param))
    return str(request.param)


@pytest.fixture
def complaint() -> Callable[..., str]:
    """Return the text of the ConfigurationError that a configuration meets."""

    def steps(text: str | bytes, overrides: tuple[str, ...], model: type[Options] | None) -> None:
        document = parse(text, "a.yaml")
        for override in overrides:
            document = document.with_override(override)
        if model:
            validated(document, model)

    def complain(text: str | bytes, *overrides: str, model: type[Options] | None = Top) -> str:
        with pytest.raises(ConfigurationError) as caught:
            steps(text, overrides, model)
        return str(caught.value)

    return complain


@pytest.fixture
def document() -> Document:
    return parse(
        "name: toy\nnetwork:\n  - linear: {units: 3}\n  - linear\n  - tanh:\noptimizer: sgd\nmodes: []\n",
        "a.yaml",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "digits.yaml").write_text("name: digits\n")
    (tmp_path / "wine-quality.yaml").write_text("name: wine\n")
    return tmp_path
