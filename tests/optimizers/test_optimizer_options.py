import json
from typing import Any

import numpy as np
import pytest
from optimizer_cases import made
from pydantic import ValidationError

from jactrain.config.schema import json_schema
from jactrain.optimizers import optimizers, schedules
from jactrain.registry import Options, as_configuration

RATES: list[Any] = [
    0.3,
    {"step": {"initial": 0.1, "every": 3.0, "factor": 0.5}},
    {"exponential": {"initial": 0.1, "decay": 0.9}},
    {"cosine": {"initial": 0.1, "final": 0.0}},
    {"linear_warmup": {"epochs": 2.0, "then": 0.1, "start": 0.01}},
    {"linear_warmup": {"epochs": 2.0, "then": {"cosine": {"initial": 0.1, "final": 0.0}}, "start": 0.01}},
]


def mistakes(configuration: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        optimizers.resolve(configuration)
    return [(".".join(map(str, each["loc"])), each["msg"]) for each in caught.value.errors()]


@pytest.mark.parametrize("rate", RATES, ids=str)
def test_a_resolved_optimizer_is_written_as_it_is_read(case: Any, rate: Any) -> None:
    optimizer = made(case, learning_rate=rate, clip_norm=2.0)
    written = json.loads(json.dumps(as_configuration(optimizer)))
    assert next(iter(written.values()))["learning_rate"] == rate
    assert optimizers.resolve(written) == optimizer


def test_every_optimizer_has_defaults_that_are_read_back() -> None:
    for name in optimizers.names():
        default = optimizers.resolve(name)
        assert optimizers.resolve(as_configuration(default)) == default


def test_a_number_and_a_constant_schedule_are_the_same() -> None:
    number = made("sgd", learning_rate=1)
    assert number == made("sgd", learning_rate={"constant": {"value": 1.0}})
    assert number == made("sgd", learning_rate=schedules.resolve({"constant": {"value": 1.0}}))
    assert number.learning_rate.rate(0.0, 1.0) == 1.0


KINDS = "constant, cosine, exponential, linear_warmup, step"

BAD_RATES: list[tuple[Any, str]] = [
    (0, "expected a number greater than 0 or a schedule, not 0"),
    (-0.1, "expected a number greater than 0 or a schedule, not -0.1"),
    (float("nan"), "expected a number greater than 0 or a schedule, not nan"),
    (float("inf"), "expected a number greater than 0 or a schedule, not inf"),
    (True, "expected a number greater than 0 or a schedule, not True"),
    (None, "expected a number greater than 0 or a schedule, not None"),
    ([0.1], "expected a number greater than 0 or a schedule, not [0.1]"),
    ("{abc}", f"expected a number greater than 0 or a schedule, not '{{abc}}'; there are {KINDS}"),
    ("cosin", "expected a number greater than 0 or a schedule, not 'cosin'; did you mean cosine?"),
    ({}, "a schedule is its name (constant) or {name: {options}}, not a mapping with the 0 keys "),
]


@pytest.mark.parametrize(("rate", "message"), BAD_RATES, ids=str)
def test_a_bad_rate_is_one_mistake_at_its_key(rate: Any, message: str) -> None:
    assert mistakes({"sgd": {"learning_rate": rate}}) == [("sgd.learning_rate", message)]


def test_a_number_too_large_for_a_float_is_refused() -> None:
    (mistake,) = mistakes({"sgd": {"learning_rate": 10**400}})
    assert mistake[1].startswith("expected a number greater than 0 or a schedule, not 1000")


def test_an_optimizer_is_no_schedule() -> None:
    ((place, message),) = mistakes({"sgd": {"learning_rate": made("adam")}})
    assert place == "sgd.learning_rate"
    assert message.startswith("expected a number greater than 0 or a schedule, not Adam(")


BAD_OPTIONS: list[tuple[Any, str, str]] = [
    (
        {"sgd": {"nesterov": True}},
        "sgd.nesterov",
        "Value error, nesterov needs a momentum greater than 0; set momentum: 0.9, for example",
    ),
    (
        {"sgd": {"learning_rate": {"cosin": {"initial": 0.1}}}},
        "sgd.learning_rate.cosin",
        "there is no schedule 'cosin'; did you mean cosine?",
    ),
    (
        {"sgd": {"learning_rate": {"linear_warmup": {"epochs": 1, "then": 0}}}},
        "sgd.learning_rate.linear_warmup.then",
        "expected a number greater than 0 or a schedule, not 0",
    ),
    (
        {"adam": {"learning_rate": {"cosine": {"initial": 0.1, "finl": 0}}}},
        "adam.learning_rate.cosine.finl",
        "unknown key 'finl'; did you mean final?",
    ),
    ({"sgd": {"momentum": 1.0, "nesterov": True}}, "sgd.momentum", "Input should be less than 1"),
    ({"sgd": {"weight_decay": -1}}, "sgd.weight_decay", "Input should be greater than or equal to 0"),
    ({"adam": {"clip_norm": 0}}, "adam.clip_norm", "Input should be greater than 0"),
    ({"adam": {"beta2": 1}}, "adam.beta2", "Input should be less than 1"),
    ({"rmsprop": {"epsilon": 0}}, "rmsprop.epsilon", "Input should be greater than 0"),
    ({"adamw": {"epsilom": 0.9}}, "adamw.epsilom", "unknown key 'epsilom'; did you mean epsilon?"),
]


@pytest.mark.parametrize(("configuration", "place", "message"), BAD_OPTIONS, ids=str)
def test_a_bad_option_is_one_mistake_at_its_key(configuration: Any, place: str, message: str) -> None:
    assert mistakes(configuration) == [(place, message)]


def test_every_option_is_described() -> None:
    for registry in (optimizers, schedules):
        for name in registry.names():
            for option, field in registry.get(name).model_fields.items():
                assert field.description, f"{name}.{option}"


def test_the_json_schema_takes_a_rate_as_a_number_or_a_schedule() -> None:
    class Top(Options):
        pass

    schema = json_schema(Top, [optimizers, schedules])
    learning_rate = schema["$defs"]["SGD"]["properties"]["learning_rate"]
    assert learning_rate["anyOf"] == [
        {"type": "number", "exclusiveMinimum": 0},
        {"$ref": "#/$defs/schedules"},
    ]
    assert learning_rate["default"] == 0.01


def test_without_momentum_sgd_keeps_no_state() -> None:
    assert made("sgd").initial_state(np, np.ones(3)) == {}
