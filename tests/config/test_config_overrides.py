from collections.abc import Callable

import pytest

from jactrain.config.yaml import Document

LINEAR = {"linear": {"units": 3}}
CASES = [
    ("name=other", {"name": "other"}),
    ("name='a=b'", {"name": "a=b"}),
    ("name=1e-3", {"name": 1e-3}),
    ("name= spaced out ", {"name": "spaced out"}),
    ("network.0.linear.units=4", {"network": [{"linear": {"units": 4}}, "linear", {"tanh": None}]}),
    ("network.1.linear.units=3", {"network": [LINEAR, LINEAR, {"tanh": None}]}),
    ("network.1.linear={units: 3}", {"network": [LINEAR, LINEAR, {"tanh": None}]}),
    ("network.2.tanh.slope=2", {"network": [LINEAR, "linear", {"tanh": {"slope": 2}}]}),
    ("network.1=tanh", {"network": [LINEAR, "tanh", {"tanh": None}]}),
    ("network=[tanh]", {"network": ["tanh"]}),
    ("optimizer.sgd.learning_rate=.1", {"optimizer": {"sgd": {"learning_rate": 0.1}}}),
    ("optimizer={adam: {rate: 1}}", {"optimizer": {"adam": {"rate": 1}}}),
    ("agreement=null", {"agreement": None}),
    ("training.a.b=[1, no]", {"training": {"a": {"b": [1, "no"]}}}),
    ("modes=[]", {"modes": []}),
]


@pytest.mark.parametrize(("assignment", "change"), CASES, ids=[each[0] for each in CASES])
def test_an_override_sets_one_value_and_leaves_the_rest(
    parser: str, document: Document, assignment: str, change: dict[str, object]
) -> None:
    before = repr(document)
    assert document.with_override(assignment).value == {**document.value, **change}
    assert repr(document) == before


REFUSALS = [
    ("x", "expected KEY=VALUE with a dotted key", "training.epochs=3"),
    ("=3", "expected KEY=VALUE with a dotted key", "training.epochs=3"),
    ("a..b=3", "expected KEY=VALUE with a dotted key", "training.epochs=3"),
    ("name=", "there is no value after '='", "null"),
    ("name=#x", "there is no value after '='", "null"),
    ("network.3=tanh", "network is a list of 3 items and has no item 3", "use 0 to 2"),
    ("network.-1=tanh", "network is a list of 3 items and has no item -1", "use 0 to 2"),
    ("network.last=tanh", "network is a list of 3 items and has no item last", "use 0 to 2"),
    ("network." + "9" * 5000 + "=tanh", "network is a list of 3 items and has no item 99", "use 0 to 2"),
    ("modes.0=tanh", "modes is a list of 0 items and has no item 0", "modes=[…]"),
    ("name.first=x", "name is 'toy' and has no key 'first'", "to replace it: --set 'name={first: x}'"),
    (
        "optimizer.adam.rate=1",
        "optimizer is 'sgd' and has no key 'adam'",
        "--set 'optimizer={adam: {rate: 1}}'",
    ),
    ("name.a=[no, 'no: ', null, 1e-3]", "name is 'toy'", "--set 'name={a: [no, \"no: \", null, 0.001]}'"),
    ("name.a=" + "x" * 300, "name is 'toy' and has no key 'a'", "--set 'name=…'"),
    ("network.0.linear.units.x=1", "network.0.linear.units is 3 and has no key 'x'", "linear.units={x: 1}'"),
    ("name={a: 1, a: 2}", "the key 'a' is here a second time, after column 7", "keep one"),
    ("name=[1, 2}", "expected ',' or ']' to go on with what begins at column 6", "']'"),
    ("name=[1", "the text ends inside a list or a mapping", "close it"),
    ("name=&a 1", "anchors and aliases are not read", "quote"),
    ("name=!!str 1", "tags are not read", "quote"),
    ("name=\x1b", "the character U+001B cannot stand in YAML", "remove"),
    ("name=\udcff", "the character U+DCFF cannot stand in YAML", "remove"),
    ("a." * 60 + "b=1", "this nests deeper than 50 levels", "flatten"),
    ("name=" + "[" * 60, "this nests deeper than 50 levels", "flatten"),
]


@pytest.mark.parametrize(
    ("assignment", "message", "advice"), REFUSALS, ids=[each[0][:30] for each in REFUSALS]
)
def test_an_override_that_cannot_be_applied_names_itself_and_the_way_out(
    parser: str, document: Document, complaint: Callable[..., str], assignment: str, message: str, advice: str
) -> None:
    text = "name: toy\nnetwork: [{linear: {units: 3}}, linear, tanh]\noptimizer: sgd\nmodes: []\n"
    first, *rest = complaint(text, assignment).splitlines()
    assert first.startswith("--set ")
    assert f": {message}" in first
    assert advice in rest[-1]
    assert len(first) < 250


def test_a_mistake_in_an_overridden_value_names_the_argument(complaint: Callable[..., str]) -> None:
    assert complaint("training: {epochs: 3}", "training.epochs=abc") == (
        "--set training.epochs=abc: training.epochs: expected an integer, not 'abc'\n"
        "    training.epochs=abc\n"
        "                    ^"
    )


def test_the_caret_points_into_an_overridden_value(complaint: Callable[..., str]) -> None:
    lines = complaint("name: toy", "network=[tanh, {linear: {units: x}}]").splitlines()
    assert lines[1][lines[2].index("^") :].startswith("units: x")


def test_mistakes_elsewhere_keep_their_place_in_the_file(complaint: Callable[..., str]) -> None:
    text = complaint("shuffle: 1\nrate: x\n", "even=3")
    heads = [line.partition(": ")[0] for line in text.splitlines() if ": expected" in line]
    assert heads == ["a.yaml:1:1", "a.yaml:2:1", "--set even=3"]


def test_what_an_override_replaces_has_no_place_in_the_file(document: Document) -> None:
    changed = document.with_override("network=[tanh]")
    assert str(changed.place(("network", 1))) == "--set network=[tanh]"
    assert str(changed.place(("name",))) == "a.yaml:1:1"


@pytest.mark.parametrize(
    ("overrides", "first", "advice"),
    [
        (["network.0.tanh.x=1"], "network.0.tanh: network.0 is linear already", "{tanh: {x: 1}}'"),
        (
            ["optimizer.adam.rate=1", "optimizer.adam.beta=2"],
            "optimizer.adam: optimizer is sgd already, beside which there can be no adam",
            "to replace it: --set 'optimizer={adam: {rate: 1, beta: 2}}'",
        ),
    ],
)  # fmt: skip
def test_an_override_that_puts_a_component_beside_another_tells_what_to_type(
    complaint: Callable[..., str], overrides: list[str], first: str, advice: str
) -> None:
    lines = complaint("network: [{linear: {units: 3}}]\noptimizer: {sgd: {}}\n", *overrides).splitlines()
    assert lines[0].startswith(f"--set {overrides[0]}: {first}")
    assert advice in lines[-1]


def test_the_last_of_several_overrides_wins(document: Document) -> None:
    assert document.with_override("rate=1").with_override("rate=2").value["rate"] == 2
