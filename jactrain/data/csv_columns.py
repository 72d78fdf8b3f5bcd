"""The columns of a table: their names, and which of them is the target."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from jactrain.data.csv_cells import is_missing, is_not_finite, number
from jactrain.errors import DataError
from jactrain.registry import suggest


@dataclass(frozen=True)
class Columns:
    """All column names in order, the index of the target, and whether the first row was a header."""

    names: tuple[str, ...]
    target: int
    header: bool

    @property
    def features(self) -> tuple[str, ...]:
        """Return the names of all columns but the target."""
        return self.names[: self.target] + self.names[self.target + 1 :]


def find_columns(place: str, cells: list[str], target: str | int | None, header: bool | None) -> Columns:
    """Return the columns of the table whose first row is `cells`.

    `place` is the `file:line` of that row. `target` is a name, or an index from 0, or from -1 at the end;
    None is the last column. If `header` is None, there is one if the target is given by name, or if a cell
    that is not the target's is neither a number nor missing. Without a header, columns are named column_0,
    column_1, …

    Raises DataError for fewer than two columns, an empty or repeated name, and a target that is not there.
    """
    if len(cells) < 2:
        raise DataError(
            f"{place}: a table has at least two columns, inputs and a target, but here is {len(cells)}; "
            "if another character separates them, set delimiter"
        )
    if header is None:
        header = isinstance(target, str) or _looks_like_header(cells, target)
    names = tuple(cells) if header else tuple(f"column_{index}" for index in range(len(cells)))
    _check_names(place, names)
    return Columns(names, _target_index(place, names, target), header)


def _looks_like_header(cells: list[str], target: int | None) -> bool:
    count = len(cells)
    index = target % count if target is not None and -count <= target < count else count - 1
    inputs = cells[:index] + cells[index + 1 :]
    return any(number(cell) is None and not is_missing(cell) and not is_not_finite(cell) for cell in inputs)


def _check_names(place: str, names: tuple[str, ...]) -> None:
    if "" in names:
        raise DataError(
            f"{place}: column {names.index('')} (counted from 0) has no name in the header; name it, or drop "
            "it if it only numbers the rows (pandas writes one unless told index=False)"
        )
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise DataError(
            f"{place}: more than one column is named {', '.join(map(repr, repeated))}; rename them, or set "
            "header: false if this is the first example"
        )


def _target_index(place: str, names: tuple[str, ...], target: str | int | None) -> int:
    if target is None:
        return len(names) - 1
    if isinstance(target, str):
        if target not in names:
            raise DataError(f"{place}: there is no target column {target!r}; {suggest(target, names)}")
        return names.index(target)
    if not -len(names) <= target < len(names):
        raise DataError(
            f"{place}: there is no target column {target}; the {len(names)} columns count from 0 to "
            f"{len(names) - 1}, or from -1 at the end (columns: {', '.join(names)})"
        )
    return target % len(names)
