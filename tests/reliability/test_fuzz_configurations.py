"""Random bytes, and broken configurations: each is valid, or refused with a place, in a second."""

import copy
import json
import re

import numpy as np
import pytest
from fuzzing import (
    FOLDER,
    NAMES,
    SEEDS,
    SMALL,
    TREES,
    VALUES,
    Findings,
    clean,
    one,
    paths,
    times,
    try_configuration,
)

from jactrain.config.build import check
from jactrain.config.files import load_document, located
from jactrain.config.models import REGISTRIES
from jactrain.errors import ConfigurationError

pytestmark = pytest.mark.usefixtures("apart")


TOKENS = (
    *("-:{}[],#&*!|>'%@`?~<=\\\n\t\r" + '"'),
    *("- ", ": ", "\n  ", "\n    - ", "---\n", "...\n", "<<: ", "&a ", "*a", "!!str ", "!x ", "%YAML 9.9\n"),
    *(
        "!!python/object/apply:os.system [ls]",
        "!!python/name:os.system",
        "!!binary aGk=",
        "!!float 1",
        "&a [*a]",
    ),
    *(
        "\0",
        "\x1b[31m",
        "\x9b31m",
        "\x07",
        "\x7f",
        "\ufeff",
        "\u2028",
        "\x85",
        "\u202e",
        "\u0301",
        "\U0001f600",
    ),
    *('"\\e[2J"', '"\\x9b"', '"\\0"', '"\\ud800"', '"\\U00110000"', '"\\u202e"', "\U0001d7d9", "Ⅷ", "٣"),
    *(
        "1e999",
        "-1e999",
        ".inf",
        "-.inf",
        ".nan",
        "1e-400",
        "0x" + "f" * 90,
        "9" * 99,
        "9" * 101,
        "-0",
        "0o7",
    ),
    *(
        "null",
        "true",
        "yes",
        "1_000",
        "0b1",
        "1:30",
        "2026-01-01",
        "=",
        "<<",
        "[" * 60,
        "{a: " * 60,
        "- " * 60,
    ),
    *(
        "name",
        "network",
        "linear",
        "residual: {network: [tanh]}",
        "mode",
        "auto",
        "agreement",
        "units",
        "x" * 5000,
    ),
)


def random_text(rng):
    """Return bytes, few of which are a configuration or only YAML."""
    length = int(rng.integers(0, 200) if rng.random() < 0.95 else rng.integers(0, 20_000))
    sort = rng.integers(5)
    if sort == 0:
        return rng.bytes(length)
    if sort == 1:
        return bytes(rng.integers(32, 127, length, dtype=np.uint8))
    if sort == 2:
        return "".join(chr(point) for point in rng.integers(0, 0x110000, length)).encode("utf-8", "replace")
    if sort == 3:
        return "".join(one(rng, TOKENS) for _ in range(length // 5)).encode("utf-8", "surrogatepass")
    keys = [one(rng, list(TREES["iris.yaml"])) for _ in range(length // 10)]
    return "\n".join(f"{key}: {one(rng, TOKENS)}" for key in keys).encode("utf-8", "surrogatepass")


def mutated_text(rng, text):
    """Return `text` with some of its bytes, tokens and lines changed."""
    for _ in range(rng.integers(1, 5)):
        sort, at = rng.integers(9), int(rng.integers(0, len(text) + 1))
        lines = text.split(b"\n")
        line = int(rng.integers(len(lines)))
        if sort == 0 and text:
            at %= len(text)
            text = text[:at] + bytes([text[at] ^ 1 << rng.integers(8)]) + text[at + 1 :]
        elif sort == 1:
            text = text[:at] + one(rng, TOKENS).encode("utf-8", "surrogatepass") + text[at:]
        elif sort == 2:
            text = text[:at] + text[at + int(rng.integers(1, 30)) :]
        elif sort == 3:
            text = b"\n".join([*lines[:line], *[lines[line]] * rng.integers(2, 4), *lines[line + 1 :]])
        elif sort == 4:
            text = b"\n".join([*lines[:line], *lines[line + 1 :]])
        elif sort == 5:
            indent = one(rng, (b" ", b"  ", b"\t", b"- ", b"      "))
            text = b"\n".join([*lines[:line], indent + lines[line], *lines[line + 1 :]])
        elif sort == 6:
            found = list(re.finditer(rb"(?<=[: ])[\w.]+", text))
            if found:
                place = one(rng, found)
                token = one(rng, TOKENS).encode("utf-8", "surrogatepass")
                text = text[: place.start()] + token + text[place.end() :]
        elif sort == 7:
            other = int(rng.integers(len(lines)))
            lines[line], lines[other] = lines[other], lines[line]
            text = b"\n".join(lines)
        else:
            text = text[:at]
    return text


def component(rng, registry, depth=0):
    """Return one of a registry's kinds as a configuration names it, with options of any value."""
    name = one(
        rng, [name for name in registry.names() if registry.get(name).__module__.startswith("jactrain.")]
    )
    fields = list(registry.get(name).model_fields)
    if not fields or rng.random() < 0.2:
        return name
    return {name: {field: option(rng, field, depth) for field in fields if rng.random() < 0.6}}


def option(rng, field, depth):
    if field == "network" and depth < 3:
        return [component(rng, REGISTRIES[0], depth + 1) for _ in range(rng.integers(1, 4))]
    if field == "modes" and depth < 3:
        return [component(rng, REGISTRIES[2], depth + 1) for _ in range(rng.integers(1, 4))]
    if field == "units" and rng.random() < 0.7:
        return int(rng.integers(1, 40))
    return one(rng, VALUES)


def mutated_tree(rng, tree):
    """Return `tree` with some of its values and keys changed; most of it still fits."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.integers(1, 5)):
        if rng.random() < 0.4 and isinstance(tree, dict):
            registry = one(rng, REGISTRIES)
            place = {"losses": "loss", "modes": "mode", "optimizers": "optimizer", "engines": "engine"}
            network = tree.get("network")
            if registry.group in place:
                tree[place[registry.group]] = component(rng, registry)
            elif registry.group == "sources" and isinstance(tree.get("data"), dict):
                tree["data"]["source"] = component(rng, registry)
            elif registry.group == "layers" and isinstance(network, list):
                network.insert(int(rng.integers(len(network) + 1)), component(rng, registry))
            continue
        *path, key = one(rng, paths(tree)[1:] or [(None,)])
        node = tree
        for step in path:
            node = node[step]
        if key is None:
            continue
        sort = rng.integers(7)
        if sort <= 2:
            node[key] = copy.deepcopy(one(rng, VALUES))
        elif sort == 3:
            del node[key]
        elif sort == 4:
            value = node[key]
            for _ in range(rng.integers(1, 4) if rng.random() < 0.9 else 60):
                value = [value] if rng.random() < 0.5 else {one(rng, NAMES): value}
            node[key] = value
        elif sort == 5 and isinstance(node, dict):
            node[one(rng, NAMES)] = copy.deepcopy(node[key])
        else:
            other = TREES[one(rng, SMALL)]
            for step in one(rng, paths(other)):
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


def mutated(rng):
    name = "revolve.yaml" if rng.random() < 0.005 else one(rng, SMALL)
    if rng.random() < 0.5:
        return mutated_text(rng, SEEDS[name].encode())
    return emitted(mutated_tree(rng, TREES[name])).encode()


def test_random_bytes_are_refused_with_a_place(tmp_path):
    findings = Findings()
    for number in times(20_000):
        data = random_text(np.random.default_rng([1, number]))
        try_configuration(findings, number, tmp_path / "a.yaml", data)
    findings.settle()


def test_a_mutated_configuration_is_valid_or_refused_with_a_place(tmp_path, record_property):
    findings, valid = Findings(), 0
    (tmp_path / "houses.csv").write_bytes((FOLDER / "houses.csv").read_bytes())
    number = -1
    for number in times(20_000):
        data = mutated(np.random.default_rng([2, number]))
        valid += try_configuration(findings, number, tmp_path / "a.yaml", data) is not None
    record_property(
        "told", f"mutated configurations: {valid} of {number + 1} valid, {findings.slowest:.2f} s"
    )
    findings.settle()
    assert valid > 0.02 * (number + 1)  # the mutations are not so wild that nothing gets through


def test_an_override_is_applied_or_refused(tmp_path):
    findings, path = Findings(), tmp_path / "a.yaml"
    path.write_text(SEEDS["iris.yaml"])
    places = [".".join(map(str, steps)) for steps in paths(TREES["iris.yaml"])[1:]]
    for number in times(5000):
        rng = np.random.default_rng([9, number])
        key = one(rng, places) if rng.random() < 0.8 else "".join(one(rng, TOKENS) for _ in range(3))
        sort = rng.integers(3)
        if sort == 0:
            value = "".join(one(rng, TOKENS) for _ in range(rng.integers(0, 4)))
        elif sort == 1:
            value = json.dumps(one(rng, VALUES))
        else:
            value = json.dumps(component(rng, one(rng, REGISTRIES)))
        assignment = f"{key}={value}"
        if rng.random() < 0.3:
            assignment = mutated_text(rng, assignment.encode("utf-8", "surrogatepass"))
            assignment = assignment.decode("utf-8", "surrogateescape")  # as Python reads the command line
        data = assignment.encode("utf-8", "surrogatepass")

        def overridden(assignment=assignment):
            config, document = load_document(path, [assignment])
            with located(document):
                return check(config)

        _, error = findings.trial(number, data, overridden)
        if error is not None and not isinstance(error, ConfigurationError):
            findings.note(f"{type(error).__name__} without a place: {str(error)[:80]!r}", number, data)
        if error is not None and not clean(str(error)):
            findings.note("characters that a terminal acts on", number, data)
    findings.settle()


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
    findings = Findings()
    try_configuration(findings, name, tmp_path / "a.yaml", LARGE[name])
    findings.settle()
