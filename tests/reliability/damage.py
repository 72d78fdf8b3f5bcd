"""What is broken, and how: values, names, archives and their members, drawn by hypothesis.

A function whose first argument is `draw` draws what it decides by it.
"""

import hashlib
import io
import os
import pickle
import struct
import warnings
import zipfile

import numpy as np
from hypothesis import strategies as st

VALUES = (
    *(0, 1, 2, 3, 5, 8, 50, -1, 100, 1000, 10**4, 10**6, 10**7, 2**31, 2**32, 2**63, 2**64, 10**30, 10**90),
    *(0.0, -0.0, 0.1, 0.5, 0.999, 1.0, 1.5, 1e-300, 5e-324, 1e300, float("inf"), float("-inf"), float("nan")),
    *(None, True, False, "", " ", "a\nb", "a\0b", "x" * 3000, "\x1b[31mred", "\x07", "\u202e", "/" * 5000),
    *["a", "1", "0.1", "1e9", "é", "None", "{0}", "{x!r}"],
    *["/dev/zero", "/etc/hostname", ".", "houses.csv", "no.csv", "~", "~nobody/x"],
    *["350KiB", "1B", "0B", "1KiB", "9GiB", "999999999999GiB", "float16", "float64", "complex128", "price"],
    *([], {}, [[]], [{}], [None], {"": None}, {"a": {"b": []}}, [1, "a", None], {"\x1b": 1}, ["tanh"] * 30),
)
NAMES = (
    *["name", "units", "network", "path", "source", "seed", "modes", "kind", "data", "x", "%s"],
    "",
    "\x1b[0m",
)


def one(draw, choices):
    return draw(st.sampled_from(choices))


def chance(draw, percent):
    """Return True in about so many of a hundred cases; a case that is simpler has False."""
    return draw(st.integers(0, 99)) >= 100 - percent


def sized(strategy, most):
    """Return text or bytes of each length up to `most` as often; `strategy` by itself prefers short ones."""
    return st.integers(0, most).flatmap(lambda size: strategy(min_size=size, max_size=size))


def several(choices, most):
    """Return lists of at most 256 `choices`, drawn at once as bytes, which takes a tenth of the time."""
    return sized(st.binary, most).map(lambda drawn: [choices[byte % len(choices)] for byte in drawn])


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


def flipped(draw, data, most=4):
    """Return `data` with one to `most` of its bits changed."""
    changed = bytearray(data)
    bits = st.lists(st.integers(0, 8 * len(data) - 1), min_size=1, max_size=most) if data else st.just([])
    for bit in draw(bits):
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def cut(draw, data):
    return data[: draw(st.integers(0, max(0, len(data) - 1)))]


@st.composite
def damaged_npz(draw, trap):
    """Return the bytes of an npz file with x and y, of which something is wrong."""
    compression = one(draw, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    members = [["x.npy", npy(X)], ["y.npy", npy(MEMBERS[one(draw, USUAL)])]]
    which, sort = members[draw(st.integers(0, 1))], draw(st.integers(0, 11))
    if sort == 0:
        which[0] = one(
            draw, ("x.npy", "x", "y", "", "../x.npy", "\x1b[31m.npy", "x\n.npy", "x.npy/", "a" * 60_000)
        )
    elif sort == 1:
        version = bytes([draw(st.integers(1, 4)), draw(st.integers(0, 1))])
        which[1] = header(one(draw, HEADERS).encode("latin1"), version)
    elif sort == 2:
        which[1] = flipped(draw, which[1])
    elif sort == 3:
        which[1] = cut(draw, which[1])
    elif sort == 4:
        array = np.array([[Trap(trap)] * 2] * 5 if which[0] == "x.npy" else [Trap(trap)] * 5, dtype=object)
        which[1] = one(draw, (npy(array), pickle.dumps(array)))
    elif sort == 5:
        which[1] = npy(MEMBERS[one(draw, list(MEMBERS))])
    elif sort == 6:
        members.append([which[0], npy(MEMBERS[one(draw, list(MEMBERS))])])
    elif sort == 7:
        members.remove(which)
    elif sort == 8:
        which[1] += b"\0" * draw(st.integers(1, 1_000_000))
    with warnings.catch_warnings(action="ignore"):  # of a name that stands twice
        data = archived(members, compression)
    if sort == 9:
        data = cut(draw, data)
    elif sort == 10:
        data = flipped(draw, data, 8)
    elif sort == 11:  # sizes, offsets, flags and methods, of both headers of a member
        start = data.index(one(draw, (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"))) + 4
        at = start + draw(st.integers(0, 39))
        known = st.sampled_from((b"\xff" * 4, b"\0" * 4, b"\xfe\xff\xff\x7f", b"\xff" * 8, b"\x01"))
        new = draw(known | st.binary(min_size=4, max_size=4))
        data = data[:at] + new + data[at + len(new) :]
    return data


def contents(data):
    """Return the members of a checkpoint: `{name: bytes}`."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def with_facts(members, told):
    """Return a checkpoint that vouches for `told` as its facts."""
    content = np.frombuffer(told, np.uint8)
    digest = np.frombuffer(hashlib.sha256(told).digest(), np.uint8)
    return archived({**members, "facts.npy": npy(content), "digest.npy": npy(digest)}.items())
