"""Damaged checkpoints: each is refused, or is what was written."""

import io
import json
import re
import struct
import zipfile

import numpy as np
import pytest
from fuzzing import (
    HEADERS,
    NAMES,
    VALUES,
    Findings,
    Trap,
    X,
    archived,
    contents,
    flipped,
    header,
    npy,
    one,
    paths,
    times,
    with_facts,
)

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
        if error is not None and not isinstance(error, RunError):  # of another format, or damaged
            findings.note(f"{type(error).__name__} instead of a RunError", number, changed)
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
