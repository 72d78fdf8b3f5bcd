"""Arrays out of an npz file whose bytes nobody vouches for: nothing is unpickled, sizes are checked first."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import numpy as np

from jactrain.arrays import Array, Shape, size_of
from jactrain.data.paths import CONFIGURATION, GIBIBYTE, check_file
from jactrain.errors import DataError

# Bytes of one array, as stored and as float64, and of the whole file.
LIMIT = 4 * GIBIBYTE
# Of arrays that a message lists.
_NAMES, _LONGEST_NAME = 20, 60
_LAST_CHARACTER, _SURROGATES = 0x10FFFF, range(0xD800, 0xE000)
_LONGEST_HEADER = 10_000  # bytes, as numpy.load has it; but it reads longer ones before it refuses them

_ZIP, _NPY = b"PK", b"\x93NUMPY"
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_arrays(
    path: Path, names: Iterable[str], base: str = CONFIGURATION, limit: int | None = None
) -> dict[str, Array]:
    """Return the arrays `names` of the npz file at `path`; other members are left alone.

    `base` is what a relative path is relative to, for the message about a file that is not there.

    Raises DataError for a file that is no npz or is damaged, for a missing array, one of Python
    objects or records, and one of more than `limit` bytes, `LIMIT` if it is None.
    """
    limit = LIMIT if limit is None else limit
    check_file(path, 2 * limit, base)
    try:
        with path.open("rb") as file:
            start = file.read(len(_NPY))
            if start.startswith(_ZIP):
                with zipfile.ZipFile(file) as archive:
                    return {name: _read_named(path, archive, name, limit) for name in names}
    except (DataError, MemoryError):
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen types for damaged bytes
        raise DataError(f"{path}: the npz file cannot be read ({error}); write it anew") from error
    came = "a single array (npy)" if start == _NPY else "something else"
    raise DataError(f"{path}: this is not an npz file but {came}; write one with numpy.savez(path, x=x, y=y)")


def without_advice(path: Path, error: DataError) -> str:
    """Return what `read_arrays` says is wrong at `path`, without what it advises for a file of data."""
    told = str(error)
    start = len(str(path)) if told.startswith(str(path)) else 0
    return told[:start] + told[start:].partition("; ")[0]


def _read_named(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> Array:
    try:
        return _read_member(path, archive, name, limit)
    except (DataError, MemoryError):
        raise
    except Exception as error:  # as above
        raise DataError(f"{path}: {name} cannot be read ({error}); write the file anew") from error


def member_names(path: Path, limit: int | None = None) -> list[str]:
    """Return the names of the arrays in the npz file at `path`.

    Raises DataError where it cannot be read, and where all of them together take more than two `limit`s.
    """
    limit = LIMIT if limit is None else limit
    check_file(path, 2 * limit)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except MemoryError:
        raise
    except Exception as error:  # as above
        raise DataError(f"{path}: the npz file cannot be read ({error}); write it anew") from None
    if sum(member.file_size for member in members) > 2 * limit:
        raise DataError(f"{path}: its arrays take more than {2 * limit / GIBIBYTE:.2g} GiB in memory")
    return [member.filename.removesuffix(".npy") for member in members]


def _read_member(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> Array:
    there = [member.removesuffix(".npy") for member in archive.namelist()]
    if name not in there:
        few = [each if len(each) <= _LONGEST_NAME else f"{each[:_LONGEST_NAME]}…" for each in there[:_NAMES]]
        arrays = ", ".join([*few, *(["…"] if len(there) > _NAMES else [])]) or "none"
        raise DataError(f"{path}: there is no array {name!r}; arrays in this file: {arrays}")
    member = archive.getinfo(f"{name}.npy" if f"{name}.npy" in archive.namelist() else name)
    _check_size(path, name, member.file_size, limit)
    with archive.open(member) as file:
        shape, dtype = _read_header(path, name, file)
        header = file.tell()
    _check_size(path, name, size_of(shape) * np.dtype(np.float64).itemsize, limit)
    if member.file_size != header + size_of(shape) * dtype.itemsize:
        raise DataError(
            f"{path}: {name} is {shape} {dtype} by its header, which its {member.file_size} bytes are not; "
            "write the file anew"
        )
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _read_header(path: Path, name: str, file: IO[bytes]) -> tuple[Shape, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:  # 3.0 is for records with names outside Latin-1
        raise DataError(f"{path}: {name} has the npy format {version}; give an array of numbers or text")
    length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
    if length > _LONGEST_HEADER:
        raise DataError(
            f"{path}: {name} has a header of {length:,} bytes, at most {_LONGEST_HEADER:,} are read; write "
            "the file anew"
        )
    file.seek(np.lib.format.MAGIC_LEN)
    shape, _, dtype = _HEADERS[version](file)
    if dtype.hasobject or dtype.kind == "V":
        came = "Python objects, which are never unpickled" if dtype.hasobject else "records"
        raise DataError(f"{path}: {name} holds {came}; give an array of numbers or text")
    return shape, dtype


def no_character(texts: Array) -> int | None:
    """Return a code point in an array of text (dtype `U`) that is no character, if there is one."""
    if not texts.size:
        return None
    points = np.ascontiguousarray(texts.astype(texts.dtype.newbyteorder("="))).view(np.uint32)
    wrong = points[(points > _LAST_CHARACTER) | ((points >= _SURROGATES.start) & (points < _SURROGATES.stop))]
    return int(wrong[0]) if wrong.size else None


def _check_size(path: Path, name: str, size: int, limit: int) -> None:
    if size > limit:
        raise DataError(
            f"{path}: {name} takes {size / GIBIBYTE:.1f} GiB in memory, at most {limit / GIBIBYTE:g} GiB "
            "are read; take fewer examples"
        )
