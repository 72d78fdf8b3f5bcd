"""Folders of runs as bytes: what arrives is what was sent, or nothing is changed."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from small_sweeps import contents

from jactrain.errors import RunError
from jactrain.sweeps.parcel import packed, unpacked


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "meta.json").write_text('{"status": "running"}' * 20)
    (folder / "weights.npz").write_bytes(np.random.default_rng(0).bytes(3000))
    (folder / "checkpoints" / "step-0000000001.npz").write_bytes(b"\0" * 5000)
    (folder / ".lock").touch()
    (folder / ".jactrain-unfinished").write_text("half")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (_, data) in contents(folder).items()}


def test_a_folder_arrives_as_it_was_without_locks_and_unfinished_files(run: Path, tmp_path: Path) -> None:
    parcel = packed(run)
    assert parcel is not None
    unpacked(parcel, tmp_path / "far" / "away" / "run")
    expected = files(run)
    del expected[".jactrain-unfinished"]
    assert files(tmp_path / "far" / "away" / "run") == expected
    assert not list((tmp_path / "far" / "away").glob(".jactrain-*"))
    assert packed(tmp_path / "nowhere") is None


def test_a_folder_is_replaced_as_a_whole(run: Path, tmp_path: Path) -> None:
    parcel = packed(run)
    assert parcel is not None
    (run / "more.txt").write_text("more")
    unpacked(parcel, run)
    assert sorted(files(run)) == ["checkpoints/step-0000000001.npz", "meta.json", "weights.npz"]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_files_from_before_1980_are_sent(run: Path) -> None:
    os.utime(run / "meta.json", (0, 0))
    assert packed(run)


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/evil", "a/../../evil", "a\\..\\evil", "checkpoints/deep/evil", "..", "a/.."]
)
def test_names_outside_of_the_folder_are_refused(name: str, run: Path, tmp_path: Path) -> None:
    parcel = io.BytesIO()
    with zipfile.ZipFile(parcel, "w") as archive:
        archive.writestr("meta.json", "{}")
        archive.writestr(name, "evil")
    before = contents(tmp_path)
    with pytest.raises(RunError, match="outside its folder"):
        unpacked(parcel.getvalue(), run)
    assert contents(tmp_path) == before


def test_a_damaged_parcel_changes_nothing(run: Path, tmp_path: Path) -> None:
    """Cut anywhere, or with any few bytes changed, it is refused, or gives a file of every name."""
    parcel = packed(run)
    assert parcel is not None
    rng = np.random.default_rng(1)
    broken = [b"", b"no parcel", parcel[: len(parcel) // 2], parcel[50:]]
    for _ in range(150):
        changed = bytearray(parcel)
        for place in rng.integers(len(parcel), size=int(rng.integers(1, 8))):
            changed[place] = int(rng.integers(256))
        broken.append(bytes(changed))
    before, refused = contents(run), 0
    for each in broken:
        try:
            unpacked(each, tmp_path / "other" / "run")
        except RunError:
            refused += 1
            assert not list((tmp_path / "other").glob(".jactrain-*"))
    assert refused > 100
    with pytest.raises(RunError, match="it is trained again next time"):
        unpacked(broken[2], run)
    assert contents(run) == before
