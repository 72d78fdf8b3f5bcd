from collections.abc import Callable

import pytest

from jactrain.config.yaml import MAXIMUM_BYTES, parse
from jactrain.errors import ConfigurationError

# text, the place and message, and a word of the advice
REFUSALS = [
    ("", "1:1: the configuration is empty", "jactrain init"),
    ("# only\n\n", "1:1: the configuration is empty", "jactrain init"),
    ("---\n", "1:1: the configuration is empty", "jactrain init"),
    ("a: 1\nb: 2\na: 3", "3:1: the key 'a' is here a second time, after a.yaml:1:1", "keep one"),
    ("- x: {a: 1, a: 2}", "1:13: the key 'a' is here a second time, after a.yaml:1:7", "keep one"),
    ("a: &x 1", "1:4: anchors and aliases are not read: x", "quote text that begins with & or *"),
    ("a: *x", "1:4: anchors and aliases are not read: x", "write the value out"),
    ("*x : 1", "1:1: anchors and aliases are not read: x", "write the value out"),
    ("a: {<<: {b: 1}}", "1:5: merge keys (<<) are not read", "write the keys out"),
    ("a: !!str 1", "1:4: tags are not read: tag:yaml.org,2002:str", "remove the tag"),
    ("a: !!python/object/apply:os.system [ls]", "1:4: tags are not read: tag:yaml.org,2002:python", "remove"),
    ("a: ! 1", "1:4: tags are not read: !", "remove the tag"),
    ("a: 1\n---\nb: 2", "2:1: a second document begins here", "one document per file"),
    ("1: 2", "1:1: a key is text, not 1", "in quotes"),
    ("~: 2", "1:1: a key is text, not null", "in quotes"),
    ("a: {true: 2}", "1:5: a key is text, not true", "in quotes"),
    ("? [a]\n: b", "1:3: a key is text, not a list or a mapping", "key: value"),
    ("[" * 51 + "]" * 51, "1:51: this nests deeper than 50 levels", "right file"),
    ("[" * 3000, "1:51: this nests deeper than 50 levels", "right file"),
    ("a: 9" + "9" * 100, "1:4: this integer has 101 digits; at most 100 are read", "in quotes"),
    ("a: 0x" + "f" * 9999, "1:4: this integer has 10001 digits; at most 100 are read", "in quotes"),
    ('a: "x\\0"', "1:4: text may not hold the character U+0000", "remove the escape"),
    ("a: 1\nb: \0", "2:4: the character U+0000 cannot stand in YAML", "text file"),
    ("a: \x1b[31m", "1:4: the character U+001B cannot stand in YAML", "remove it"),
    ("a: \ud800", "1:4: the character U+D800 cannot stand in YAML", "remove it"),
    (b"a: 1\nb: x\xff", "2:5: the byte 0xff is not UTF-8", "UTF-8"),
    ("a: 1".encode("utf-16"), "1:1: the byte 0xff is not UTF-8", "UTF-8"),
    ("a:\n\tb: 1", "2:1: a tab cannot indent", "spaces"),
    ("a:\n  b: 1\n\tc: 2", "3:1: a tab cannot indent", "spaces"),
    ("a:\n  - b\n\t- c", "3:1: a tab cannot indent", "spaces"),
    ("a:\n  b: 1\n  \tc: 2", "3:3: a tab cannot indent", "spaces"),
    ("-\ta", "1:2: a tab cannot stand here", "a space"),
    ("a: @x", "1:4: '@' cannot begin a value", "quotes"),
    ("a: 'b", "1:4: this quoted text is not closed", "closing quote"),
    ('a: "\\q"', "1:4: unknown escape in this quoted text", "backslash"),
    ("a: b: c", "1:5: a ':' cannot stand here", "quote text"),
    ("a: 1\n b: 2", "2:3: a ':' cannot stand here", "indent alike"),
    ("a: [1, 2\nb: 3", "2:2: expected ',' or ']' to go on with what begins at a.yaml:1:4", "']'"),
    ("a: [1,\n\n", "1:7: the text ends inside a list or a mapping", "close it"),
    ("{a: 1", "1:6: the text ends inside a list or a mapping", "close it"),
    ("a: }", "1:4: a value is missing here", "null"),
    ("- a\nb: 1", "2:1: this line does not fit those above it", "alike"),
    ("a:\n  - b\n c: 1", "3:2: this line does not fit those above it", "alike"),
    ("a: 1\nkey\n", "2:4: expected ':' after a key", "key: value"),
    ("%YAML 2.0\n---\na", "1:1: only YAML 1 is read", "%YAML"),
]


@pytest.mark.parametrize(("text", "place", "advice"), REFUSALS, ids=[each[1][:50] for each in REFUSALS])
def test_a_refusal_names_place_reason_and_way_out(
    parser: str, complaint: Callable[..., str], text: str | bytes, place: str, advice: str
) -> None:
    first, *rest = complaint(text, model=None).splitlines()
    assert first.startswith(f"a.yaml:{place}")
    assert advice in rest[-1]


@pytest.mark.parametrize("text", ['a: "\\UFFFFFFFF"', "%YAML 1." + "9" * 6000 + "\n---\na", 'a: "\\ud800"'])
def test_what_pyyaml_converts_unchecked_is_refused(
    parser: str, complaint: Callable[..., str], text: str
) -> None:
    assert complaint(text, model=None).startswith("a.yaml:1:")


def test_the_source_line_and_a_caret_stand_below(complaint: Callable[..., str]) -> None:
    assert complaint("x: 1\ny: {a: 1, a: 2}", model=None).splitlines()[1:3] == [
        "    y: {a: 1, a: 2}",
        "              ^",
    ]


def test_the_caret_allows_for_wide_characters_and_escapes(complaint: Callable[..., str]) -> None:
    _, line, caret, _ = complaint("日本\u202e: {a: 1, a: 2}", model=None).splitlines()
    assert line == "    日本\\u202e: {a: 1, a: 2}"
    assert caret == "    " + " " * (4 + len("\\u202e: {a: 1, ")) + "^"


def test_a_long_source_line_is_cut_around_the_caret(complaint: Callable[..., str]) -> None:
    _, line, caret, _ = complaint(
        "{" + "k: 1, " * 1 + "x: [" + "1, " * 500 + "], k: 2}", model=None
    ).splitlines()
    assert len(line) < 120
    assert line[caret.index("^")] == "k"


@pytest.mark.parametrize("size", [MAXIMUM_BYTES + 1, 10_000_000])
def test_a_text_that_is_too_large_is_refused_before_parsing(complaint: Callable[..., str], size: int) -> None:
    text = complaint(b"\0" * size, model=None)
    assert text.startswith(f"a.yaml: this has {size:,} bytes; a configuration has at most 1,000,000")


def test_size_counts_bytes_not_characters(complaint: Callable[..., str]) -> None:
    assert "1,000,002 bytes" in complaint("é" * 500_001, model=None)


def test_a_text_of_the_largest_size_is_read(parser: str) -> None:
    assert parse("a: " + "x" * (MAXIMUM_BYTES - 3), "a.yaml").value["a"].startswith("xxx")


def test_a_refusal_keeps_its_mistake_as_data() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse("a: {b: 1, b: 2}", "a.yaml")
    (mistake,) = caught.value.mistakes
    assert mistake.path == ("a", "b")
    assert mistake.advice == "keep one of the two"
