"""The journal of a search, which Optuna writes: opened, whole lines only, one writer at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from jactrain.errors import JactrainError, UnsupportedError, UsageError
from jactrain.files import reachable
from jactrain.sweeps.models import Optuna

_ANEW = "remove the file, and the search begins anew, with what trials of the same settings came to"


def opened(journal: str, name: str, after: int, options: Optuna | None = None) -> Any:
    """Return the study in the file `journal`; `options` make it where it is not there yet.

    after: epochs before which nothing is pruned.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UnsupportedError(
            "search: optuna needs Optuna, which is not installed: pip install 'jactrain[optuna]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if options is not None:
        _require_entries(Path(journal))
        _remove_dangling(Path(f"{journal}.lock"))
    storage = JournalStorage(JournalFileBackend(journal, cast("Any", _Lock(journal))))
    pruner = optuna.pruners.MedianPruner(n_warmup_steps=after)
    if options is None:
        return optuna.load_study(study_name=name, storage=storage, pruner=pruner)
    return optuna.create_study(
        study_name=name,
        storage=storage,
        load_if_exists=True,
        direction="maximize" if options.maximizes else "minimize",
        pruner=pruner,
    )


class _Lock:
    """Optuna's lock of a journal, which is held to write; what another left unfinished is cut off first.

    A full disk or a kill leaves half a line; another line behind it, and nobody could read the journal.
    """

    def __init__(self, journal: str) -> None:
        from optuna.storages.journal import JournalFileSymlinkLock

        self._journal, self._lock = Path(journal), JournalFileSymlinkLock(journal)

    def acquire(self) -> bool:
        held: bool = self._lock.acquire()
        try:
            _cut_to_whole_lines(self._journal)
        except BaseException:
            self._lock.release()
            raise
        return held

    def release(self) -> None:
        self._lock.release()


def _cut_to_whole_lines(journal: Path) -> None:
    with journal.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
        if file.read() not in (b"", b"\n"):
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)


def _remove_dangling(lock: Path) -> None:
    """Remove the lock of a process that was killed before the folder was moved: Optuna would wait for ever.

    It links to the journal where that was; whoever holds it now would link to where it is.
    """
    if lock.is_symlink() and not lock.exists():
        with reachable(lock, "removed"):
            lock.unlink(missing_ok=True)


@contextmanager
def read_whole(journal: Path) -> Iterator[None]:
    """Raise UsageError where what Optuna or we make of the journal's entries fails: they were changed."""
    try:
        yield
    except JactrainError:
        raise
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise UsageError(f"{journal} is damaged ({type(error).__name__}: {error}); {_ANEW}") from None


def _require_entries(journal: Path) -> None:
    """Raise UsageError where a whole line of the journal is none that a search writes."""
    if not journal.is_file():
        return
    with reachable(journal):
        lines = journal.read_bytes().split(b"\n")[:-1]
    for number, line in enumerate(lines, 1):
        if not _is_entry(line):
            raise UsageError(f"line {number} of {journal} is none that a search writes; {_ANEW}")


def _is_entry(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
