import math
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jactrain.config.scalars import scalar
from jactrain.config.yaml import Document, parse
from jactrain.errors import ConfigurationError

SCALARS = {
    "1e-3": 1e-3, "1e5": 1e5, "1.0e5": 1e5, ".5": 0.5, "5.": 5.0, "-1.5E+3": -1500.0, "+.5e1": 5.0,
    ".inf": math.inf, "-.Inf": -math.inf, "+.INF": math.inf, "1e400": math.inf,
    "0": 0, "-12": -12, "+12": 12, "010": 10, "0o10": 8, "0x1F": 31, "0xff": 255,
    "no": "no", "yes": "yes", "on": "on", "off": "off", "y": "y", "n": "n", "True": True, "false": False,
    "true": True, "FALSE": False, "tRue": "tRue", "null": None, "Null": None, "~": None, "nULL": "nULL",
    "1_000": "1_000", "1:30": "1:30", "2020-01-01": "2020-01-01", "0b11": "0b11", "-0o10": "-0o10",
    "1e": "1e", ".": ".", "-": "-", "e5": "e5", "1.2.3": "1.2.3", "inf": "inf", "nan": "nan", "٣": "٣",
    "0o8": "0o8", "0x": "0x", "=": "=", "a b": "a b",
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS.items(), ids=SCALARS)
def test_a_plain_scalar_follows_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_nan_has_three_spellings(text: str) -> None:
    assert math.isnan(scalar(text))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["'1'", '"1"', "|-\n  1", ">-\n  1"])
def test_a_quoted_or_block_scalar_is_text(parser: str, text: str) -> None:
    assert parse(f"a: {text}", "a.yaml").value == {"a": "1"}


def test_values_are_plain_and_keep_their_order(parser: str) -> None:
    text = "b: {y: 1, x: [true, ~, 2.5]}\na:\n  - tanh\n  - linear:\n    units: 3\n"
    value = parse(text, "a.yaml").value
    expected = {"b": {"y": 1, "x": [True, None, 2.5]}, "a": ["tanh", {"linear": None, "units": 3}]}
    assert repr(value) == repr(expected)


@pytest.mark.parametrize("text", ["no: 1", "on: 1", "'1': 1", "1_0: 1", "a.b: 1", "? a\n: 1"])
def test_keys_are_text_by_the_same_rules(parser: str, text: str) -> None:
    assert list(parse(text, "a.yaml").value.values()) == [1]


@pytest.mark.parametrize(
    "text", [b"\xef\xbb\xbfa: 1", b"%YAML 1.2\n---\na: 1", b"a: 1\r\n", b"--- {a: 1}\n..."]
)
def test_byte_order_marks_directives_and_markers_are_read(parser: str, text: bytes) -> None:
    assert parse(text, "a.yaml").value == {"a": 1}


def test_fifty_levels_are_read(parser: str) -> None:
    assert parse("[" * 50 + "]" * 50, "a.yaml").value


# The parser that a test runs with is the same for all its examples.
fuzzed = settings(deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
pieces = st.lists(
    st.sampled_from(
        [*"[]{}:,-?&*!|>'\"%@#\\xuU0 \n\t\ra1~<.é", ": ", "- ", "\n  ", "---", "...", "<<", "0x", "\x85"]
    )
).map("".join)


@fuzzed
@given(st.one_of(st.text(), st.binary(), pieces))
def test_any_text_is_a_document_or_a_configuration_error(parser: str, text: str | bytes) -> None:
    document, complaint = _outcome(lambda: parse(text, "a.yaml"))
    if document:
        _every_place_exists(document.value, (), document)
    else:
        assert complaint.startswith("a.yaml:")
        assert complaint.replace("\n", "").isprintable()


@fuzzed
@given(
    st.one_of(
        st.text(), st.text("abnetwork.0129=[]{}:, \n\t-", max_size=40), pieces.map("network.0.x=".__add__)
    )
)
def test_any_override_gives_a_document_or_a_configuration_error(parser: str, assignment: str) -> None:
    given_document = parse("a: {b: [1, {c: 2}]}\nnetwork: [{linear: }]\n", "a.yaml")
    document, complaint = _outcome(lambda: given_document.with_override(assignment))
    if document:
        _every_place_exists(document.value, (), document)
    else:
        assert complaint.startswith("--set ")
        assert complaint.replace("\n", "").isprintable()


@pytest.mark.parametrize(
    "unit", ["[", "{a: ", "- ", "? ", "a: [", "!", "&a ", "\\", '"', "\t", "\n", "a:\n", "#", "|"]
)
def test_a_hundred_thousand_repetitions_meet_no_recursion_error(parser: str, unit: str) -> None:
    _, complaint = _outcome(lambda: parse(unit * 100_000, "a.yaml"))
    assert len(complaint) < 1000


@pytest.mark.parametrize("stray", [*"[]{}:-\"'\t\n &*!%\\|>?,#", "\r", "\0"], ids=ascii)
def test_a_stray_character_anywhere_gives_a_document_or_a_configuration_error(
    parser: str, stray: str
) -> None:
    text = 'network:\n  - linear: {units: 64}\n  - tanh\nloss: "cross \\x41"\ntraining: {epochs: 1e1}\n'
    for at in range(len(text)):
        document, complaint = _outcome(lambda at=at: parse(text[:at] + stray + text[at:], "a.yaml"))
        assert document or complaint.startswith("a.yaml:")


def _outcome(act: Callable[[], Document]) -> tuple[Document | None, str]:
    try:
        return act(), ""
    except ConfigurationError as error:
        return None, str(error)


def _every_place_exists(value: object, path: tuple[str | int, ...], document: Document) -> None:
    assert document.place(path).path == path
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, entry in entries:
        _every_place_exists(entry, (*path, key), document)
