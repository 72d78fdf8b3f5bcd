"""A table in a text file."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import cached_property
from itertools import chain
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from jactrain.arrays import Array
from jactrain.data.base import Classification, Dataset, Outline, Regression, Source, Task, sources
from jactrain.data.csv_cells import Complaints, is_not_finite, number, why_no_number
from jactrain.data.csv_columns import Columns, find_columns
from jactrain.data.csv_table import detect_delimiter, rows
from jactrain.data.names import encode
from jactrain.data.paths import GIBIBYTE, DataPath, check_file
from jactrain.errors import DataError

LIMIT = GIBIBYTE
_NO_DELIMITER = '"\r\n\0.+-'


@sources.register("csv")
class CsvFile(Source):
    """A table in a UTF-8 text file of at most 1 GiB: one example a row, inputs that are numbers, one target.

    Targets that are text make classes, in alphabetical order. Targets that are numbers are regressed on,
    whole ones too, unless `task: classification` says that they are names of classes.
    """

    outline_loads: ClassVar[bool] = True

    path: DataPath = Field(description="the file; a relative path is relative to the configuration's folder")
    target: str | int | None = Field(
        None,
        description="column to predict: its name, or its index from 0 (or from -1 at the end); "
        "null is the last column",
    )
    header: bool | None = Field(
        None,
        description="whether the first row names the columns; null finds out: it does if the target is given "
        "by name, or if a cell other than the target's is neither a number nor missing",
    )
    delimiter: str | None = Field(
        None,
        min_length=1,
        max_length=1,
        description="character between cells; null takes the first of tab, semicolon and comma "
        "that the first line has",
    )
    task: Literal["classification", "regression"] | None = Field(
        None, description="what the targets are; null is classification for text, regression for numbers"
    )

    @field_validator("delimiter")
    @classmethod
    def _separates_numbers(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and (delimiter.isalnum() or delimiter in _NO_DELIMITER):
            raise ValueError(f"{delimiter!r} cannot separate numbers; choose , or ; or | or a tab")
        return delimiter

    @model_validator(mode="after")
    def _name_needs_header(self) -> Self:
        if self.header is False and isinstance(self.target, str):
            raise ValueError(
                f"without a header there is no column {self.target!r}; "
                "give target as an index, or header: true"
            )
        return self

    def outline(self) -> Outline:
        """Return the outline, for which the file is read; DataError if it cannot be used."""
        return self._dataset.outline

    def load(self) -> Dataset:
        """Return the rows as examples, x (N, I); read once however often it is asked for.

        Raises DataError with `file:line` and column of every cell that cannot be used, up to ten.
        """
        return self._dataset

    @cached_property
    def _dataset(self) -> Dataset:
        check_file(self.path, LIMIT)
        table = rows(self.path, self.delimiter or detect_delimiter(self.path))
        first = next(table, None)
        if first is None:
            raise DataError(f"{self.path}: the file is empty; a table has a row for each example")
        columns = find_columns(f"{self.path}:{first[0]}", first[1], self.target, self.header)
        return self._read(columns, table if columns.header else chain([first], table))

    def _read(self, columns: Columns, table: Iterable[tuple[int, list[str]]]) -> Dataset:
        complaints = Complaints(self.path)
        values, lines, targets = array("d"), array("q"), []
        for line, cells in table:
            if len(cells) != len(columns.names):
                complaints.add(line, f"this row has {len(cells)} cells, the first has {len(columns.names)}")
                continue
            targets.append(cells.pop(columns.target))
            lines.append(line)
            for name, cell in zip(columns.features, cells, strict=True):
                value = number(cell)
                if value is None:
                    complaints.add(line, f"column {name!r}: {why_no_number(cell)}")
                else:
                    values.append(value)
        task = self._task(targets)
        name = columns.names[columns.target]
        for line, cell in zip(lines, targets, strict=True):
            if not cell or is_not_finite(cell) or (task == "regression" and number(cell) is None):
                complaints.add(line, f"column {name!r} (target): {why_no_number(cell)}")
        complaints.raise_if_any(self._advice(task))
        if not targets:
            raise DataError(f"{self.path}: there is a header but no example below it")
        x = np.array(values, dtype=np.float64).reshape(len(targets), -1)
        return Dataset(x, *self._targets(name, targets, task), columns.features)

    def _task(self, targets: list[str]) -> str:
        if self.task:
            return self.task
        # One number among texts, or one text among numbers, is a slip rather than a class.
        return "regression" if any(number(cell) is not None for cell in targets) else "classification"

    def _advice(self, task: str) -> list[str]:
        advice = ["Every input and target is needed: mend or remove these rows."]
        if task == "regression" and self.task is None:
            advice.append("Some targets are numbers; if they are names of classes, set task: classification.")
        if self.delimiter is None:
            advice.append(
                f"Cells were separated at each {detect_delimiter(self.path)!r}; else set delimiter."
            )
        return advice

    def _targets(self, name: str, targets: list[str], task: str) -> tuple[Array, Task]:
        """Return y and the task from `targets`, (N,), none of which is missing."""
        numbers = [value for value in map(number, targets) if value is not None]
        if task == "regression":
            return np.array(numbers)[:, np.newaxis], Regression((name,))
        y, classes = encode(numbers) if len(numbers) == len(targets) else encode(targets)
        if len(classes) == 1:
            raise DataError(
                f"{self.path}: every target in column {name!r} is {classes[0]!r}; "
                "classification needs at least two classes"
            )
        return y, Classification(classes)
