from typing import Any

import pytest
from jsonschema import Draft7Validator

from jactrain.config.schema import json_schema
from jactrain.config.yaml import parse
from jactrain.registry import Component, Options, Registry


@pytest.fixture
def schema(model: type[Options], layers: Registry[Any], optimizers: Registry[Any]) -> dict[str, Any]:
    return json_schema(model, [layers, optimizers])


def test_the_schema_is_a_draft_7_schema(schema: dict[str, Any]) -> None:
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(schema)


ACCEPTED = [
    "name: toy",
    "network: [tanh, {tanh: }, {tanh: {}}, {linear: {units: 3}}]",
    "network: [{residual: {network: [tanh, {residual: {network: [{linear: {units: 3}}]}}]}}]",
    "optimizer: sgd",
    "optimizer: {sgd: {learning_rate: 0.1}}",
    "optimizer: 0.1",
    "optimizer: ~",
    "sizes: [1, 2]",
    "training: {epochs: 3}",
]
REFUSED = [
    "nam: toy",
    "network: [linear]",
    "network: [{linear: }]",
    "network: [{linear: {unit: 3}}]",
    "network: [{linear: {units: 0}}]",
    "network: [{tanh: {}, linear: {units: 3}}]",
    "network: [sgd]",
    "network: [{residual: {network: [tanh, {residual: {network: [{linear: {units: x}}]}}]}}]",
    "optimizer: sdg",
    "optimizer: {sgd: {learning_rate: 11}}",
    "dtype: float16",
    "training: {epochs: 3.5}",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_the_schema_accepts_what_the_model_accepts(
    schema: dict[str, Any], model: type[Options], text: str
) -> None:
    value = parse(text, "a.yaml").value
    model.model_validate(value)
    Draft7Validator(schema).validate(value)


@pytest.mark.parametrize("text", REFUSED)
def test_the_schema_refuses_what_the_model_refuses(
    schema: dict[str, Any], model: type[Options], text: str
) -> None:
    value = parse(text, "a.yaml").value
    with pytest.raises(ValueError, match=r"validation error"):
        model.model_validate(value)
    assert not Draft7Validator(schema).is_valid(value)


def test_a_kind_is_described_by_the_first_line_of_its_docstring(schema: dict[str, Any]) -> None:
    choices = schema["$defs"]["layers"]["anyOf"]
    assert {"const": "tanh", "description": "Hyperbolic tangent."} in choices
    assert not any(choice.get("const") == "linear" for choice in choices)


def test_options_carry_their_descriptions_and_no_generated_titles(schema: dict[str, Any]) -> None:
    units = schema["$defs"]["Linear"]["properties"]["units"]
    assert units["description"] == "how many outputs"
    assert "title" not in units


def test_what_stands_beside_a_reference_is_kept_for_draft_7(schema: dict[str, Any]) -> None:
    training = schema["properties"]["training"]
    assert training["allOf"] == [{"$ref": "#/$defs/Training"}]
    assert "$ref" not in training


def test_kinds_of_one_class_name_in_two_registries_stay_apart(
    layers: Registry[Any], model: type[Options]
) -> None:
    schedules: Registry[Component] = Registry("schedule", "optimizers")

    @schedules.register("linear")
    class Linear(Component):
        """A straight line."""

        end: float

    schema = json_schema(model, [layers, schedules])
    Draft7Validator(schema).validate(
        {"network": [{"linear": {"units": 3}}], "optimizer": {"linear": {"end": 1.0}}}
    )
    assert not Draft7Validator(schema).is_valid({"network": [{"linear": {"end": 1.0}}]})


def test_a_registry_that_was_not_given_is_named(layers: Registry[Any], model: type[Options]) -> None:
    with pytest.raises(KeyError, match="#/\\$defs/optimizers"):
        json_schema(model, [layers])
