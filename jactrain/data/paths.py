"""Paths in a configuration, and the first look at the file that one leads to."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, ValidationInfo

from jactrain.errors import DataError

GIBIBYTE = 2**30
CONFIGURATION = "the configuration's folder"


def _resolve(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path):
        raise ValueError(f"a path is text, such as people.csv, not {value!r}")  # noqa: TRY004  # pydantic's contract
    text = os.path.expanduser(value)
    if not str(value) or "\0" in text:
        raise ValueError(f"a path is the name of a file, such as people.csv, not {str(value)!r}")
    folder = (info.context or {}).get("folder")
    # `..` stays as written: taking it out would be wrong behind a symbolic link.
    return ((folder or Path.cwd()) / text).absolute()


# An absolute path; a relative one is relative to `context["folder"]`, the configuration's folder, where
# the validation has such a context, else to the current folder. Whether there is a file is seen on loading.
DataPath: TypeAlias = Annotated[Path, BeforeValidator(_resolve)]


def check_file(path: Path, limit: int, base: str = CONFIGURATION) -> None:
    """Raise DataError unless `path` is a regular file of at most `limit` bytes.

    `base` is what a relative path is relative to, for the message.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file; a relative path is relative to {base}") from None
    except OSError as error:
        raise unreadable(path, error) from None
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path}: this is a folder; give the path of a file in it")
    if not stat.S_ISREG(status.st_mode):
        raise DataError(f"{path}: this is not a regular file; save the data to one")
    if status.st_size > limit:
        raise DataError(
            f"{path}: the file has {status.st_size / GIBIBYTE:.2f} GiB, at most {limit / GIBIBYTE:g} GiB "
            "are read; take fewer examples"
        )


def unreadable(path: Path, error: OSError) -> DataError:
    """Return the DataError for a file that the operating system will not let us read."""
    return DataError(f"{path}: the file cannot be read: {error.strerror or error}")
