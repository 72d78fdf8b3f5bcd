"""Random bytes, and broken configurations: each is valid, or refused with a place, in a second."""

import copy
import json
import re
import string
from itertools import product

import pytest
from damage import NAMES, VALUES, chance, flipped, one, paths, several, sized
from fuzzing import FOLDER, SEEDS, SMALL, TREES, bounded, clean, fuzzed, try_configuration
from hypothesis import strategies as st

from jactrain.config.build import check
from jactrain.config.files import load_document, located
from jactrain.config.models import REGISTRIES
from jactrain.errors import ConfigurationError

pytestmark = pytest.mark.usefixtures("apart")


TOKENS = (
    *("-:{}[],#&*!|>'%@`?~<=\\\n\t\r" + '"'),
    *("- ", ": ", "\n  ", "\n    - ", "---\n", "...\n", "<<: ", "&a ", "*a", "!!str ", "!x ", "%YAML 9.9\n"),
    *("!!python/object/apply:os.system [ls]", "!!python/name:os.system", "!!binary aGk=", "!!float 1"),
    *("\0", "\x1b[31m", "\x9b31m", "\x07", "\x7f", "\ufeff", "\u2028", "\x85", "\u202e", "\u0301"),
    *('"\\e[2J"', '"\\x9b"', '"\\0"', '"\\ud800"', '"\\U00110000"', '"\\u202e"', "\U0001d7d9", "Ⅷ", "٣"),
    *(
        "1e999",
        "-1e999",
        ".inf",
        "-.inf",
        ".nan",
        "1e-400",
        "-0",
        "0o7",
        "0b1",
        "1_000",
        "1:30",
        "2026-01-01",
    ),
    *("null", "true", "yes", "=", "<<", "&a [*a]", "\U0001f600"),
    *("0x" + "f" * 90, "9" * 99, "9" * 101, "[" * 60, "{a: " * 60, "- " * 60, "x" * 5000),
    *["name", "network", "linear", "mode", "auto", "agreement", "units"],
    "residual: {network: [tanh]}",
)


def encoded(tokens):
    return "".join(tokens).encode("utf-8", "surrogatepass")


def random_text(most):
    """Return bytes, few of which are a configuration or only YAML."""
    lines = [f"{key}: {token}\n" for key, token in product(TREES["iris.yaml"], TOKENS)]
    return st.one_of(
        sized(st.binary, most),
        several(string.printable, most).map(encoded),
        sized(st.text, most).map(str.encode),
        several(TOKENS, most // 5).map(encoded),
        st.lists(st.sampled_from(lines), max_size=most // 10).map(encoded),
    )


def mutated_text(draw, text):
    """Return `text` with some of its bytes, tokens and lines changed."""
    for _ in range(draw(st.integers(1, 4))):
        sort, at = draw(st.integers(0, 8)), draw(st.integers(0, len(text)))
        lines = text.split(b"\n")
        line = draw(st.integers(0, len(lines) - 1))
        if sort == 0:
            text = text[:at]
        elif sort == 1:
            text = text[:at] + encoded(one(draw, TOKENS)) + text[at:]
        elif sort == 2:
            text = text[:at] + text[at + draw(st.integers(1, 29)) :]
        elif sort == 3:
            text = b"\n".join([*lines[:line], *[lines[line]] * draw(st.integers(2, 3)), *lines[line + 1 :]])
        elif sort == 4:
            text = b"\n".join([*lines[:line], *lines[line + 1 :]])
        elif sort == 5:
            indent = one(draw, (b" ", b"  ", b"\t", b"- ", b"      "))
            text = b"\n".join([*lines[:line], indent + lines[line], *lines[line + 1 :]])
        elif sort == 6:
            found = list(re.finditer(rb"(?<=[: ])[\w.]+", text))
            if found:
                place = one(draw, found)
                text = text[: place.start()] + encoded(one(draw, TOKENS)) + text[place.end() :]
        elif sort == 7:
            other = draw(st.integers(0, len(lines) - 1))
            lines[line], lines[other] = lines[other], lines[line]
            text = b"\n".join(lines)
        else:
            text = flipped(draw, text, 1)
    return text


def component(draw, registry, depth=0):
    """Return one of a registry's kinds as a configuration names it, with options of any value."""
    kinds = [name for name in registry.names() if registry.get(name).__module__.startswith("jactrain.")]
    name = one(draw, kinds)
    fields = list(registry.get(name).model_fields)
    if not fields or chance(draw, 20):
        return name
    return {name: {field: option(draw, field, depth) for field in fields if chance(draw, 60)}}


def option(draw, field, depth):
    registry = {"network": REGISTRIES[0], "modes": REGISTRIES[2]}.get(field)
    if registry and depth < 3:
        return [component(draw, registry, depth + 1) for _ in range(draw(st.integers(1, 3)))]
    if field == "units" and chance(draw, 70):
        return draw(st.integers(1, 39))
    return copy.deepcopy(one(draw, VALUES))  # what is drawn may be changed afterwards


def with_component(draw, tree):
    """Change `tree`: one of its components is another."""
    place = {"losses": "loss", "modes": "mode", "optimizers": "optimizer", "engines": "engine"}
    registry, network = one(draw, REGISTRIES), tree.get("network")
    if registry.group in place:
        tree[place[registry.group]] = component(draw, registry)
    elif registry.group == "sources" and isinstance(tree.get("data"), dict):
        tree["data"]["source"] = component(draw, registry)
    elif registry.group == "layers" and isinstance(network, list):
        network.insert(draw(st.integers(0, len(network))), component(draw, registry))


def mutated_tree(draw, tree):
    """Return `tree` with some of its values and keys changed; most of it still fits."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 4))):
        if chance(draw, 40):
            with_component(draw, tree)
            continue
        *path, key = one(draw, paths(tree)[1:] or [(None,)])
        if key is None:
            break
        node = tree
        for step in path:
            node = node[step]
        sort = draw(st.integers(0, 6))
        if sort <= 2:
            node[key] = copy.deepcopy(one(draw, VALUES))
        elif sort == 3:
            del node[key]
        elif sort == 4:
            for _ in range(60 if chance(draw, 10) else draw(st.integers(1, 3))):
                node[key] = {one(draw, NAMES): node[key]} if chance(draw, 50) else [node[key]]
        elif sort == 5 and isinstance(node, dict):
            node[one(draw, NAMES)] = copy.deepcopy(node[key])
        else:
            other = TREES[one(draw, SMALL)]
            for step in one(draw, paths(other)):
                other = other[step]
            node[key] = copy.deepcopy(other)
    return tree


def emitted(value, indent=""):
    """Return `value` as YAML: blocks outside, JSON as the leaves."""
    if isinstance(value, dict) and value and len(indent) < 8:
        return "".join(
            f"\n{indent}{json.dumps(key)}: {emitted(item, indent + '  ')}" for key, item in value.items()
        )
    if isinstance(value, list) and value and len(indent) < 8:
        return "".join(f"\n{indent}- {emitted(item, indent + '  ')}" for item in value)
    words = {"Infinity": ".inf", "NaN": ".nan", "-Infinity": "-.inf"}
    return re.sub(r'"(?:\\.|[^"\\])*"|-?Infinity|NaN', lambda it: words.get(it[0], it[0]), json.dumps(value))


@st.composite
def mutated_configurations(draw):
    name = one(draw, SMALL) if not chance(draw, 1) else "revolve.yaml"
    if chance(draw, 50):
        return mutated_text(draw, SEEDS[name].encode())
    return emitted(mutated_tree(draw, TREES[name])).encode()


@st.composite
def assignments(draw):
    """Return what may come after `--set`."""
    places = [".".join(map(str, steps)) for steps in paths(TREES["iris.yaml"])[1:]]
    token = st.sampled_from(TOKENS)
    key = one(draw, places) if chance(draw, 80) else "".join(draw(st.tuples(token, token, token)))
    sort = draw(st.integers(0, 2))
    if sort == 0:
        value = "".join(draw(st.lists(token, max_size=3)))
    else:
        value = json.dumps(one(draw, VALUES) if sort == 1 else component(draw, one(draw, REGISTRIES)))
    whole = encoded(f"{key}={value}")
    if chance(draw, 30):
        whole = mutated_text(draw, whole)
    return whole.decode("utf-8", "surrogateescape")  # as Python reads the command line


def test_random_bytes_are_refused_with_a_place(tmp_path):
    texts = random_text(200) | random_text(200) | random_text(2000)
    fuzzed(20_000, texts, lambda data: try_configuration(tmp_path / "a.yaml", data))


def test_a_mutated_configuration_is_valid_or_refused_with_a_place(tmp_path):
    (tmp_path / "houses.csv").write_bytes((FOLDER / "houses.csv").read_bytes())
    path = tmp_path / "a.yaml"
    valid = fuzzed(20_000, mutated_configurations(), lambda data: try_configuration(path, data))
    assert valid > 0.02  # the mutations are not so wild that nothing gets through


def test_an_override_is_applied_or_refused(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(SEEDS["iris.yaml"])

    def overridden(assignment):
        config, document = load_document(path, [assignment])
        with located(document):
            check(config)

    def refused(assignment):
        _, error = bounded(lambda: overridden(assignment))
        assert error is None or isinstance(error, ConfigurationError), f"without a place: {error!r}"
        assert clean(str(error)), f"characters that a terminal acts on: {error!r}"
        return error is not None

    assert 0.02 < fuzzed(5000, assignments(), refused) < 1


LARGE = {
    "brackets": b"[" * 999_000,
    "braces": b"{a: " * 240_000,
    "dashes": b"- " * 490_000,
    "question marks": b"? " * 490_000,
    "pairs": b"[" * 49 + b"[]," * 300_000,
    "items": b"- a\n" * 240_000,
    "keys": b"".join(b"k%d: 1\n" % number for number in range(80_000)),
    "flow": b"{" + b",".join(b"k%d" % number for number in range(100_000)) + b"}",
    "network of names": b"network: [" + b"tahn, " * 160_000 + b"]",
    "network of tanh": b"network: [" + b"tanh, " * 160_000 + b"linear]",
    "modes": b"agreement: {modes: [" + b"frward, " * 120_000 + b"]}",
    "one word": b"a" * 999_000,
    "one name": b"name: " + b"a" * 990_000,
    "quoted": b'name: "' + b"\\x41" * 240_000 + b'"',
    "open quote": b'name: "' + b"a\n " * 320_000,
    "digits": b"seed: " + b"9" * 990_000,
    "fraction": b"seed: ." + b"9" * 990_000 + b"e",
    "anchors": b"".join(b"- &a%d []\n" % number for number in range(70_000)),
    "escapes": b"name: [" + b"\x1b" * 990_000,
    "comments": b"# a\n" * 240_000,
    "line breaks": b"\n" * 999_000,
    "separators": "\u2028".encode() * 330_000,
    "not UTF-8": b"a: 1\n" * 190_000 + b"\xff",
    "too large": b"a" * 1_000_001,
    "wide": "name: 名".encode() + "前".encode() * 330_000,
    "directives": b"%TAG ! tag:x,2000:\n" * 50_000,
    "long key": b"? " + b"a" * 990_000 + b"\n: 1",
    "unknown keys": b"".join(b"nme%d: 1\n" % number for number in range(70_000)),
    "drop": b"data: {source: {csv: {path: a, drop: [" + b"1, " * 300_000 + b"]}}}",
    "paths": b'data: {source: {csv: {path: "' + b"a/" * 490_000 + b'"}}}',
}


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_configurations_are_refused_in_time(name, tmp_path):
    assert not try_configuration(tmp_path / "a.yaml", LARGE[name])
