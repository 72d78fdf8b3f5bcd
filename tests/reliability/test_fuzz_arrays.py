"""Damaged npz files: each is read as what it is, or refused; nothing is unpickled or inflated."""

import io
import struct
import zipfile

import numpy as np
import pytest
from fuzzing import HEADERS, Findings, X, archived, damaged_npz, header, npy, times, try_data

pytestmark = pytest.mark.usefixtures("apart")


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
