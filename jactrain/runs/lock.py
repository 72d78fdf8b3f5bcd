"""One process trains in a run's folder at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from jactrain.errors import BusyError
from jactrain.files import reachable
from jactrain.runs.directory import RunDirectory

_PATIENCE = 0.05  # seconds: somebody who looks whether it is held holds it for a moment


@contextmanager
def locked(directory: RunDirectory) -> Iterator[None]:
    """Keep other processes from training in the folder; BusyError where one does already.

    The operating system gives the lock back when the process ends, however it ends.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(directory.lock)
    with reachable(directory.lock, "locked"):
        try:
            lock.acquire(timeout=_PATIENCE, poll_interval=_PATIENCE / 5)
        except Timeout:  # which is an OSError
            raise BusyError(
                f"another process is training in {directory.path}; wait for it, or stop it"
            ) from None
    try:
        yield
    finally:
        lock.release()


def is_held(directory: RunDirectory) -> bool | None:
    """Tell whether a process trains in the folder; None where that cannot be known.

    Nothing is made that is not there. The lock is tried for a moment, for it has no other way to be asked.
    """
    from filelock import FileLock, Timeout

    try:
        if not directory.lock.is_file():
            return False
        with FileLock(directory.lock, blocking=False):
            return False
    except Timeout:
        return True
    except (OSError, NotImplementedError):
        return None
