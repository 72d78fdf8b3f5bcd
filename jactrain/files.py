"""Writing files so that none is ever seen half-written, and JSON without NaN."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from jactrain.errors import FileAccessError, UsageError

_LONGEST_PATH = 200
_LOOK = "choose another place, or look at its permissions and its disk"
_ADVICE = {
    errno.ENOSPC: "make room on its disk, or choose another place",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), or choose another place",
}
# What the names of files and folders begin with that are not finished.
UNFINISHED = ".jactrain-"


def write_atomically(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Let `write` fill a temporary file in the folder of `path`, then rename it to `path`.

    Whatever goes wrong, `path` is what it was before, and no temporary file is left. Raises FileAccessError
    where the operating system does not let it be written.
    """
    with reachable(path, "written"):
        _write(path, write)


@contextlib.contextmanager
def reachable(path: Path, verb: str = "reached") -> Iterator[None]:
    """Turn an OSError about `path` into a FileAccessError that says it cannot be reached, or `verb`."""
    try:
        yield
    except OSError as error:
        shown = str(path) if len(str(path)) <= _LONGEST_PATH else f"{str(path)[:_LONGEST_PATH]}…"
        reason = f"{error.strerror or error}; {_ADVICE.get(error.errno or 0, _LOOK)}"
        raise FileAccessError(f"{shown} cannot be {verb}: {reason}") from None


def require_unicode(path: Path) -> None:
    """Raise UsageError for a path that is not UTF-8: no record of a run could name it."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise UsageError(
            f"{str(path.absolute())!a} is no text in UTF-8, so that no record could name it; rename it"
        ) from None


def _write(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    try:
        path = path.resolve()  # what a link points to is written, and the link stays
    except RuntimeError:  # of links that go in a circle, by Python before 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is there already and is no ordinary file; choose another place")
    handle, temporary = tempfile.mkstemp(prefix=UNFINISHED, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)  # mkstemp makes files that only their owner can read
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have the operating system keep what was renamed in `folder`, where it has a way to."""
    with contextlib.suppress(OSError):  # Windows opens no folders, and some file systems do not sync them
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class LineFile:
    """A text file that grows by whole lines: one that finds no room leaves nothing behind.

    size: its bytes.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        """Open the file at `path`, cut to its first `size` bytes, to whole lines if there are fewer.

        Raises FileAccessError where that is not possible.
        """
        self._path = path
        with reachable(path, "written"):
            is_new = not path.exists()
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            if os.fstat(self._handle).st_size < size:  # lines were taken out: what is left, in whole lines
                size = path.read_bytes().rfind(b"\n") + 1
            os.ftruncate(self._handle, size)
        if is_new:
            sync_folder(path.parent)
        self.size = self._synced = size

    def append(self, line: str) -> None:
        """Write `line` and its end; FileAccessError where it does not fit."""
        data = line.encode() + b"\n"
        with reachable(self._path, "written"):
            try:
                self._write(data)
            except OSError:
                os.ftruncate(self._handle, self.size)
                raise
        self.size += len(data)

    def _write(self, data: bytes) -> None:
        os.lseek(self._handle, self.size, os.SEEK_SET)
        while data:  # what is written in part fails when the rest is tried
            data = data[os.write(self._handle, data) :]

    def sync(self) -> None:
        """Have the operating system keep what was written since the last time."""
        if self.size == self._synced:
            return
        with reachable(self._path, "written"):
            os.fsync(self._handle)
        self._synced = self.size

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data`, atomically."""
    write_atomically(path, lambda file: file.write(data))


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically; UsageError where it has a name in it that is none."""
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        odd = text[max(0, error.start - 40) : error.end + 40]
        raise UsageError(f"{path} cannot hold {odd!a}, which is no text in UTF-8; rename that") from None
    write_bytes(path, data)


def as_json(value: Any, indent: int | None = None, ascii_only: bool = False) -> str:
    """Return `value` as JSON, NaN and infinities as null."""
    return json.dumps(_finite(value), ensure_ascii=ascii_only, allow_nan=False, indent=indent)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
