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

    An npz file holds them as `x`. A csv file whose first row is no row of numbers has a header: its columns
    are then found by the names in `features` and others, such as the target, are left out. Without a header
    it has one column for each entry of an input, or the columns of the table in `source`, that of the
    training, with or without its target; what is dropped there is dropped here.

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
    header = all(number(cell) is None for cell in cells)
    chosen = _columns(path, line, cells, header, count, features, table)
    own = features or tuple(f"column_{index}" for index in range(count))
    names = [cells[index] for index in chosen] if header else own
    complaints, values = Complaints(path), []
    width = len(cells)
    for line, cells in lines if header else [first, *lines]:
        if len(cells) <= max(chosen):
            complaints.add_row(line, f"this row has {len(cells)} cells, the first {width}")
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


def _columns(
    path: Path,
    line: int,
    cells: list[str],
    header: bool,
    count: int,
    features: tuple[str, ...],
    table: CsvFile | None,
) -> list[int]:
    """Return the indices of the columns to read, in the order of the features."""
    if header and features and any(name in features for name in cells):
        missing = [name for name in features if name not in cells]
        if missing:
            raise DataError(f"{path}:{line}: the header lacks the columns {', '.join(missing[:10])}")
        return [cells.index(name) for name in features]
    target, drop = (table.target, table.drop) if table else ("", [])
    chosen = inputs_without_header(len(cells), count, target, drop)
    if chosen is None:
        raise DataError(
            f"{path}:{line}: there are {len(cells)} columns, but the network takes {count} inputs"
            + ("; name the columns in a header as the training data does" if features else "")
        )
    return chosen
