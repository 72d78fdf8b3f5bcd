"""Damaged and random files: each ends in a value or in a message, within a second and 200 MB.

JACTRAIN_FUZZ multiplies how many: 1 takes 20,000 byte strings, 20,000 configurations, 5,000 overrides,
5,000 npz files, 5,000 tables, 1,000 of both in a configuration, and 4,000 changes of a checkpoint; 10, as
`make fuzz` sets it, ten times as many. A run of all tests takes 0.05 of them: 1,000, 1,000, 250, 250, 250, 50
and 200, besides the cases that are written out. A failure tells every way in which something went wrong once,
with the number of its case, which is the seed with that of the test, and the shortest input.
"""

import contextlib
import hashlib
import io
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

from jactrain.config.build import check
from jactrain.config.files import load_document, located
from jactrain.config.yaml import parse
from jactrain.data.base import sources
from jactrain.errors import ConfigurationError, DataError, UsageError

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


def paths(tree, path=()):
    """Return the key path of everything in `tree`."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path, *(inside for key, item in items for inside in paths(item, (*path, key)))]


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


def contents(data):
    """Return the members of a checkpoint: `{name: bytes}`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def with_facts(members, told):
    """Return a checkpoint that vouches for `told` as its facts."""
    content = np.frombuffer(told, np.uint8)
    digest = np.frombuffer(hashlib.sha256(told).digest(), np.uint8)
    return archived({**members, "facts.npy": npy(content), "digest.npy": npy(digest)}.items())
