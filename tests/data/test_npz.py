"""Arrays in an npz file: those that can be used, and what is said of the others."""

import io
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jactrain.data import archive
from jactrain.data.base import Classification, Regression, Source, sources
from jactrain.errors import DataError

Arrays = Callable[..., Source]
X = np.arange(6.0).reshape(3, 2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.npz"


@pytest.fixture
def arrays(path: Path) -> Arrays:
    """Return a function that writes arrays and gives the npz source that reads them."""

    def write(**members: Any) -> Source:
        np.savez(path, **members)
        return sources.resolve({"npz": {"path": str(path)}})

    return write


@pytest.fixture
def raw(path: Path) -> Callable[[bytes], Source]:
    """Return a function that writes bytes and gives the npz source that reads them."""

    def write(content: bytes) -> Source:
        path.write_bytes(content)
        return sources.resolve({"npz": {"path": str(path)}})

    return write


def npz(**members: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **members)
    return file.getvalue()


def npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def with_x(content: bytes) -> bytes:
    """Return a sound archive whose member x is `content`: what no checksum catches."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as members:
        members.writestr("x.npy", content)
        members.writestr("y.npy", npy(np.ones(3)))
    return file.getvalue()


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
def test_floats_are_regressed_on(arrays: Arrays, shape: tuple[int, ...]) -> None:
    dataset = arrays(x=X, y=np.array([1.0, 2.0, 3.0]).reshape(shape)).load()
    assert dataset.y.tolist() == [[1.0], [2.0], [3.0]]
    assert dataset.task == Regression(("y",))
    assert dataset.features == ("x1", "x2")


def test_several_targets_are_numbered(arrays: Arrays) -> None:
    assert arrays(x=X, y=X).load().task == Regression(("y1", "y2"))


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([10, 9, 10]), ("9", "10")),
        (np.array([3, 1, 3], dtype=np.uint8), ("1", "3")),
        (np.array([True, False, True]), ("False", "True")),
        (np.array(["dog", "cat", "dog"]), ("cat", "dog")),
        (np.array(["dög", "cat", "dög"]).astype("U9"), ("cat", "dög")),
        (np.array([b"dog", b"cat", b"dog"]), ("cat", "dog")),
    ],
    ids=["int", "uint8", "bool", "text", "unicode", "bytes"],
)
def test_integers_bools_and_text_make_classes(arrays: Arrays, y: Any, classes: tuple[str, ...]) -> None:
    dataset = arrays(x=X, y=y).load()
    assert dataset.task == Classification(classes)
    assert dataset.y.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    "dtype", [np.float16, np.float32, np.longdouble, np.int8, np.uint64, np.bool_, ">f8"]
)
def test_inputs_of_any_number_type_become_float64(arrays: Arrays, dtype: Any) -> None:
    dataset = arrays(x=X.astype(dtype), y=np.ones(3)).load()
    assert dataset.x.dtype == np.dtype(np.float64)
    assert dataset.x.dtype.isnative
    assert np.array_equal(dataset.x, X.astype(dtype))


def test_inputs_may_have_any_shape(arrays: Arrays) -> None:
    dataset = arrays(x=np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)), y=np.ones(2)).load()
    assert np.array_equal(dataset.x, np.arange(24.0).reshape(2, 3, 4))
    assert dataset.features == ()


def test_compressed_files_and_further_arrays_are_fine(path: Path) -> None:
    np.savez_compressed(path, x=X, y=np.ones(3), notes=np.array(["a"]))
    assert sources.resolve({"npz": {"path": str(path)}}).load().outline.examples == 3


def test_the_file_is_read_once_for_outline_and_load(arrays: Arrays, path: Path) -> None:
    source = arrays(x=X, y=np.ones(3))
    source.outline()
    path.unlink()
    assert source.load().outline == source.outline()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"x": X}, "there is no array 'y'; arrays in this file: x"),
        ({"inputs": X, "targets": X}, "there is no array 'x'; arrays in this file: inputs, targets"),
        ({}, "there is no array 'x'; arrays in this file: none"),
        ({"x": X[:, 0], "y": np.ones(3)}, r"x is \(N, …\), not \(3,\); write one feature as x.reshape"),
        ({"x": np.float64(1), "y": np.ones(3)}, r"x is \(N, …\), not \(\)"),
        ({"x": X, "y": np.float64(1)}, r"y is \(N,\) or \(N, m\), not \(\)"),
        ({"x": X, "y": np.ones((3, 1, 1))}, r"y is \(N,\) or \(N, m\), not \(3, 1, 1\)"),
        ({"x": X, "y": np.ones((3, 0))}, r"y is \(N,\) or \(N, m\), not \(3, 0\)"),
        ({"x": X, "y": np.ones(2)}, "x has 3 examples and y has 2"),
        ({"x": X[:0], "y": np.ones(0)}, r"x is \(0, 2\) and so holds nothing"),
        ({"x": X[:, :0], "y": np.ones(3)}, r"x is \(3, 0\) and so holds nothing"),
        ({"x": X, "y": np.eye(3, dtype=int)}, r"classes as one index each \(y.argmax\(axis=1\)\)"),
        ({"x": X, "y": np.ones(3, complex)}, "y holds complex128; classes are"),
        ({"x": X.astype(str), "y": np.ones(3)}, "x holds <U32; inputs are numbers"),
        ({"x": X, "y": np.array([7, 7, 7])}, "every y is 7; classification needs at least two classes"),
        ({"x": X, "y": np.array([b"\xff", b"a", b"b"])}, "y holds bytes that are not UTF-8"),
        ({"x": np.where(X == 3, np.nan, X), "y": np.ones(3)}, r"x\[1, 1\] is nan, .* 1 of 6 values"),
        ({"x": X, "y": np.array([1, np.inf, -np.inf])}, r"y\[1, 0\] is inf, .* 2 of 3 values"),
        ({"x": X, "y": np.zeros(3, [("a", "f8")])}, "y holds records; give an array of numbers or text"),
        ({"x": np.full((3, 1), np.longdouble("1e4000")), "y": np.ones(3)}, r"x\[0, 0\] is inf"),
    ],
)
def test_says_what_is_wrong(arrays: Arrays, path: Path, members: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        arrays(**members).load()
    assert str(caught.value).startswith(str(path))


class Trap:
    """An object that says so if it is ever unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("raise SystemExit('unpickled')",)


def test_python_objects_are_never_unpickled(arrays: Arrays) -> None:
    with pytest.raises(DataError, match="x holds Python objects, which are never unpickled"):
        arrays(x=np.array([[Trap()]], dtype=object), y=np.ones(1)).load()


WHOLE = npz(x=X, y=np.ones(3))
NPY = npy(X)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "this is not an npz file but something else; write one with numpy.savez"),
        (b"a,b\n1,2\n", "this is not an npz file but something else"),
        (pickle.dumps(X), "this is not an npz file but something else"),
        (NPY, r"this is not an npz file but a single array \(npy\)"),
        (WHOLE[: len(WHOLE) // 2], "the npz file cannot be read"),
        (WHOLE[:160] + b"\xff" + WHOLE[161:], "data.npz: "),
        (WHOLE.replace(X.tobytes(), bytes(X.nbytes)), r"cannot be read \(Bad CRC-32"),
        (with_x(NPY.replace(b"(3, 2), ", b"(3, 9), ")), "by its header, which its"),
        (with_x(NPY.replace(b"(3, 2), ", b"(-3,-2),")), "data.npz: "),
        (with_x(NPY.replace(b"NUMPY\x01", b"NUMPY\x09")), "x has the npy format"),
        (with_x(b"a,b\n1,2\n"), "data.npz: x cannot be read"),
    ],
    ids=[
        "empty",
        "text",
        "pickle",
        "npy",
        "half",
        "header",
        "bit rot",
        "long",
        "negative",
        "format",
        "no npy",
    ],
)
def test_damaged_and_foreign_files_are_refused(
    raw: Callable[[bytes], Source], content: bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        raw(content).load()


def test_any_single_damaged_byte_is_refused_or_harmless(raw: Callable[[bytes], Source]) -> None:
    intact = raw(WHOLE).load()
    for position in range(len(WHOLE)):
        damaged = WHOLE[:position] + bytes([WHOLE[position] ^ 0x55]) + WHOLE[position + 1 :]
        try:
            dataset = raw(damaged).load()
        except DataError:
            continue
        assert np.array_equal(dataset.x, intact.x), position
        assert np.array_equal(dataset.y, intact.y), position


def test_an_encrypted_file_is_refused(raw: Callable[[bytes], Source]) -> None:
    directory = WHOLE.index(b"PK\x01\x02")
    encrypted = WHOLE[: directory + 8] + b"\x01" + WHOLE[directory + 9 :]
    with pytest.raises(DataError, match=r"cannot be read .*encrypted"):
        raw(encrypted).load()


def test_a_bomb_is_refused_by_its_declared_size(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(
            header, {"descr": "|b1", "fortran_order": False, "shape": (2**30, 2**10)}
        )
        file.writestr("x.npy", header.getvalue() + bytes(100))
    with pytest.raises(DataError, match=r"x takes 8192.0 GiB in memory, at most 4 GiB are read"):
        sources.resolve({"npz": {"path": str(path)}}).load()


def test_a_member_larger_than_the_limit_is_refused(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LIMIT", 10_000)
    with pytest.raises(DataError, match=r"x takes .* GiB in memory"):
        arrays(x=np.ones((3000, 1), bool), y=np.ones(1)).load()


def test_more_axes_than_rules_can_add_to_are_refused(arrays: Arrays) -> None:
    assert arrays(x=np.ones((2, *[1] * 31)), y=np.ones(2)).load().x.ndim == 32
    with pytest.raises(DataError, match="x has 64 axes, at most 32 are read; join some of them"):
        arrays(x=np.ones((2, *[1] * 63)), y=np.ones(2)).load()
