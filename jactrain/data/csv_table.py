"""A delimited text file as rows of cells, with the line that each row starts on."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

from jactrain.data.paths import unreadable
from jactrain.errors import DataError

# A line of numbers with decimal commas has semicolons or tabs as well, so the comma comes last.
_DELIMITERS = "\t;,"
_QUOTED = re.compile('"[^"]*"')


def detect_delimiter(path: Path, preferred: str = "") -> str:
    """Return the first of `preferred`, tab, semicolon and comma outside quotes in the first line of text.

    Without any of them it is `preferred`, or else a comma.
    """
    first = next((line for line in _lines(path) if line.strip()), "")
    bare = _QUOTED.sub("", first)
    return next((delimiter for delimiter in preferred + _DELIMITERS if delimiter in bare), preferred or ",")


def rows(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield `(line, cells)` of every row but blank ones; lines count from 1, cells come stripped.

    Raises DataError with the line for text that is not UTF-8, a NUL, or quotes that do not match.
    """
    reader = csv.reader(_lines(path), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"{path}:{line}: this row cannot be read: {error}; is there a quote without its partner?"
            ) from None
        if len(cells) > 1 or (cells and cells[0].strip()):
            yield line, [cell.strip() for cell in cells]


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file, with their ends; decoded one by one to name the line that fails."""
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield _decode(path, number, line)
    except OSError as error:
        raise unreadable(path, error) from None


def _decode(path: Path, number: int, line: bytes) -> str:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}:{number}: byte {error.start + 1} of this line is not UTF-8; save the file as UTF-8 "
            '("CSV UTF-8" in a spreadsheet), or convert it: iconv -f latin1 -t utf-8'
        ) from None
    if "\0" in text:
        raise DataError(
            f"{path}:{number}: this line holds a NUL character; is this a text file? Save it as UTF-8"
        )
    return text
