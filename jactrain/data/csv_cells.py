"""Cells as numbers, and what to say of the cells that are none."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from jactrain.errors import DataError

_MISSING = frozenset({"", "na", "n/a", "null", "none", "?", "-"})
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+\Z")
_SEPARATORS = frozenset(",;\t|")
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


def is_text(cell: str) -> bool:
    """Tell whether `cell` is neither a number, in whatever form, nor missing."""
    return (
        number(cell) is None
        and not is_missing(cell)
        and not is_not_finite(cell)
        and not _DECIMAL_COMMA.match(cell)
    )


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
    """The rows and cells of one file that cannot be used: the first ten in words, all of them in number.

    texts: of each column, how many cells are text; missing: how many hold a mark, such as NA, for a missing
    value. split_wrongly: whether a row has another length, or a cell holds a character that mostly separates
    cells.
    """

    def __init__(self, path: Path) -> None:
        self.texts: Counter[str] = Counter()
        self.missing: Counter[str] = Counter()
        self.split_wrongly = False
        self._path = path
        self._first: dict[str, list[tuple[int, str]]] = {}  # by column, each with its place in the order
        self._counts: Counter[str] = Counter()

    def add_row(self, line: int, message: str) -> None:
        """Note what is wrong with the number of cells on `line`."""
        self.split_wrongly = True
        self._add("", line, message)

    def add_cell(self, line: int, column: str, cell: str, role: str = "") -> None:
        """Note that `cell` of `column`, on `line`, is no number."""
        if is_text(cell):
            self.texts[column] += 1
            self.split_wrongly |= not _SEPARATORS.isdisjoint(cell)
        self.missing[column] += bool(cell) and is_missing(cell)
        self._add(column, line, f"column {column!r}{role}: {why_no_number(cell)}")

    def columns_of_text(self, columns: Iterable[str], rows: int) -> list[str]:
        """Return which of `columns` have text and not a single number in their `rows` cells.

        Their cells are forgotten, for the caller to say it once. One row alone may be a slip.
        """
        found = [name for name in columns if self.texts[name] and self._counts[name] == rows > 1]
        for name in found:
            del self._first[name], self._counts[name]
        return found

    def raise_if_any(self, advice: Iterable[str], summary: Iterable[str] = ()) -> None:
        """Raise one DataError of `summary` and all that was noted; do nothing if there is neither.

        `advice` follows where something was noted.
        """
        noted = sorted(entry for first in self._first.values() for entry in first)[:_LISTED]
        lines = [*(f"{self._path}: {line}" for line in summary), *(text for _, text in noted)]
        if more := self._counts.total() - len(noted):
            lines.append(f"(and {more} more)")
        if lines:
            raise DataError("\n".join([*lines, *(advice if noted else ())]))

    def _add(self, column: str, line: int, message: str) -> None:
        first = self._first.setdefault(column, [])
        if len(first) < _LISTED:
            first.append((self._counts.total(), f"{self._path}:{line}: {message}"))
        self._counts[column] += 1
