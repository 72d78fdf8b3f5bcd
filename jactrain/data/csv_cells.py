"""Cells as numbers, and what to say of the cells that are none."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from pathlib import Path

from jactrain.errors import DataError

_MISSING = frozenset({"", "na", "n/a", "null", "none", "?", "-"})
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+\Z")
_LISTED = 10


def number(cell: str) -> float | None:
    """Return the finite number that `cell` writes, else None."""
    try:
        value = float(cell)
    except ValueError:
        return None
    # Python reads 1_000 as a number; nobody who writes a table does.
    return value if math.isfinite(value) and "_" not in cell else None


def is_not_finite(cell: str) -> bool:
    """Tell whether `cell` writes a number that is infinite, too large, or no number (nan)."""
    try:
        return not math.isfinite(float(cell))
    except ValueError:
        return False


def is_missing(cell: str) -> bool:
    """Tell whether `cell` is empty or one of the usual words for a missing number."""
    return cell.lower() in _MISSING


def why_no_number(cell: str) -> str:
    """Return what is wrong with a `cell` for which `number` is None."""
    if is_missing(cell):
        return f"the value is missing ({cell})" if cell else "the value is missing"
    if is_not_finite(cell):
        return f"{cell} is not a finite number"
    if _DECIMAL_COMMA.match(cell):
        return f"{cell!r} has a decimal comma; write {cell.replace(',', '.')}"
    return f"{cell[:40]!r} is text, not a number"


class Complaints:
    """The cells and rows of one file that cannot be used: the first ten in words, all of them in number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: list[str] = []
        self._count = 0

    def add(self, line: int, message: str) -> None:
        """Note what is wrong on `line`."""
        self._count += 1
        if len(self._first) < _LISTED:
            self._first.append(f"{self._path}:{line}: {message}")

    def raise_if_any(self, advice: Iterable[str]) -> None:
        """Raise one DataError of all that was noted, followed by `advice`; do nothing if there is none."""
        if self._count:
            more = self._count - len(self._first)
            rest = [f"(and {more} more)"] if more else []
            raise DataError("\n".join([*self._first, *rest, *advice]))
