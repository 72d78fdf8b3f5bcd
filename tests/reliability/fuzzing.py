"""How broken and random files are tried: each ends in a value or in a message, within a second and 200 MB.

They are drawn by hypothesis from a seed that is kept: a test tries the same ones each time, with the same
version of hypothesis, and shows the smallest that fails.

JACTRAIN_FUZZ multiplies how many: 1 takes 20,000 byte strings, 20,000 configurations, 5,000 overrides,
5,000 npz files, 5,000 tables, 1,000 of both in a configuration, and 4,000 changes of a checkpoint; 10, as
`make fuzz` sets it, ten times as many. A run of all tests takes 0.05 of them: 1,000, 1,000, 250, 250, 250, 50
and 200, besides the cases that are written out.
"""

import contextlib
import math
import os
import re
import resource
import signal
import time
import traceback
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

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


def fuzzed(number, strategy, tried):
    """Call `tried` with `number` cases of `strategy`, times JACTRAIN_FUZZ; return the share it is true of."""
    times, held = max(1, math.ceil(number * FUZZ)), []

    @seed(0)
    @settings(
        max_examples=times,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],  # to explain, it traces, and a case takes ten times as long
    )
    @given(strategy)
    def each(case):
        held.append(bool(tried(case)))

    each()
    assert len(held) >= 0.9 * times, f"only {len(held)} of {times} cases could be drawn"
    return sum(held) / len(held)


class HangError(BaseException):
    """Not an Exception, which the code under test may catch."""


@contextlib.contextmanager
def given_up(seconds=GIVEN_UP):
    """Raise HangError in the block once it has computed for `seconds`."""

    def hang(_, frame):
        # Raised in what hypothesis has Python call while it collects garbage, it would end nothing.
        if "hypothesis" not in frame.f_code.co_filename:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            raise HangError

    before = signal.signal(signal.SIGVTALRM, hang)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds, 0.01)
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


def bounded(action):
    """Return `(result, error)` of `action`, one of which is None: what it returned, or its UsageError.

    Whatever else it raises, and more time or memory than there may be, fails the test.
    """
    before = peak_from_here()
    result, error, spent = _timed(action)
    assert peak() - before <= GROWTH, "takes more than 200 MB"
    if spent > SECONDS:  # it may have imported a library, which is not its own time
        result, error, spent = _timed(action)
        assert spent <= SECONDS, f"takes {spent:.2f} s"
    return result, error


def _timed(action):
    result = error = None
    began = time.process_time()
    try:
        with given_up():
            result = action()
    except UsageError as raised:
        error = raised
    except HangError as raised:
        frames = [
            each for each in traceback.extract_tb(raised.__traceback__) if "/jactrain/" in each.filename
        ]
        raise AssertionError(
            f"takes more than {GIVEN_UP} s in {frames[-1] if frames else 'the test'}"
        ) from None
    return result, error, time.process_time() - began


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


def try_configuration(path, data):
    """Take `data` as a configuration; return whether it is one; if not, it is refused with a place."""
    path.write_bytes(data)
    _, error = bounded(lambda: validated(path))
    if error is None:
        return True
    told, lines = str(error), len(re.split(b"\r\n|[\n\r]|\xc2\x85|\xe2\x80[\xa8\xa9]", data))
    assert isinstance(error, ConfigurationError), f"{type(error).__name__} without a place: {told}"
    assert told.startswith(str(path)), told
    assert error.mistakes, told
    assert clean(told), f"characters that a terminal acts on: {told!r}"
    if len(data) <= 1_000_000:
        for mistake in error.mistakes:
            assert mistake.file == str(path), told
            assert mistake.line is not None, told
            assert 1 <= mistake.line <= lines, told
    return False


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


def try_data(path, data, **options):
    """Read `data` as a file of data; return whether it is one; if not, it is refused."""
    path.write_bytes(data)
    _, error = bounded(lambda: loaded(path.suffix[1:], path, **options))
    if error is None:
        return True
    told = str(error)
    assert isinstance(error, DataError), f"{type(error).__name__} instead of a DataError: {told}"
    assert told.startswith(str(path)), told
    assert "Unable to allocate" not in told, told
    assert len(told) <= 20_000
    return False
