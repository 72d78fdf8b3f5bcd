"""The cache saves an import, and never costs a run."""

import shutil
from pathlib import Path

import numpy as np
import platformdirs
import pytest

from jactrain.data import cache as cache_module
from jactrain.data.base import Dataset, sources


def load(**options: int) -> Dataset:
    return sources.resolve({"moons": options}).load()


def same(first: Dataset, second: Dataset) -> bool:
    return np.array_equal(first.x, second.x) and first.outline == second.outline


def test_a_dataset_is_kept_under_its_kind(cache: Path) -> None:
    load()
    assert [path.name[:6] for path in cache.iterdir()] == ["moons-"]


def test_a_kept_dataset_is_what_was_computed() -> None:
    computed, kept = load(), load()
    assert same(computed, kept)
    assert np.array_equal(computed.y, kept.y)
    assert computed.features == kept.features


def test_a_kept_dataset_is_read_and_not_computed(cache: Path) -> None:
    dataset = load()
    (path,) = cache.iterdir()
    np.savez(path, x=dataset.x + 1, y=dataset.y, features=np.array(dataset.features))
    assert np.array_equal(load().x, dataset.x + 1)


def test_other_options_are_kept_apart(cache: Path) -> None:
    assert not same(load(seed=0), load(seed=1))
    assert len(list(cache.iterdir())) == 2


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"", lambda content: content[:1000], lambda _: b"not an archive", flipped],
    ids=["emptied", "truncated", "overwritten", "one bit"],
)
def test_a_damaged_file_is_computed_and_written_anew(cache: Path, damage) -> None:
    dataset = load()
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert same(load(), dataset)
    with np.load(path, allow_pickle=False) as arrays:
        assert np.array_equal(arrays["x"], dataset.x)


def test_a_file_of_other_sizes_is_computed_anew(cache: Path) -> None:
    dataset = load(seed=0)
    (path,) = cache.iterdir()
    load(seed=0, examples=10)
    (other,) = set(cache.iterdir()) - {path}
    shutil.copy(other, path)
    assert same(load(seed=0), dataset)


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    # A file in the folder's place fails for every user; root may write to read-only folders.
    (tmp_path / "cache").write_text("in the way")
    assert load().outline.examples == 500


def test_no_temporary_file_is_left(cache: Path) -> None:
    load()
    assert {path.suffix for path in cache.iterdir()} == {".npz"}


def test_a_write_that_fails_leaves_nothing(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", full)
    assert load().outline.examples == 500
    assert list(cache.iterdir()) == []


def test_a_large_dataset_is_not_kept(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "LARGEST_KEPT", 100)
    load()
    assert not cache.exists()


def test_without_the_variable_the_users_cache_folder_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JACTRAIN_CACHE")
    assert (
        cache_module.folder() == Path(platformdirs.user_cache_dir("jactrain", appauthor=False)) / "datasets"
    )
