"""How much memory this process may still take: the machine's, its container's, or its own limit."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_CGROUP = Path("/sys/fs/cgroup")
_PROC = Path("/proc")


class Available(NamedTuple):
    """So many bytes, and whose they are, in words."""

    size: int
    whose: str


def available_memory() -> Available | None:
    """Return the least of what machine, container and process limit leave; None where nothing is known."""
    known = [each for each in (_of_machine(), _of_container(), _of_process()) if each is not None]
    return min(known, default=None)


def _of_machine() -> Available | None:
    for line in _lines(_PROC / "meminfo"):
        name, _, rest = line.partition(":")
        if name == "MemAvailable":
            return Available(int(rest.split()[0]) * 1024, "on this machine")
    with contextlib.suppress(AttributeError, ValueError, OSError):  # no /proc: what is installed, at least
        return Available(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), "on this machine")
    return None


def _of_container() -> Available | None:
    """Return what the limit of the control group leaves, files that can be dropped not counted."""
    found = []
    for folder, most, used, droppable in _groups():
        limit, now = _number(folder / most), _number(folder / used)
        if limit is not None and now is not None:
            counts = dict(line.split() for line in _lines(folder / "memory.stat"))
            found.append(max(0, limit - now + int(counts.get(droppable, 0))))
    return Available(min(found), "within this container's limit") if found else None


def _groups() -> Iterator[tuple[Path, str, str, str]]:
    """Yield the folders of this process's control group and of those above it, with the names in them."""
    for line in _lines(_PROC / "self" / "cgroup"):
        _, controllers, path = line.split(":", 2)
        own = path.lstrip("/")
        if controllers == "":  # version 2
            for folder in _up(_CGROUP, own):
                yield folder, "memory.max", "memory.current", "inactive_file"
        if controllers == "memory":  # version 1
            for folder in _up(_CGROUP / "memory", own):
                yield folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"


def _up(base: Path, own: str) -> list[Path]:
    return [base / own, *(base / parent for parent in Path(own).parents)]


def _of_process() -> Available | None:
    """Return what the limit of this process's address space (`ulimit -v`) leaves."""
    with contextlib.suppress(ImportError, OSError):  # Windows has no such limits
        import resource

        most, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = _lines(_PROC / "self" / "statm")
        if most != resource.RLIM_INFINITY and pages:
            used = int(pages[0].split()[0]) * os.sysconf("SC_PAGE_SIZE")
            return Available(max(0, most - used), "within this process's limit (ulimit -v)")
    return None


def _number(path: Path) -> int | None:
    lines = _lines(path)
    return int(lines[0]) if lines and lines[0].isdecimal() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []
