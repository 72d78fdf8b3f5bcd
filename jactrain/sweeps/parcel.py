"""The files of a run's folder as bytes, to be sent from one file system to another."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from jactrain.errors import RunError
from jactrain.files import UNFINISHED, reachable, sync_folder

# What zipfile makes of bytes that were changed on the way.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError)


def packed(folder: Path) -> bytes | None:
    """Return the files in `folder`, without locks and unfinished ones; None where it does not exist."""
    if not folder.is_dir():
        return None
    parcel = io.BytesIO()
    with zipfile.ZipFile(
        parcel, "w", zipfile.ZIP_DEFLATED, compresslevel=1, strict_timestamps=False
    ) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.name.startswith((UNFINISHED, ".")):
                archive.write(path, path.relative_to(folder).as_posix())
    return parcel.getvalue()


def unpacked(parcel: bytes, folder: Path) -> None:
    """Put the files of `parcel` in place of `folder`, which has them all then, or is what it was.

    Raises RunError for a parcel that is damaged, or whose files would lie outside the folder.
    """
    with reachable(folder, "written"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.parent))
        try:
            with zipfile.ZipFile(io.BytesIO(parcel)) as archive:
                for name in archive.namelist():
                    parts = PurePosixPath(name).parts
                    if name.startswith("/") or ".." in parts or len(parts) > 2 or "\\" in name:
                        raise RunError(f"{folder.name} came back with a file {name!r} outside its folder")
                archive.extractall(unfinished)
            unfinished.chmod(0o755)
            if folder.exists():
                old = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=folder.parent))
                folder.rename(old / "old")
                try:
                    unfinished.rename(folder)
                except OSError:
                    (old / "old").rename(folder)
                    raise
                shutil.rmtree(old, ignore_errors=True)
            else:
                unfinished.rename(folder)
        except (*_DAMAGED, OSError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # of the disk, not of the parcel
                raise
            raise RunError(
                f"{folder.name} came back damaged: {error}; it is trained again next time"
            ) from None
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        sync_folder(folder.parent)
