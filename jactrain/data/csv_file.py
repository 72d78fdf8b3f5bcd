"""A table in a text file."""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable
from functools import cached_property
from itertools import chain
from typing import ClassVar, Literal, Self

import numpy as np
from pydantic import Field, field_validator, model_validator

from jactrain.arrays import Array
from jactrain.data.base import Classification, Dataset, Outline, Regression, Source, Task, sources
from jactrain.data.csv_cells import Complaints, is_missing, is_not_finite, number
from jactrain.data.csv_columns import Columns, find_columns
from jactrain.data.csv_table import detect_delimiter, rows
from jactrain.data.names import encode, encode_written
from jactrain.data.paths import GIBIBYTE, DataPath, check_file
from jactrain.errors import DataError

LIMIT = GIBIBYTE
_NO_DELIMITER = '"\r\n\0.+-'


@sources.register("csv")
class CsvFile(Source):
    """A table in a UTF-8 text file of at most 1 GiB: one example a row, inputs that are numbers, one target.

    Targets that are text make classes, in alphabetical order. Targets that are numbers are regressed on,
    whole ones too, unless `task: classification` says that they are names of classes. NA, ? and the like are
    missing among targets as among inputs.
    """

    outline_loads: ClassVar[bool] = True

    path: DataPath = Field(description="the file; a relative path is relative to the configuration's folder")
    target: str | int | None = Field(
        None,
        description="column to predict: its name, or its index from 0 (or from -1 at the end); "
        "null is the last column that is not dropped",
    )
    drop: list[str | int] = Field(
        default=[],
        description="columns to leave out, each by its name or its index; predicting leaves them out as well",
    )
    header: bool | None = Field(
        None,
        description="whether the first row names the columns; null finds out: it does if a column is given "
        "by name, or if a cell of an input is neither a number nor missing",
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
        for option, column in (("target", self.target), *(("drop", column) for column in self.drop)):
            if self.header is False and isinstance(column, str):
                raise ValueError(
                    f"without a header there is no column {column!r}; "
                    f"give {option} as an index, or header: true"
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
        columns = find_columns(f"{self.path}:{first[0]}", first[1], self.target, self.header, self.drop)
        return self._read(columns, table if columns.header else chain([first], table))

    def _read(self, columns: Columns, table: Iterable[tuple[int, list[str]]]) -> Dataset:
        complaints = Complaints(self.path)
        values, lines, targets = array("d"), array("q"), []
        for line, cells in table:
            if len(cells) != len(columns.names):
                complaints.add_row(
                    line, f"this row has {len(cells)} cells, the first has {len(columns.names)}"
                )
                continue
            targets.append(cells[columns.target])
            lines.append(line)
            for index in columns.inputs:
                value = number(cells[index])
                if value is None:
                    complaints.add_cell(line, columns.names[index], cells[index])
                else:
                    values.append(value)
        task = self._task(targets)
        name = columns.names[columns.target]
        for line, cell in zip(lines, targets, strict=True):
            if is_missing(cell) or is_not_finite(cell) or (task == "regression" and number(cell) is None):
                complaints.add_cell(line, name, cell, " (target)")
        summary = self._of_text(columns, complaints, len(targets))
        complaints.raise_if_any(self._advice(complaints, name, task), summary)
        if not targets:
            raise DataError(f"{self.path}: there is a header but no example below it")
        x = np.array(values, dtype=np.float64).reshape(len(targets), -1)
        return Dataset(x, *self._targets(name, targets, task), columns.features)

    def _task(self, targets: list[str]) -> str:
        if self.task:
            return self.task
        # One number among texts, or one text among numbers, is a slip rather than a class.
        return "regression" if any(number(cell) is not None for cell in targets) else "classification"

    def _of_text(self, columns: Columns, complaints: Complaints, rows: int) -> list[str]:
        """Return a sentence about the inputs that are no numbers at all, and how to leave them out."""
        found = complaints.columns_of_text(columns.features, rows)
        if not found:
            return []
        names = found if columns.header else [columns.names.index(name) for name in found]
        whole = all(complaints.texts[name] == rows for name in found)
        what = f"text in all {rows} rows" if whole else f"text, or missing, in all {rows} rows"
        word, verb, them = ("column", "is", "it") if len(found) == 1 else ("columns", "are", "them")
        return [
            f"{word} {', '.join(map(repr, found))} {verb} {what}; leave {them} out with "
            f"`drop: {_flow([*self.drop, *names])}`, or encode {them} as numbers"
        ]

    def _advice(self, complaints: Complaints, target: str, task: str) -> list[str]:
        advice = ["Every input and target is needed: mend or remove these rows."]
        if complaints.texts[target] and self.task is None:
            advice.append("Some targets are numbers; if they are names of classes, set task: classification.")
        if task == "classification" and complaints.missing[target]:
            advice.append("Where such a mark is the name of a class, write the class in another way.")
        if complaints.split_wrongly and self.delimiter is None:
            advice.append(
                f"Cells were separated at each {detect_delimiter(self.path)!r}; else set delimiter."
            )
        return advice

    def _targets(self, name: str, targets: list[str], task: str) -> tuple[Array, Task]:
        """Return y and the task from `targets`, (N,), none of which is missing."""
        numbers = [value for value in map(number, targets) if value is not None]
        if task == "regression":
            return np.array(numbers)[:, np.newaxis], Regression((name,))
        y, classes = encode_written(targets) if len(numbers) == len(targets) else encode(targets)
        if len(classes) == 1:
            raise DataError(
                f"{self.path}: every target in column {name!r} is {classes[0]!r}; "
                "classification needs at least two classes"
            )
        return y, Classification(classes)


def _flow(columns: list[str | int]) -> str:
    """Return names and indexes as a list in YAML."""
    plain = re.compile(r"(?!(true|false|null)\Z)[^\W\d][\w .-]*\Z", re.IGNORECASE)
    return (
        f"[{', '.join(str(c) if isinstance(c, int) or plain.match(c) else json.dumps(c) for c in columns)}]"
    )
