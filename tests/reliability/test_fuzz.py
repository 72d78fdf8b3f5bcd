"""Damaged and random files: each ends in a value or in a message, within a second and 200 MB.

JACTRAIN_FUZZ multiplies how many: 1, as `make fuzz` sets it, takes 20,000 byte strings, 20,000 mutated
configurations, 5,000 overrides, 5,000 npz files, 5,000 tables, 1,000 of both in a configuration, and 4,000
changes of a checkpoint; 10 takes ten times as many. A run of all tests takes 0.05 of them: 1,000, 1,000, 250,
250, 250, 50 and 200, besides the cases that are written out. A failure tells every way in which something
went wrong once, with the number of its case, which is the seed with that of the test, and the shortest input.
"""

import contextlib
import copy
import hashlib
import io
import json
import math
import os
import re
import resource
import signal
import struct
import time
import traceback
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jactrain.config.build import build, check
from jactrain.config.files import load_config, load_document, located
from jactrain.config.models import REGISTRIES
from jactrain.config.yaml import parse
from jactrain.data.base import sources
from jactrain.errors import CheckpointError, ConfigurationError, DataError, UsageError
from jactrain.training.checkpoint import load, save
from jactrain.training.state import TrainingState

FUZZ = float(os.environ.get("JACTRAIN_FUZZ", "0.05"))
SECONDS = 1.0  # of processor time, for one file
GIVEN_UP = 5  # seconds after which a case is taken to hang
GROWTH = 200_000_000  # bytes
FOLDER = Path(__file__).parents[2] / "configs"
SEEDS = {path.name: path.read_text() for path in sorted(FOLDER.glob("*.yaml"))}
SMALL = [name for name in SEEDS if name != "revolve.yaml"]  # that one takes a third of a second
TREES = {name: parse(text, name).value for name, text in SEEDS.items()}


def times(number):
    return range(max(1, math.ceil(number * FUZZ)))


class HangError(BaseException):
    """Not an Exception, which the code under test may catch."""


@contextlib.contextmanager
def given_up(seconds=GIVEN_UP):
    """Raise HangError in the block once it has computed for `seconds`."""

    def hang(*_):
        raise HangError

    before = signal.signal(signal.SIGVTALRM, hang)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


@contextlib.contextmanager
def bounded_address_space(extra=4 * 2**30):
    """Let a wild allocation fail in this process rather than take the machine's memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def peak_from_here():
    """Return the memory that is taken now, from where the peak counts again, where Linux can be asked to."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return peak()


class Findings:
    """What went wrong: each way once, with the shortest input that shows it."""

    def __init__(self, seconds=SECONDS):
        self.seconds = seconds
        self.slowest = 0.0
        self._found = {}

    def note(self, way, number, data):
        count, first, shortest = self._found.get(way, (0, number, data))
        if len(data) < len(shortest):
            first, shortest = number, data
        self._found[way] = (count + 1, first, shortest)

    def trial(self, number, data, action):
        """Return `(result, error)` of `action`, one of which is None; both are where it went wrong."""
        before = peak_from_here()
        result, error, way, spent = _tried(action)
        if peak() - before > GROWTH:
            self.note("takes more than 200 MB", number, data)
        if spent > self.seconds and not way:  # it may have imported a library, which is not its own time
            result, error, way, spent = _tried(action)
            if spent > self.seconds:
                way = f"takes more than {self.seconds:g} s"
        self.slowest = max(self.slowest, spent)
        if way:
            self.note(way, number, data)
        return result, error

    def settle(self):
        """Fail with all that was found."""
        lines = []
        for way, (count, number, data) in sorted(self._found.items()):
            shown = f": {data[:300]!r}{'…' if len(data) > 300 else ''}" if isinstance(number, int) else ""
            lines.append(f"{count} x {way}\n    case {number}{shown}")
        assert not lines, "\n".join(["", *lines])


def _tried(action):
    """Return what `action` returned, its UsageError, what else it raised in words, and the time it took."""
    result = error = None
    way = ""
    began = time.process_time()
    try:
        with given_up():
            result = action()
    except UsageError as raised:
        error = raised
    except HangError as raised:
        way = f"takes more than {GIVEN_UP} s in {_where(raised)}"
    except Exception as raised:
        message = re.sub(r"\d+", "#", str(raised)[:150])
        way = f"{type(raised).__name__} in {_where(raised)}: {message!r}"
    return result, error, way, time.process_time() - began


def _where(error):
    """Return the innermost function of jactrain in a traceback."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/jactrain/" in frame.filename]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else "the test"


def clean(text):
    """Tell whether a terminal shows `text` and does nothing else about it."""
    return all(line.isprintable() for line in text.split("\n"))


@pytest.fixture(autouse=True)
def _apart(tmp_path, monkeypatch):
    monkeypatch.setenv("JACTRAIN_CACHE", str(tmp_path / "cache"))
    with bounded_address_space():
        yield


# Configurations


def validated(path):
    """Do what `jactrain run --dry-run` does, which is what `jactrain validate` does and a plan."""
    config, document = load_document(path)
    with located(document):
        blueprint = check(config)
        config.mode.prepare(blueprint.objective, config.training.batch_size, config.dtype)
    return config


def try_configuration(findings, number, path, data):
    path.write_bytes(data)
    config, error = findings.trial(number, data, lambda: validated(path))
    if error is None:
        return config
    lines = len(re.split(b"\r\n|[\n\r]|\xc2\x85|\xe2\x80[\xa8\xa9]", data))
    if not isinstance(error, ConfigurationError):
        findings.note(f"{type(error).__name__} without a place: {str(error)[:80]!r}", number, data)
    elif not str(error).startswith(str(path)) or not error.mistakes:
        findings.note(f"does not begin with the file: {str(error)[:80]!r}", number, data)
    elif len(data) <= 1_000_000 and any(
        mistake.file != str(path) or mistake.line is None or not 1 <= mistake.line <= lines
        for mistake in error.mistakes
    ):
        findings.note("a mistake without a line of the file", number, data)
    if not clean(str(error)):
        findings.note("characters that a terminal acts on", number, data)
    return None


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
VALUES = (
    *(0, 1, 2, 3, 5, 8, 50, -1, 100, 1000, 10**4, 10**6, 10**7, 2**31, 2**32, 2**63, 2**64, 10**30, 10**90),
    *(0.0, -0.0, 0.1, 0.5, 0.999, 1.0, 1.5, 1e-300, 5e-324, 1e300, float("inf"), float("-inf"), float("nan")),
    *(
        None,
        True,
        False,
        "",
        " ",
        "a",
        "1",
        "0.1",
        "x" * 3000,
        "\x1b[31mred",
        "\x07",
        "a\nb",
        "\u202e",
        "é",
        "None",
    ),
    *(
        "/dev/zero",
        "/etc/hostname",
        ".",
        "houses.csv",
        "no.csv",
        "a\0b",
        "~",
        "~nobody/x",
        "/" * 5000,
        "{0}",
        "{x!r}",
    ),
    *(
        "350KiB",
        "1B",
        "0B",
        "1KiB",
        "9GiB",
        "999999999999GiB",
        "1e9",
        "float16",
        "float64",
        "complex128",
        "price",
    ),
    *([], {}, [[]], [{}], [None], {"": None}, {"a": {"b": []}}, [1, "a", None], {"\x1b": 1}, ["tanh"] * 30),
)
NAMES = (
    "name",
    "units",
    "network",
    "path",
    "source",
    "seed",
    "modes",
    "kind",
    "data",
    "x",
    "",
    "\x1b[0m",
    "%s",
)


def one(rng, choices):
    return choices[rng.integers(len(choices))]


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


def paths(tree, path=()):
    """Return the key path of everything in `tree`."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(inside for key, item in items for inside in paths(item, (*path, key)))]


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


# Data


class Trap:
    """Makes a folder if it is ever unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def archived(members, compression=zipfile.ZIP_STORED):
    """Return a zip file of `members`, pairs of a name and bytes, of which a name may stand twice."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name)  # a fixed date, so that a case is the same bytes again
            info.compress_type = compression
            archive.writestr(info, content)
    return file.getvalue()


def header(text, version=b"\x01\x00", content=b"\0" * 80):
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + length + text + content


HEADERS = (
    "{'descr': '<f8', 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (5, -2), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (-5, -2), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1099511627776), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (%s, 2), }" % ("9" * 400),
    "{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }" % ("1," * 70),
    "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 9223372036854775807, 9223372036854775807), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': (True, True), }",
    "{'descr': '<f8', 'fortran_order': 3, 'shape': (5, 2), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': [('a', '<f8', (2**9,))], 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': '<V8', 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': '<M8', 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': '<U0', 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': '<U99999999', 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': '<c16', 'fortran_order': False, 'shape': (5, 1), }",
    "{'descr': '<f16', 'fortran_order': True, 'shape': (5, 1), }",
    "{'descr': 'nonsense', 'fortran_order': False, 'shape': (5, 2), }",
    "{'descr': '<f8', 'fortran_order': False, 'shape': __import__('os').mkdir('x'), }",
    "{'descr': '<f8', 'shape': (5, 2)}",
    "(" * 5000,
    "[" * 190 + "]" * 190,
    "{" + "'a': 1, " * 1000 + "}",
    "\0\xff",
    "",
    "1" * 5000,
)
X = np.random.default_rng(0).standard_normal((5, 2))
MEMBERS = {
    "floats": np.arange(5.0),
    "many": np.ones((5, 3)),
    "whole": np.arange(5),
    "text": np.array(["a", "b", "a", "b", "ü"]),
    "bytes": np.array([b"a", b"b", b"a", b"\xff", b"c"]),
    "bools": np.array([True, False, True, True, False]),
    "not finite": np.array([1, np.nan, np.inf, -np.inf, 0]),
    "empty": np.zeros((0, 2)),
    "scalar": np.float64(1),
    "records": np.zeros(5, [("a", "f8"), ("b", "i4")]),
    "dates": np.array(["2026-01-01"] * 5, "M8[D]"),
    "complex": np.ones(5, complex),
    "long": np.full(5, np.longdouble("1e4000")),
    "controls": np.array(["\x1b[31m", "b", "\x07", "b", "\u202e"]),
    "surrogates": np.array(["\ud800", "b", "a", "b", "c"]),
    "wide": np.zeros((5,) + (1,) * 40),
}


USUAL = ("floats", "many", "whole", "bools", "controls", "surrogates")


def flipped(rng, data, most=4):
    data = bytearray(data)
    for _ in range(rng.integers(1, most + 1) if data else 0):
        data[rng.integers(len(data))] ^= 1 << int(rng.integers(8))
    return bytes(data)


def damaged_npz(rng, trap):
    """Return the bytes of an npz file with x and y, of which something is wrong."""
    compression = one(rng, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    members = [["x.npy", npy(X)], ["y.npy", npy(MEMBERS[one(rng, USUAL)])]]
    which, sort = members[rng.integers(2)], rng.integers(12)
    if sort == 0:
        which[0] = one(
            rng, ("x.npy", "x", "y", "", "../x.npy", "\x1b[31m.npy", "x\n.npy", "x.npy/", "a" * 60_000)
        )
    elif sort == 1:
        which[1] = header(one(rng, HEADERS).encode("latin1"), bytes([rng.integers(1, 5), rng.integers(2)]))
    elif sort == 2:
        which[1] = flipped(rng, which[1])
    elif sort == 3:
        which[1] = which[1][: rng.integers(len(which[1]))]
    elif sort == 4:
        array = np.array([[Trap(trap)] * 2] * 5 if which[0] == "x.npy" else [Trap(trap)] * 5, dtype=object)
        which[1] = one(rng, (npy(array), __import__("pickle").dumps(array)))
    elif sort == 5:
        which[1] = npy(MEMBERS[one(rng, list(MEMBERS))])
    elif sort == 6:
        members.append([which[0], npy(MEMBERS[one(rng, list(MEMBERS))])])
    elif sort == 7:
        members.remove(which)
    elif sort == 8:
        which[1] += b"\0" * int(rng.integers(1, 1_000_000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *_, **__: None)  # of a name that stands twice
        data = archived(members, compression)
    if sort == 9:
        data = data[: rng.integers(len(data))]
    elif sort == 10:
        data = flipped(rng, data, 8)
    elif sort == 11:  # sizes, offsets, flags and methods, of both headers of a member
        at = (
            data.index(one(rng, (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"))) + 4 + int(rng.integers(0, 40))
        )
        new = one(rng, (b"\xff" * 4, b"\0" * 4, b"\xfe\xff\xff\x7f", b"\xff" * 8, rng.bytes(4), b"\x01"))
        data = data[:at] + new + data[at + len(new) :]
    return data


def loaded(kind, path, **options):
    """Load a file as a configuration would have it loaded, and keep the promises of a source."""
    source = sources.resolve({kind: {"path": str(path), **options}})
    dataset = source.load()
    assert source.outline() == dataset.outline
    assert np.isfinite(dataset.x).all()
    "".join(
        (*dataset.features, *getattr(dataset.task, "classes", ()))
    ).encode()  # as files and terminals need it
    assert dataset.y.dtype.kind == "i" or np.isfinite(dataset.y).all()
    return dataset


def try_data(findings, number, path, data, **options):
    path.write_bytes(data)
    dataset, error = findings.trial(number, data, lambda: loaded(path.suffix[1:], path, **options))
    if error is not None:
        if not isinstance(error, DataError):
            findings.note(f"{type(error).__name__} instead of a DataError", number, data)
        if not str(error).startswith(str(path)):
            findings.note(f"does not begin with the file: {str(error)[:80]!r}", number, data)
        if "Unable to allocate" in str(error):
            findings.note("asks for more memory than there is", number, data)
        if len(str(error)) > 20_000:
            findings.note("a message of more than 20,000 characters", number, data)
    return dataset is not None


def test_a_damaged_npz_file_is_read_or_refused(tmp_path, record_property):
    findings, trap, read = Findings(), tmp_path / "unpickled", 0
    number = -1
    for number in times(5000):
        data = damaged_npz(np.random.default_rng([3, number]), str(trap))
        read += try_data(findings, number, tmp_path / "a.npz", data)
        assert not trap.exists(), f"case {number} was unpickled: {data!r}"
    record_property("told", f"damaged npz files: {read} of {number + 1} read, {findings.slowest:.2f} s")
    findings.settle()


@pytest.mark.parametrize("text", HEADERS, ids=range(len(HEADERS)))
def test_every_header_is_refused_or_fits_its_data(text, tmp_path):
    findings = Findings()
    for version in (b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x00\x00"):
        data = archived([("x.npy", header(text.encode("latin1"), version)), ("y.npy", npy(np.ones(5)))])
        try_data(findings, text[:60], tmp_path / "a.npz", data)
    findings.settle()


@pytest.mark.parametrize("point", [0xFFFFFFFF, 0x110000, 0xD800, 0xDFFF])
def test_text_that_is_not_unicode_is_refused(point, tmp_path):
    findings = Findings()
    text = npy(np.array(["a", "b", "a", "b", "?"])).replace(
        struct.pack("<I", ord("?")), struct.pack("<I", point)
    )
    data = archived([("x.npy", npy(X)), ("y.npy", text)])
    read = try_data(findings, f"U+{point:04X}", tmp_path / "a.npz", data)
    findings.settle()
    assert not read


def test_zip_bombs_are_not_inflated(tmp_path):
    """A small member by its header, by the directory, and one of 5 GiB by the directory alone."""
    findings, size, file = Findings(), len(npy(X)) + 300 * 2**20, io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("x.npy", "w") as member:
            member.write(npy(X))
            for _ in range(300):
                member.write(bytes(2**20))
        archive.writestr("y.npy", npy(np.ones(5)))
    data = file.getvalue()
    small = data.replace(struct.pack("<I", size), struct.pack("<I", len(npy(X))))
    large = data.replace(struct.pack("<I", size), struct.pack("<I", 2**32 - 2))
    assert data != small != large
    claim = header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (250000000, 2), }", content=b"")
    claimed = archived([("x.npy", claim), ("y.npy", npy(np.ones(5)))])
    for name, content in {"whole": data, "small": small, "large": large, "claimed": claimed}.items():
        assert not try_data(findings, name, tmp_path / "a.npz", content)
    findings.settle()


CELLS = (
    *(
        "",
        " ",
        "1",
        "-1.5",
        "1e5",
        "1e999",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "NA",
        "?",
        "-",
        "1,5",
        "1_000",
        "0x10",
        "٣",
    ),
    *(
        '"',
        '""',
        '"a',
        '"a,b"',
        '"a\nb"',
        "a" * 200_000,
        "1" * 5000,
        "\x1b[31m",
        "\x07",
        "\x00",
        "\ufeff",
        "\u202e",
    ),
    *(
        "\u2028",
        "\x85",
        "\x0b",
        "\x0c",
        "\x1c",
        "é",
        "名",
        "a b",
        "=1+1",
        "'",
        "\\",
        "{0}",
        "%s",
        "true",
        "null",
    ),
)
NEW_LINES = ("\n", "\r\n", "\r", "\n\n", "\n \n")


def damaged_csv(rng):
    """Return the bytes of a table, of which something is wrong, and options that it may be read with."""
    size, delimiter = int(rng.integers(2, 6)), one(rng, (",", ";", "\t", "|", " "))
    rows = [[f"{value:.3g}" for value in rng.standard_normal(size)] for _ in range(rng.integers(0, 20))]
    if rng.random() < 0.4:
        rows = [[*row[:-1], one(rng, ("cat", "dog"))] for row in rows]
    if rng.random() < 0.7:
        rows.insert(0, [f"c{index}" for index in range(size)])
    for _ in range(rng.integers(0, 3)):
        if not rows:
            break
        row = rows[rng.integers(len(rows))] if rng.random() < 0.7 else rows[0]
        sort, at = rng.integers(5), int(rng.integers(len(row) + 1))
        if sort <= 2 and row:
            row[at % len(row)] = one(rng, CELLS)
        elif sort == 3:
            row.insert(at, one(rng, CELLS))
        elif row:
            del row[at % len(row)]
    new_line = one(rng, NEW_LINES) if rng.random() < 0.3 else "\n"
    data = new_line.join(delimiter.join(row) for row in rows).encode("utf-8")
    sort = rng.integers(12)
    if sort == 0:
        data = b"\xef\xbb\xbf" * int(rng.integers(1, 3)) + data
    elif sort == 1:
        data = flipped(rng, data)
    elif sort == 2:
        data = data[: rng.integers(len(data) + 1)]
    elif sort == 3:
        at = int(rng.integers(len(data) + 1))
        data = data[:at] + one(rng, CELLS).encode() + data[at:]
    elif sort == 4 and rng.random() < 0.1:
        data = data.decode().encode("utf-16")
    choices = {
        "target": ("c0", "c1", "", "\x1b[0m", 0, -1, 99, -99, 2**70),
        "header": (True, False),
        "delimiter": (",", ";", "|", "\t", " "),
        "task": ("classification", "regression"),
        "drop": ([], [0], ["c1"], [0, 0], [0, 1, 2, 3, 4, 5], ["no"], [-1]),
    }
    options = {name: one(rng, values) for name, values in choices.items() if rng.random() < 0.1}
    named = [options.get("target"), *options.get("drop", [])]
    if options.get("header") is False and any(isinstance(column, str) for column in named):
        del options["header"]  # is refused before the file is read
    return data, options


def test_a_damaged_table_is_read_or_refused(tmp_path, record_property):
    findings, read = Findings(), 0
    number = -1
    for number in times(5000):
        data, options = damaged_csv(np.random.default_rng([4, number]))
        read += try_data(findings, number, tmp_path / "a.csv", data, **options)
    record_property("told", f"damaged tables: {read} of {number + 1} read, {findings.slowest:.2f} s")
    findings.settle()
    assert read > 0.05 * (number + 1)


def test_messages_about_data_in_a_configuration_are_clean(tmp_path):
    """What a table or an npz file has in its names comes to the terminal in messages."""
    findings = Findings()
    text = SEEDS["csv.yaml"].encode()
    for number in times(1000):
        rng = np.random.default_rng([5, number])
        config = text if rng.random() < 0.5 else text.replace(b", target: price", b"")
        if rng.random() < 0.5:
            data, _ = damaged_csv(rng)
        else:
            config = config.replace(b"{csv: {path: houses.csv, target: price}}", b"{npz: {path: houses.csv}}")
            data = damaged_npz(rng, str(tmp_path / "unpickled"))
        (tmp_path / "houses.csv").write_bytes(data)
        try_configuration(findings, number, tmp_path / "a.yaml", config)
    findings.settle()


# Checkpoints


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """The bytes of a checkpoint with every member there can be, and their names."""
    folder = tmp_path_factory.mktemp("checkpoint")
    (folder / "houses.csv").write_bytes((FOLDER / "houses.csv").read_bytes())
    (folder / "a.yaml").write_text(SEEDS["csv.yaml"])
    state = TrainingState.start(build(load_config(folder / "a.yaml")))
    state.step, state.epoch, state.best_epoch, state.best_loss, state.seconds = 7, 3, 2, 0.25, 1.5
    state.metrics = {"training_loss": 0.5, "validation_loss": None}
    state.best_parameters = state.parameters * 2
    drawn = np.random.default_rng(1)
    for array in state.optimizer.values():
        array[...] = drawn.integers(1, 9, array.shape)
    state.order = np.random.default_rng(0).permutation(64)
    save(folder / "step-7.npz", state, {"files": {"steps.csv": 120}, "text": "ü"})
    return (folder / "step-7.npz").read_bytes()


def contents(data):
    """Return the members of a checkpoint: `{name: bytes}`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def extents(data):
    """Return where the bytes of every member lie: `{name: (start, stop)}`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {}
        for info in archive.infolist():
            lengths = struct.unpack("<HH", data[info.header_offset + 26 : info.header_offset + 30])
            start = info.header_offset + 30 + sum(lengths)
            found[info.filename] = (start, start + info.compress_size)
        return found


def told_of(it):
    """Return all that a checkpoint holds as one text."""
    values = [
        (name, np.asarray(value).dtype.str, np.shape(value), np.asarray(value).tobytes())
        for name, value in (
            ("parameters", it.state.parameters),
            ("order", it.state.order),
            ("best_parameters", it.state.best_parameters),
            *sorted(it.state.optimizer.items()),
        )
        if value is not None
    ]
    numbers = {
        name: value
        for name, value in vars(it.state).items()
        if name not in ("parameters", "order", "best_parameters", "optimizer", "random")
    }
    generators = [generator.bit_generator.state for generator in it.state.random]
    return repr((values, sorted(numbers.items()), generators, it.record))


def try_checkpoint(findings, number, path, data, whole=None, members=()):
    """Load `data`, which has to fail with one of `members` in the message, or hold what `whole` tells."""
    path.write_bytes(data)
    it, error = findings.trial(number, data, lambda: load(path))
    if it is not None and (whole is None or told_of(it) != whole):
        findings.note("is loaded with other data than were written", number, data)
    if error is None:
        return
    if not isinstance(error, CheckpointError):
        findings.note(f"{type(error).__name__} instead of a CheckpointError", number, data)
    if str(path) not in str(error):
        findings.note("does not name the file", number, data)
    if members and not any(member.removesuffix(".npy") in str(error) for member in members):
        message = re.sub(r"\d+", "#", str(error).replace(str(path), "…")[:90])
        findings.note(f"does not name the member that is damaged: {message}", number, data)


def whole_of(path, data):
    path.write_bytes(data)
    return told_of(load(path))


def test_every_member_of_a_checkpoint_is_needed_as_it_was_written(checkpoint, tmp_path):
    findings, path = Findings(), tmp_path / "step-7.npz"
    members, places, whole = contents(checkpoint), extents(checkpoint), whole_of(path, checkpoint)
    assert {"facts.npy", "digest.npy", "parameters.npy", "order.npy", "best_parameters.npy"} < set(members)
    assert any(name.startswith("optimizer/") for name in members)
    for index, (name, content) in enumerate(members.items()):
        rng = np.random.default_rng([6, index])
        array = np.load(io.BytesIO(content))
        one_of = (name, "facts") if name == "digest.npy" else (name,)

        def try_changed(what, content, name=name, one_of=one_of):
            changed = archived({**members, name: content}.items())
            try_checkpoint(findings, f"{name} {what}", path, changed, whole, members=one_of)

        without = [(other, content) for other, content in members.items() if other != name]
        try_checkpoint(findings, f"{name} dropped", path, archived(without), members=(name,))
        for at in {0, 1, 6, 10, len(content) - 1, *map(int, rng.integers(0, len(content), 10))}:
            try_changed(f"cut at {at}", content[:at])
        for other in ("<f4", "<f8", ">f8", "<i8", "|u1", "<U5", "|S3"):
            if array.dtype != other:
                with np.errstate(all="ignore"):
                    try_changed(f"as {other}", npy(array.astype(other)))
        try_changed("with an axis more", npy(array[np.newaxis]))
        try_changed("shorter", npy(array[:-1]))
        try_changed("longer", npy(np.append(array, array[:1])))
        try_changed("empty", npy(array[:0]))
        try_changed("a scalar", npy(array.flat[0]))
        try_changed("of zeros", npy(np.zeros_like(array)))
        try_changed("reversed", npy(array[::-1]))
        try_changed("of objects", npy(np.array([Trap(str(tmp_path / "unpickled"))], dtype=object)))
        try_changed("records", npy(np.zeros(3, [("a", "f8")])))
        for text in HEADERS:
            try_changed(f"with the header {text[:60]}", header(text.encode("latin1")))
        renamed = [(other if other != name else "x" + name, content) for other, content in members.items()]
        try_checkpoint(findings, f"{name} renamed", path, archived(renamed), members=(name,))
        start, stop = places[name]
        for at in (start, (start + stop) // 2, stop):
            try_checkpoint(findings, f"the file cut in {name}", path, checkpoint[:at])
        for at in {start, stop - 1, *map(int, rng.integers(start, stop, 30))}:
            changed = bytearray(checkpoint)
            changed[at] ^= 1 << int(rng.integers(8))
            try_checkpoint(findings, f"{name} bit at {at - start}", path, bytes(changed), members=(name,))
    assert not (tmp_path / "unpickled").exists()
    findings.settle()


def test_a_checkpoint_with_more_or_exchanged_members_is_refused(checkpoint, tmp_path):
    findings, path = Findings(), tmp_path / "step-7.npz"
    members, whole = contents(checkpoint), whole_of(path, checkpoint)
    for extra in ("more.npy", "optimizer/more.npy", "notes.txt", "parameters", "\x1b[31m.npy"):
        try_checkpoint(findings, f"with {extra}", path, archived({**members, extra: npy(X)}.items()), whole)
    names = list(members)
    for first in names:
        for second in names:
            if first < second:
                exchanged = {**members, first: members[second], second: members[first]}
                try_checkpoint(
                    findings, f"{first} and {second} exchanged", path, archived(exchanged.items()), whole
                )
    findings.settle()


def test_random_changes_of_a_checkpoint_are_refused_or_do_not_matter(checkpoint, tmp_path):
    findings, path = Findings(), tmp_path / "step-7.npz"
    whole = whole_of(path, checkpoint)
    for number in times(2000):
        rng = np.random.default_rng([7, number])
        sort, at = rng.integers(5), int(rng.integers(len(checkpoint)))
        if sort <= 1:
            data = flipped(rng, checkpoint)
        elif sort == 2:
            data = checkpoint[:at]
        elif sort == 3:
            data = checkpoint[:at] + rng.bytes(int(rng.integers(1, 9))) + checkpoint[at:]
        else:
            stop = at + int(rng.integers(1, 5000))
            data = checkpoint[:at] + b"\0" * len(checkpoint[at:stop]) + checkpoint[stop:]
        try_checkpoint(findings, number, path, data, whole)
    findings.settle()


def with_facts(members, told):
    """Return a checkpoint that vouches for `told` as its facts."""
    content = np.frombuffer(told, np.uint8)
    digest = np.frombuffer(hashlib.sha256(told).digest(), np.uint8)
    return archived({**members, "facts.npy": npy(content), "digest.npy": npy(digest)}.items())


def test_facts_of_any_sort_are_refused_even_with_their_digest(checkpoint, tmp_path):
    """Nobody's rotten disk writes these, but a later or another program may."""
    findings, path = Findings(), tmp_path / "step-7.npz"
    members = contents(checkpoint)
    told = np.load(io.BytesIO(members["facts.npy"])).tobytes()
    values = (*VALUES, "<", ["a"], {"state": 1}, {"a": "b"}, "\x1b[31m")
    for number in times(2000):
        rng = np.random.default_rng([8, number])
        facts = json.loads(told)
        if rng.random() < 0.15:
            changed = flipped(rng, told, 3)
        else:
            *steps, key = one(rng, paths(facts)[1:])
            node = facts
            for step in steps:
                node = node[step]
            if rng.random() < 0.2:
                del node[key]
            elif rng.random() < 0.15 and isinstance(node, dict):
                node[one(rng, NAMES)] = node.pop(key)
            else:
                node[key] = one(rng, values)
            changed = json.dumps(facts).encode()
        path.write_bytes(with_facts(members, changed))
        _, error = findings.trial(number, changed, lambda: load(path))
        if error is not None and not isinstance(error, CheckpointError):
            findings.note(f"{type(error).__name__} instead of a CheckpointError", number, changed)
        if error is not None and str(path) not in str(error):
            findings.note(f"does not name the file: {error}", number, changed)
    for told in (
        b"",
        b"[]",
        b"null",
        b"[" * 200_000,
        b"9" * 5000,
        b'{"format": 1' + b"9" * 5000 + b"}",
        b"\xff",
        b"NaN",
    ):
        path.write_bytes(with_facts(members, told))
        _, error = findings.trial("written out", told, lambda: load(path))
        assert isinstance(error, CheckpointError), told[:50]
    findings.settle()


# What reaches the terminal


def test_no_command_prints_what_a_terminal_acts_on(checkpoint, tmp_path, monkeypatch, capsys):
    """Names in files and members in archives are anybody's text."""
    from jactrain.cli import main

    def told(*arguments):
        monkeypatch.setattr("sys.argv", ["jactrain", *map(str, arguments)])
        with pytest.raises(SystemExit):
            main()
        printed = capsys.readouterr()
        return printed.out + printed.err

    red = "\x1bc"  # resets a terminal; unlike colours, typer leaves it even in a pipe
    table = (FOLDER / "houses.csv").read_text()
    (tmp_path / "houses.csv").write_text(table.replace("area", f"{red}area"))
    text = SEEDS["csv.yaml"].replace("epochs: 300", "epochs: 1")
    (tmp_path / "a.yaml").write_text(text)
    printed = {"run": told("run", tmp_path / "a.yaml", "--runs", tmp_path / "runs")}
    (run,) = (tmp_path / "runs").iterdir()
    (tmp_path / "b.csv").write_text(f"{red}x,rooms,age\n1,2,3\n")
    printed["predict csv"] = told("predict", run, "--input", tmp_path / "b.csv")
    (tmp_path / "b.npz").write_bytes(archived([(f"{red}.npy", npy(X))]))
    printed["predict npz"] = told("predict", run, "--input", tmp_path / "b.npz")
    (tmp_path / "houses.csv").write_text(table.replace("price", f"{red}price"))
    printed["evaluate header"] = told("evaluate", run)
    printed["resume header"] = told("resume", run, "--set", "training.epochs=2")
    (tmp_path / "houses.csv").write_text(table.replace("area", f"{red}area").replace("\n5", f"\n{red}5", 1))
    printed["evaluate cell"] = told("evaluate", run)
    printed["report"] = told("report", run)
    members = contents(checkpoint)
    for path in run.rglob("step-*.npz"):
        path.write_bytes(archived({**members, f"{red}.npy": npy(X)}.items()))
    (tmp_path / "houses.csv").write_text(table.replace("area", f"{red}area"))
    printed["resume checkpoint"] = told("resume", run, "--set", "training.epochs=3")
    for path in run.rglob("step-*.npz"):
        path.write_bytes(with_facts(members, json.dumps({"format": red}).encode()))
    printed["resume format"] = told("resume", run, "--set", "training.epochs=3")
    if os.environ.get("DBG"):
        print(printed)
    found = {name: text[:300] for name, text in printed.items() if "\x1b" in text}
    assert not found
    assert all(printed.values())
