import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationInfo, field_validator

from jactrain.config.load import refusal, validated
from jactrain.config.yaml import Document, parse
from jactrain.errors import ConfigurationError, Mistake
from jactrain.registry import Options

NESTED = "network:\n  - tanh\n  - residual:\n      network:\n        - linear: {%s}\n"
# text, the one report's first line without the file, and its advice
MISTAKES = [
    ("rat: 1", "1:1: rat: unknown key 'rat'; did you mean rate?", ""),
    ("name: 3", "1:1: name: expected text, not 3", ""),
    ("name: ''", "1:1: name: expected text of length 1 or more, not ''", ""),
    ("name: A", "1:1: name: expected text that matches ^[a-z]*$, not 'A'", ""),
    (f"name: {'a' * 80}", f"1:1: name: expected text of length 70 or less, not '{'a' * 58}…", ""),
    ("name: taken", "1:1: name: {braces} and a name that is taken", ""),
    ('name: "\\e[31m"', "1:1: name: expected text that matches ^[a-z]*$, not '\\x1b[31m'", ""),
    ("dtype: float_32", "1:1: dtype: expected 'float32' or 'float64', not 'float_32'", "mean float32"),
    ("dtype: x", "1:1: dtype: expected 'float32' or 'float64', not 'x'", ""),
    ("dtype: 3", "1:1: dtype: expected 'float32' or 'float64', not 3", ""),
    ("even: abc", "1:1: even: expected an integer, not 'abc'", ""),
    ("even: 2.0", "1:1: even: expected an integer, not 2.0", "write 2"),
    ("even: 2.5", "1:1: even: expected an integer, not 2.5", ""),
    ("even: '2'", "1:1: even: expected an integer, not '2'", "write 2"),
    ("even: 1_000", "1:1: even: expected an integer, not '1_000'", "write 1000"),
    (f"even: '{'9' * 5000}'", f"1:1: even: expected an integer, not '{'9' * 58}…", ""),
    ("even: true", "1:1: even: expected an integer, not true", ""),
    ("even: ~", "1:1: even: expected an integer, not null", ""),
    ("even: 3", "1:1: even: expected a multiple of 2, not 3", ""),
    ("validation: true", "1:1: validation: expected a number, not true", ""),
    ("validation: .nan", "1:1: validation: expected a finite number, not .nan", ""),
    ("validation: -.inf", "1:1: validation: expected a finite number, not -.inf", ""),
    ("validation: -1", "1:1: validation: expected a number of at least 0, not -1", ""),
    ("validation: 1.5", "1:1: validation: expected a number less than 1, not 1.5", ""),
    ("shuffle: yes", "1:1: shuffle: expected true or false, not 'yes'", ""),
    ("modes: forward", "1:1: modes: expected a list, not 'forward'", "write ['forward']"),
    ("modes: {a: 1}", "1:1: modes: expected a list, not a mapping of 1 key", ""),
    ("modes: [a, b, c]", "1:1: modes: expected a length of at most 2, not a list of 3 items", ""),
    ("modes: [a, 1]", "1:12: modes.1: expected text, not 1", ""),
    ("training: 3", "1:1: training: expected a mapping of keys to values, not 3", ""),
    ("training: {epoch: 3}", "1:12: training.epoch: unknown key 'epoch'; did you mean epochs?", ""),
    ("training: {widths: {a: b}}", "1:21: training.widths.a: expected an integer, not 'b'", ""),
    ("[1, 2]", "1:1: expected a mapping of keys to values, not a list of 2 items", ""),
    ("text", "1:1: expected a mapping of keys to values, not 'text'", ""),
    ("rate: abc", "1:1: rate: expected a number, not 'abc'", ""),
    ("sizes: abc", "1:1: sizes: expected an integer or a list, not 'abc'", ""),
    ("sizes: [a]", "1:9: sizes.0: expected an integer, not 'a'", ""),
    ("optimizer: sdg", "1:1: optimizer: expected a number or an optimizer, not 'sdg'", "did you mean sgd?"),
    ("optimizer: [1]", "1:1: optimizer: expected a number or an optimizer, not a list of 1 item", ""),
    (
        "network: [{linear: {}, tanh: {}}]",
        "1:11: network.0: a layer is its name (linear) or {name: {options}}, not a mapping with the 2",
        "",
    ),
    ("optimizer: {adam: {}}", "1:13: optimizer.adam: there is no optimizer 'adam'; there are sgd", ""),
    ("optimizer: .inf", "1:1: optimizer: expected a finite number, not .inf", ""),
    (
        "optimizer: {sgd: {learning_rate: 0}}",
        "1:19: optimizer.sgd.learning_rate: expected a number greater than 0, not 0",
        "",
    ),
    (
        "optimizer: {sgd: {learning_rate: 11}}",
        "1:19: optimizer.sgd.learning_rate: expected a number of at most 10, not 11",
        "",
    ),
    ("network: [linaer]", "1:11: network.0: there is no layer 'linaer'; did you mean linear?", ""),
    ("network: [linear]", "1:11: network.0: missing key 'units'", "write {linear: {units: …}}"),
    ("network: [{linear: }]", "1:12: network.0.linear: missing key 'units'", ""),
    ("network: [{linear: 3}]", "1:12: network.0.linear: the options of linear are a mapping", ""),
    ("network: [3]", "1:11: network.0: a layer is its name (linear) or {name: {options}}, not 3", ""),
    ("network: [{a: 1, b: 2}]", "1:11: network.0: a layer is its name (linear) or {name: {options}}", ""),
    (NESTED % "", "5:11: network.1.residual.network.0.linear: missing key 'units'", ""),
    (
        NESTED % "units: 3, bais: no",
        "5:30: network.1.residual.network.0.linear.bais: unknown key 'bais'; did you mean bias?",
        "",
    ),
    (
        NESTED % "units: true",
        "5:20: network.1.residual.network.0.linear.units: expected an integer, not true",
        "",
    ),
    ("network: [{residual: {network: []}}]", "1:23: network.0.residual.network: expected a length of at", ""),
]  # fmt: skip


@pytest.mark.parametrize(("text", "report", "advice"), MISTAKES, ids=[each[0][-40:] for each in MISTAKES])
def test_a_mistake_has_its_place_what_was_expected_and_what_came(
    complaint: Callable[..., str], text: str, report: str, advice: str
) -> None:
    first, _, caret, *rest = complaint(text).splitlines()
    assert first.startswith(f"a.yaml:{report}")
    assert caret.strip() == "^"
    assert len(rest) == bool(advice)
    assert advice in "".join(rest)


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(complaint: Callable[..., str]) -> None:
    text = "training: {epoch: 3}\nnetwork:\n  - linear: {unit: 2}\nname: 3\n"
    assert complaint(text) == (
        "a.yaml:1:12: training.epoch: unknown key 'epoch'; did you mean epochs?\n"
        "    training: {epoch: 3}\n"
        "               ^\n"
        "a.yaml:3:5: network.0.linear: missing key 'units'\n"
        "      - linear: {unit: 2}\n"
        "        ^\n"
        "a.yaml:3:14: network.0.linear.unit: unknown key 'unit'; did you mean units?\n"
        "      - linear: {unit: 2}\n"
        "                 ^\n"
        "a.yaml:4:1: name: expected text, not 3\n"
        "    name: 3\n"
        "    ^"
    )


def test_a_valid_document_becomes_the_model(model: type[Any]) -> None:
    document = parse("network: [tanh, {linear: {units: 3}}]\noptimizer: sgd\nrate: 1e-3", "a.yaml")
    configuration = validated(document, model)
    assert [layer.kind for layer in configuration.network] == ["tanh", "linear"]
    assert configuration.optimizer.learning_rate == 0.1
    assert configuration.rate == 1e-3


def test_the_context_reaches_the_validators() -> None:
    class Aware(Options):
        path: str

        @field_validator("path")
        @classmethod
        def _below(cls, path: str, info: ValidationInfo) -> str:
            return str(info.context["folder"] / path)

    document = parse("path: a.csv", "a.yaml")
    assert validated(document, Aware, {"folder": Path("data")}).path == str(Path("data", "a.csv"))


def test_mistakes_are_kept_as_data(model: type[Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        validated(parse("rate: x\noptimizer: sdg", "a.yaml"), model)
    assert [mistake.path for mistake in caught.value.mistakes] == [("rate",), ("optimizer",)]


@pytest.mark.parametrize(
    "text", ["%s: 1", "network: [%s]", "network: [{%s: 1}]", "optimizer: %s", "dtype: %s"]
)
def test_long_input_and_control_characters_do_not_reach_the_message(
    complaint: Callable[..., str], text: str
) -> None:
    report = complaint(text % ('"\\e]0;\\n' + "x" * 900 + '"'))
    assert len(report) < 600
    assert report.replace("\n", "").isprintable()


def test_later_checks_are_refused_by_key_path_in_the_order_of_the_file(document: Document) -> None:
    mistakes = [
        Mistake(("optimizer", "sgd", "rate"), "too large", "try 0.1"),
        Mistake(("network", 1), "takes 3 values, not 4"),
    ]
    expected = (
        "a.yaml:4:5: network.1: takes 3 values, not 4\n"
        "      - linear\n"
        "        ^\n"
        "a.yaml:6:1: optimizer.sgd.rate: too large\n"
        "    optimizer: sgd\n"
        "    ^\n"
        "    try 0.1"
    )
    error = refusal(document, mistakes)
    assert str(error) == expected
    assert [(mistake.message, mistake.file, mistake.line, mistake.column) for mistake in error.mistakes] == [
        ("takes 3 values, not 4", "a.yaml", 4, 5),
        ("too large", "a.yaml", 6, 1),
    ]


keys = st.sampled_from(
    [
        "network",
        "optimizer",
        "linear",
        "residual",
        "tanh",
        "sgd",
        "units",
        "sizes",
        "rate",
        "training",
        "float",
        "x",
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | keys
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)


@settings(deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])  # the model is constant
@given(tree=trees)
def test_any_document_validates_or_is_refused(model: type[Any], tree: Any) -> None:
    document = Document(tree, "a.yaml", {(): parse("x", "a.yaml").place(())})
    with contextlib.suppress(ConfigurationError):
        assert isinstance(validated(document, model), model)


@pytest.mark.parametrize(("count", "more"), [(50, ""), (51, "(and 1 more mistake)"), (900, "(and 850 more")])
def test_of_many_mistakes_the_first_fifty_are_shown_and_all_are_kept(count: int, more: str) -> None:
    document = parse("network: [" + ", ".join(["tahn"] * count) + "]", "a.yaml")
    mistakes = [Mistake(("network", index), "no layer") for index in range(count)]
    error = refusal(document, mistakes)
    assert len(error.mistakes) == count
    assert str(error).count("no layer") == 50
    assert ("(and " in str(error)) == bool(more)
    assert more in str(error)
