"""The columns of a table: their names, which of them is the target, and which are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from jactrain.data.csv_cells import is_missing, is_not_finite, number
from jactrain.errors import DataError
from jactrain.registry import suggest


@dataclass(frozen=True)
class Columns:
    """All column names in order, the indices of target and inputs, and whether the first row was a header."""

    names: tuple[str, ...]
    target: int
    inputs: tuple[int, ...]
    header: bool

    @property
    def features(self) -> tuple[str, ...]:
        """Return the names of the inputs."""
        return tuple(self.names[index] for index in self.inputs)


def find_columns(
    place: str,
    cells: list[str],
    target: str | int | None,
    header: bool | None,
    drop: Sequence[str | int] = (),
) -> Columns:
    """Return the columns of the table whose first row is `cells`.

    `place` is the `file:line` of that row. `target`, and each of `drop`, is a name, or an index from 0, or
    from -1 at the end; a target of None is the last column that is not dropped. If `header` is None, there is
    one if a column is given by name, or if a cell of an input is neither a number nor missing. Without a
    header, columns are named column_0, column_1, …

    Raises DataError for fewer than two columns, a column that is not there, an empty or repeated name, a
    target that is dropped, and where no input is left.
    """
    if len(cells) < 2:
        raise DataError(
            f"{place}: a table has at least two columns, inputs and a target, but here is {len(cells)}; "
            "if another character separates them, set delimiter"
        )
    if header is None:
        named = any(isinstance(column, str) for column in (target, *drop))
        header = named or _looks_like_header(cells, target, drop)
    names = tuple(cells) if header else tuple(f"column_{index}" for index in range(len(cells)))
    dropped = {index for column in drop for index in _indices(place, names, column, "column to drop")}
    kept = [index for index in range(len(names)) if index not in dropped]
    if len(kept) < 2:
        raise DataError(
            f"{place}: drop leaves {len(kept)} of {len(names)} columns; keep the target and at least one "
            "input"
        )
    _check_names(place, names, kept)
    chosen = _target(place, names, _last(len(names), dropped) if target is None else target, dropped)
    inputs = tuple(index for index in kept if index != chosen)
    return Columns(names, chosen, inputs, header)


def inputs_without_header(
    width: int, count: int, target: str | int | None, drop: Sequence[str | int]
) -> list[int] | None:
    """Return the indices of the `count` inputs in a table of `width` columns without a header, or None.

    The columns are the inputs alone, or those of the training table, with or without its target; that takes
    a target and columns to drop that are given by index.
    """
    if width == count:
        return list(range(count))
    indices = [column for column in (-1 if target is None else target, *drop) if isinstance(column, int)]
    whole = count + len(indices)
    if len(indices) <= len(drop) or width not in (whole, whole - 1):
        return None
    chosen, *rest = (index % whole for index in indices)
    dropped = set(rest)
    if target is None:
        chosen = _last(whole, dropped)
    inputs = [index for index in range(whole) if index != chosen and index not in dropped]
    if len(inputs) != count:  # a column is named twice
        return None
    return inputs if width == whole else [index - (index > chosen) for index in inputs]


def _looks_like_header(cells: list[str], target: int | str | None, drop: Sequence[str | int]) -> bool:
    width = len(cells)
    dropped = {index % width for index in drop if isinstance(index, int) and -width <= index < width}
    chosen = _last(width, dropped)
    if isinstance(target, int) and -width <= target < width:
        chosen = target % width
    inputs = (cell for index, cell in enumerate(cells) if index != chosen and index not in dropped)
    return any(number(cell) is None and not is_missing(cell) and not is_not_finite(cell) for cell in inputs)


def _last(width: int, dropped: set[int]) -> int:
    """Return the index of the last of `width` columns that is not dropped; -1 if every one is."""
    return max(set(range(width)) - dropped, default=-1)


def _check_names(place: str, names: tuple[str, ...], kept: list[int]) -> None:
    if nameless := [index for index in kept if not names[index]]:
        raise DataError(
            f"{place}: column {nameless[0]} (counted from 0) has no name in the header; name it, or leave it "
            f"out with `drop: [{nameless[0]}]` if it only numbers the rows (pandas writes one unless told "
            "index=False)"
        )
    counts = Counter(names[index] for index in kept)
    repeated = sorted(name for name, count in counts.items() if count > 1)
    if repeated:
        raise DataError(
            f"{place}: more than one column is named {', '.join(map(repr, repeated))}; rename them, or set "
            "header: false if this is the first example"
        )


def _target(place: str, names: tuple[str, ...], target: str | int, dropped: set[int]) -> int:
    index = _indices(place, names, target, "target column")[0]
    if index in dropped:
        raise DataError(
            f"{place}: column {names[index]!r} is the target and cannot be dropped; take it out of drop, or "
            "choose another target"
        )
    return index


def _indices(place: str, names: tuple[str, ...], column: str | int, word: str) -> list[int]:
    """Return the indices, from 0, of the columns called `column`, or of the one with that index."""
    if isinstance(column, str):
        if column not in names:
            raise DataError(f"{place}: there is no {word} {column!r}; {suggest(column, names)}")
        return [index for index, name in enumerate(names) if name == column]
    if not -len(names) <= column < len(names):
        raise DataError(
            f"{place}: there is no {word} {column}; the {len(names)} columns count from 0 to "
            f"{len(names) - 1}, or from -1 at the end (columns: {', '.join(names)})"
        )
    return [column % len(names)]
