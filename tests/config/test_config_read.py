import subprocess
import sys
from pathlib import Path

import pytest

from jactrain.config.load import read
from jactrain.errors import ConfigurationError


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(path, overrides)
    return str(caught.value)


def test_a_file_is_read_with_its_overrides_in_turn(folder: Path) -> None:
    document = read(folder / "digits.yaml", ["training.epochs=3", "training.epochs=4"])
    assert document.value == {"name": "digits", "training": {"epochs": 4}}
    assert document.origin == str(folder / "digits.yaml")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("digit.yaml", "did you mean digits.yaml?"),
        ("wine_quality.yml", "did you mean wine-quality.yaml?"),
        ("zzz", "there are digits.yaml, wine-quality.yaml"),
        ("nowhere/a.yaml", "there is no folder"),
    ],
)
def test_a_missing_file_names_the_nearest(folder: Path, name: str, advice: str) -> None:
    first, second = refusal(folder / name).splitlines()
    assert first == f"{folder / name}: there is no such file"
    assert advice in second


def test_a_missing_file_in_an_empty_folder_names_the_way_out(tmp_path: Path) -> None:
    assert "jactrain init" in refusal(tmp_path / "a.yaml")


def test_a_folder_is_refused(folder: Path) -> None:
    assert "this is a folder, not a file" in refusal(folder)


def test_a_file_without_permission_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # whoever is root may open any file
    assert "this file may not be read" in refusal(folder / "digits.yaml")


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000])
def test_a_path_that_no_file_can_have_is_refused(folder: Path, name: str) -> None:
    assert "this file cannot be read: " in refusal(folder / name)


def test_a_large_file_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    with path.open("wb") as file:
        file.truncate(10_000_000)
    assert "this has 10,000,000 bytes; a configuration has at most 1,000,000" in refusal(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device")
def test_an_endless_file_is_not_read_to_its_end() -> None:
    assert "bytes; a configuration has at most" in refusal(Path("/dev/zero"))


def test_mistakes_name_the_file(folder: Path) -> None:
    (folder / "digits.yaml").write_text("a: [")
    assert refusal(folder / "digits.yaml").startswith(f"{folder / 'digits.yaml'}:1:5: ")


def test_reading_configurations_imports_no_heavy_library() -> None:
    program = (
        "import sys, jactrain.config.load, jactrain.config.schema; "
        "print(*{'numpy', 'scipy', 'sklearn', 'jax', 'matplotlib'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
