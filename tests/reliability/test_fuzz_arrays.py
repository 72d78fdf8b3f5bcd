"""Damaged npz files: each is read as what it is, or refused; nothing is unpickled or inflated."""

import io
import struct
import zipfile

import numpy as np
import pytest
from damage import HEADERS, X, archived, damaged_npz, header, npy
from fuzzing import fuzzed, try_data

pytestmark = pytest.mark.usefixtures("apart")


def test_a_damaged_npz_file_is_read_or_refused(tmp_path):
    trap = tmp_path / "unpickled"

    def read(data):
        whole = try_data(tmp_path / "a.npz", data)
        assert not trap.exists()
        return whole

    assert fuzzed(5000, damaged_npz(str(trap)), read) > 0.02


@pytest.mark.parametrize("text", HEADERS, ids=range(len(HEADERS)))
def test_every_header_is_refused_or_fits_its_data(text, tmp_path):
    for version in (b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x00\x00"):
        data = archived([("x.npy", header(text.encode("latin1"), version)), ("y.npy", npy(np.ones(5)))])
        try_data(tmp_path / "a.npz", data)


@pytest.mark.parametrize("point", [0xFFFFFFFF, 0x110000, 0xD800, 0xDFFF])
def test_text_that_is_not_unicode_is_refused(point, tmp_path):
    text = npy(np.array(["a", "b", "a", "b", "?"])).replace(
        struct.pack("<I", ord("?")), struct.pack("<I", point)
    )
    data = archived([("x.npy", npy(X)), ("y.npy", text)])
    read = try_data(tmp_path / "a.npz", data)
    assert not read


def test_zip_bombs_are_not_inflated(tmp_path):
    """A small member by its header, by the directory, and one of 5 GiB by the directory alone."""
    size, file = len(npy(X)) + 300 * 2**20, io.BytesIO()
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
    for content in (data, small, large, claimed):
        assert not try_data(tmp_path / "a.npz", content)
