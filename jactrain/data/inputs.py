"""Inputs without targets, for predicting: a csv or an npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from jactrain.arrays import Array, Shape, size_of
from jactrain.data.archive import read_arrays
from jactrain.data.base import Source
from jactrain.data.csv_cells import Complaints, number
from jactrain.data.csv_columns import inputs_without_header
from jactrain.data.csv_file import CsvFile
from jactrain.data.csv_table import detect_delimiter, rows
from jactrain.data.paths import GIBIBYTE, check_file
from jactrain.errors import DataError

_BASE = "the current folder"  # of relative paths on the command line


def read_inputs(
    path: Path, input_shape: Shape, features: tuple[str, ...], source: Source | None = None
) -> Array:
    """Return inputs `(N, *input_shape)`, float64, from the file at `path`.

    An npz file holds them as `x`. A csv file has a header if its first row has every name in `features`, or
    no number: its columns are then found by those names, never by their order, and others, such as the
    target, are left out. Without a header, and for inputs whose entries have no names, it has one column for
    each entry of an input, or the columns of the table in `source`, that of the training, with or without its
    target; what is dropped there is dropped here.

    Raises DataError with file, line and column for a file that does not fit.
    """
    table = source if isinstance(source, CsvFile) else None
    size = size_of(input_shape)
    x = _from_npz(path) if path.suffix == ".npz" else _from_csv(path, size, features, table)
    if x.shape[1:] != input_shape and x.shape[1:] != (size,):
        raise DataError(f"{path}: inputs have shape {x.shape[1:]}, but the network takes {input_shape}")
    return x.reshape(len(x), *input_shape)


def _from_npz(path: Path) -> Array:
    x = read_arrays(path, ["x"], _BASE)["x"]
    if x.dtype.kind not in "fiub" or x.ndim < 2 or len(x) == 0:
        raise DataError(f"{path}: x is numbers (N, …) with N at least 1, not {x.dtype} {x.shape}")
    x = x.astype(np.float64)
    if not np.isfinite(x).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise DataError(f"{path}: x{list(index)} is {x[index]}; replace it by a finite number")
    return x


def _from_csv(path: Path, count: int, features: tuple[str, ...], table: CsvFile | None) -> Array:
    check_file(path, GIBIBYTE, _BASE)
    lines = rows(path, detect_delimiter(path, (table and table.delimiter) or ""))
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path}: the file is empty; give a row of numbers for each prediction")
    line, cells = first
    header = _is_header(cells, features)
    place = f"{path}:{line}"
    chosen = _named(place, cells, features) if header and features else _placed(place, cells, count, table)
    names = features or tuple(f"column_{index}" for index in range(count))
    complaints, values = Complaints(path), []
    width = len(cells)
    for line, cells in lines if header else [first, *lines]:
        if len(cells) != width:
            complaints.add_row(line, f"this row has {len(cells)} cells, the first has {width}")
            continue
        numbers = [number(cells[index]) for index in chosen]
        for name, index, value in zip(names, chosen, numbers, strict=True):
            if value is None:
                complaints.add_cell(line, name, cells[index])
        values.append(numbers)
    complaints.raise_if_any([])
    if not values:
        raise DataError(f"{path}: there is a header but no row below it; add rows of numbers")
    return np.array(values, dtype=np.float64)


def _is_header(cells: list[str], features: tuple[str, ...]) -> bool:
    """Tell whether the first row names columns: it has every feature's name, or not a single number."""
    return bool(features and set(features) <= set(cells)) or all(number(cell) is None for cell in cells)


def _named(place: str, cells: list[str], features: tuple[str, ...]) -> list[int]:
    """Return the indices of the columns that the header `cells` names as the features.

    A name in another case, or with other spaces around its words, stands for a feature where only one has it.
    """
    plain = [_plain(cell) for cell in cells]
    distinct = len({_plain(name) for name in features}) == len(features)
    found = {
        name: [index for index, cell in enumerate(cells) if cell == name]
        or [index for index, cell in enumerate(plain) if distinct and cell == _plain(name)]
        for name in features
    }
    if missing := [name for name in features if not found[name]]:
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise DataError(
            f"{place}: the header lacks the columns {', '.join(missing[:10])}{more}; name the columns as in "
            "the training data, or take the header away if they are in its order"
        )
    if repeated := [name for name in features if len(found[name]) > 1]:
        raise DataError(
            f"{place}: more than one column is named {', '.join(map(repr, repeated[:10]))}; keep one of each"
        )
    return [found[name][0] for name in features]


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _placed(place: str, cells: list[str], count: int, table: CsvFile | None) -> list[int]:
    """Return the indices of the columns to read in a file without names for them."""
    target, drop = (table.target, table.drop) if table else ("", [])
    chosen = inputs_without_header(len(cells), count, target, drop)
    if chosen is None:
        raise DataError(
            f"{place}: there are {len(cells)} columns, but the network takes {count} inputs; name the "
            "columns in a header as the training data does"
        )
    return chosen
