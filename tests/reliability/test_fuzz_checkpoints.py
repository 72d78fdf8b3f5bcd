"""Damaged checkpoints: each is refused, or is what was written."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from damage import (
    HEADERS,
    NAMES,
    VALUES,
    Trap,
    X,
    archived,
    chance,
    contents,
    cut,
    flipped,
    header,
    npy,
    one,
    paths,
    with_facts,
)
from fuzzing import bounded, fuzzed
from hypothesis import strategies as st

from jactrain.errors import CheckpointError, RunError
from jactrain.training.checkpoint import load

pytestmark = pytest.mark.usefixtures("apart")


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


def try_checkpoint(path, data, whole, members=("",), what=""):
    """Load `data`; return whether it holds what `whole` tells; if not, it is refused, for one of `members`.

    `what` was done to it.
    """
    path.write_bytes(data)
    it, error = bounded(lambda: load(path))
    if it is not None:
        assert whole is not None, f"{what} is loaded"
        assert told_of(it) == whole, f"{what} is loaded with other data than were written"
        return True
    told = str(error)
    assert isinstance(error, CheckpointError), f"{what}: {error!r} instead of a CheckpointError"
    assert str(path) in told, f"{what}: {told}"
    assert any(member.removesuffix(".npy") in told for member in members), f"{what}: {told}"
    return False


def whole_of(path, data):
    path.write_bytes(data)
    return told_of(load(path))


def test_every_member_of_a_checkpoint_is_needed_as_it_was_written(checkpoint, tmp_path):
    path = tmp_path / "step-7.npz"
    members, places, whole = contents(checkpoint), extents(checkpoint), whole_of(path, checkpoint)
    assert {"facts.npy", "digest.npy", "parameters.npy", "order.npy", "best_parameters.npy"} < set(members)
    assert any(name.startswith("optimizer/") for name in members)
    for index, (name, content) in enumerate(members.items()):
        rng = np.random.default_rng([6, index])
        array = np.load(io.BytesIO(content))
        one_of = (name, "facts") if name == "digest.npy" else (name,)

        def try_changed(what, content, name=name, one_of=one_of):
            changed = archived({**members, name: content}.items())
            try_checkpoint(path, changed, whole, one_of, f"{name} {what}")

        without = [(other, content) for other, content in members.items() if other != name]
        try_checkpoint(path, archived(without), None, (name,), f"{name} dropped")
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
        try_checkpoint(path, archived(renamed), None, (name,), f"{name} renamed")
        start, stop = places[name]
        for at in (start, (start + stop) // 2, stop):
            try_checkpoint(path, checkpoint[:at], None, what=f"the file cut in {name}")
        for at in {start, stop - 1, *map(int, rng.integers(start, stop, 30))}:
            changed = bytearray(checkpoint)
            changed[at] ^= 1 << int(rng.integers(8))
            try_checkpoint(path, bytes(changed), None, (name,), f"{name} bit at {at - start}")
    assert not (tmp_path / "unpickled").exists()


def test_a_checkpoint_with_more_or_exchanged_members_is_refused(checkpoint, tmp_path):
    path = tmp_path / "step-7.npz"
    members, whole = contents(checkpoint), whole_of(path, checkpoint)
    for extra in ("more.npy", "optimizer/more.npy", "notes.txt", "parameters", "\x1b[31m.npy"):
        more = archived({**members, extra: npy(X)}.items())
        try_checkpoint(path, more, whole, what=f"with {extra}")
    names = list(members)
    for first in names:
        for second in names:
            if first < second:
                exchanged = {**members, first: members[second], second: members[first]}
                what = f"{first} and {second} exchanged"
                try_checkpoint(path, archived(exchanged.items()), whole, what=what)


@st.composite
def changed_bytes(draw, data):
    """Return `data` with bits flipped, an end cut off, bytes more, or zeros in their place."""
    sort, at = draw(st.integers(0, 4)), draw(st.integers(0, len(data) - 1))
    if sort <= 1:
        return flipped(draw, data)
    if sort == 2:
        return cut(draw, data)
    if sort == 3:
        return data[:at] + draw(st.binary(min_size=1, max_size=8)) + data[at:]
    stop = at + draw(st.integers(1, 5000))
    return data[:at] + b"\0" * len(data[at:stop]) + data[stop:]


@st.composite
def changed_facts(draw, told):
    """Return the JSON text `told` with a value or a name changed, or a few bits."""
    if chance(draw, 15):
        return flipped(draw, told, 3)
    facts = json.loads(told)
    *steps, key = one(draw, paths(facts)[1:])
    node = facts
    for step in steps:
        node = node[step]
    if chance(draw, 20):
        del node[key]
    elif isinstance(node, dict) and chance(draw, 15):
        node[one(draw, NAMES)] = node.pop(key)
    else:
        node[key] = one(draw, (*VALUES, "<", ["a"], {"state": 1}, {"a": "b"}, "\x1b[31m"))
    return json.dumps(facts).encode()


def test_random_changes_of_a_checkpoint_are_refused_or_do_not_matter(checkpoint, tmp_path):
    path = tmp_path / "step-7.npz"
    whole = whole_of(path, checkpoint)
    fuzzed(2000, changed_bytes(checkpoint), lambda data: try_checkpoint(path, data, whole))


def test_facts_of_any_sort_are_refused_even_with_their_digest(checkpoint, tmp_path):
    """Nobody's rotten disk writes these, but a later or another program may."""
    path, members = tmp_path / "step-7.npz", contents(checkpoint)
    told = np.load(io.BytesIO(members["facts.npy"])).tobytes()

    def refusal(facts):
        path.write_bytes(with_facts(members, facts))
        _, error = bounded(lambda: load(path))
        assert error is None or isinstance(error, RunError), error  # of another format, or damaged
        assert error is None or str(path) in str(error)
        return error

    fuzzed(2000, changed_facts(told), refusal)
    endless = b'{"format": 1' + b"9" * 5000 + b"}"
    for facts in (b"", b"[]", b"null", b"[" * 200_000, b"9" * 5000, endless, b"\xff", b"NaN"):
        assert isinstance(refusal(facts), CheckpointError), facts[:50]
