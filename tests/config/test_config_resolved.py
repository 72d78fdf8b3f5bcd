"""A resolved configuration is read back as the same configuration."""

from pathlib import Path

import pytest

from jactrain.config.load import validated
from jactrain.config.models import Config
from jactrain.config.resolved import resolved, resolved_yaml
from jactrain.config.yaml import parse
from jactrain.registry import Component, as_configuration

PLAIN = {
    "name": "plain",
    "data": {"source": {"csv": {"path": "/data.csv", "target": "y"}}},
    "network": ["linear"],
    "loss": "mean_squared_error",
    "optimizer": {"adam": {"learning_rate": 0.1}},
}


def read_back(config: Config) -> Config:
    return validated(parse(resolved_yaml(config), "config.resolved.yaml"), Config, {"folder": Path("/else")})


@pytest.mark.parametrize("number", [1e-08, 0.1 + 0.2, 1e22, 5e-324, 1.7976931348623157e308, 1.0, 123456789.0])
def test_numbers_are_read_back_to_the_bit(number: float) -> None:
    options = {"optimizer": {"adam": {"learning_rate": number, "epsilon": number}}}
    config = Config.model_validate({**PLAIN, **options}, context={"folder": Path("/")})
    assert read_back(config) == config


@pytest.mark.parametrize(
    "text",
    [
        *("1e3", "1", "0o7", "0x1F", ".nan", "null", "~", "true", "no", "1_000", "2024-01-01", "=", "<<"),
        *("a: b", "- a", "#a", "&a", "*a", "!a", "[a", "%", "'a'", '"', "a\\b"),
        *("é β 名", " a ", "a\nb", "a\tb", "word " * 60),
    ],
)
def test_text_is_read_back_as_text(text: str) -> None:
    source = {"csv": {"path": "/data.csv", "target": text}}
    config = Config.model_validate({**PLAIN, "data": {"source": source}}, context={"folder": Path("/")})
    assert resolved(read_back(config)) == resolved(config)


def test_a_layer_that_occurs_twice_is_written_twice() -> None:
    layer = {"linear": {"units": 3}}
    config = Config.model_validate({**PLAIN, "network": [layer, layer, "linear"]}, context={"folder": Path()})
    assert read_back(config) == config


def test_a_null_in_place_of_a_default_is_kept() -> None:
    class Bounded(Component):
        """Has an option with a default, which null takes away, and one that is null by default."""

        bound: int | None = 3
        name: str | None = None

    Bounded.kind = "bounded"
    assert as_configuration(Bounded(bound=None)) == {"bounded": {"bound": None}}
    assert as_configuration(Bounded()) == {"bounded": {"bound": 3}}
