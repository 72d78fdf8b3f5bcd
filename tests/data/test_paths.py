"""Paths in a configuration."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jactrain.data.base import sources
from jactrain.errors import DataError

KINDS = pytest.mark.parametrize("kind", ["csv", "npz"])


@KINDS
def test_a_relative_path_is_relative_to_the_configurations_folder(kind: str, tmp_path: Path) -> None:
    source = sources.resolve({kind: {"path": "../data/file"}}, {"folder": tmp_path})
    assert source.path == tmp_path / "../data/file"  # type: ignore[attr-defined]


@KINDS
def test_without_a_configuration_it_is_relative_to_the_current_folder(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sources.resolve({kind: {"path": "file"}}).path == tmp_path / "file"  # type: ignore[attr-defined]


@KINDS
@pytest.mark.parametrize("as_given", [str, Path])
def test_an_absolute_path_stays(kind: str, as_given: Any, tmp_path: Path) -> None:
    source = sources.resolve({kind: {"path": as_given(tmp_path / "file")}}, {"folder": Path("/elsewhere")})
    assert source.path == tmp_path / "file"  # type: ignore[attr-defined]


@KINDS
def test_a_tilde_is_the_home_folder(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert sources.resolve({kind: {"path": "~/file"}}).path == tmp_path / "file"  # type: ignore[attr-defined]


@KINDS
@pytest.mark.parametrize("value", [3, "", None, "a\0b", ["a"]])
def test_what_is_no_path_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=r"a path is .*, such as people.csv, not"):
        sources.resolve({kind: {"path": value}})


@KINDS
def test_a_missing_file_is_found_out_on_loading_only(kind: str, tmp_path: Path) -> None:
    source = sources.resolve({kind: {"path": "nowhere"}}, {"folder": tmp_path})
    with pytest.raises(DataError, match=r"nowhere: there is no such file; a relative path is relative to"):
        source.outline()


@KINDS
def test_a_folder_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="this is a folder; give the path of a file in it"):
        sources.resolve({kind: {"path": str(tmp_path)}}).load()


@KINDS
def test_a_file_as_a_folder_is_refused(kind: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="the file cannot be read: Not a directory"):
        sources.resolve({kind: {"path": str(tmp_path / "file" / "below")}}).load()


@KINDS
def test_a_device_is_refused(kind: str) -> None:
    with pytest.raises(DataError, match="this is not a regular file"):
        sources.resolve({kind: {"path": "/dev/null"}}).load()


@KINDS
def test_a_file_that_is_too_large_is_refused_unread(kind: str, tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.truncate(2**34)  # sparse: takes no room on the disk
    with pytest.raises(DataError, match=r"the file has 16.00 GiB, at most . GiB are read"):
        sources.resolve({kind: {"path": str(tmp_path / "file")}}).load()
