"""Inputs to predict from, in the columns of the table that was trained on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jactrain.data.base import Source
from jactrain.data.inputs import read_inputs
from jactrain.errors import DataError

Table = Callable[..., Source]


def inputs(tmp_path: Path, source: Source, content: str) -> list[list[float]]:
    path = tmp_path / "new.csv"
    path.write_text(content)
    dataset = source.load()
    x: Any = read_inputs(path, dataset.x.shape[1:], dataset.features, source)
    return x.tolist()


@pytest.fixture
def headed(table: Table) -> Source:
    """A table with a header, of which two columns are dropped."""
    return table("number,age,name,height,income\n7,1,u,2,3\n8,4,v,5,6\n", drop=["number", 2])


@pytest.fixture
def bare(table: Table) -> Source:
    """The same without a header."""
    return table("7,1,u,2,3\n8,4,v,5,6\n", drop=[0, -3])


@pytest.mark.parametrize(
    "content",
    [
        "number,age,name,height,income\n9,1,u,2,3\n",
        "number,age,name,height\n9,1,u,2\n",
        "height,age\n2,1\n",
        "1,2\n",
    ],
)
def test_columns_dropped_in_training_are_found_out_by_name(
    headed: Source, tmp_path: Path, content: str
) -> None:
    assert inputs(tmp_path, headed, content) == [[1.0, 2.0]]


@pytest.mark.parametrize("content", ["9,1,u,2,3\n", "9,1,u,2\n", "1,2\n"])
def test_columns_dropped_in_training_are_found_out_by_place(
    bare: Source, tmp_path: Path, content: str
) -> None:
    assert inputs(tmp_path, bare, content) == [[1.0, 2.0]]


def test_a_target_in_front_is_left_out(table: Table, tmp_path: Path) -> None:
    source = table("3,1,u,2\n6,4,v,5\n", target=0, drop=[2])
    for content in ("3,1,u,2\n", "1,u,2\n", "1,2\n"):
        assert inputs(tmp_path, source, content) == [[1.0, 2.0]]


@pytest.mark.parametrize("content", ["1,2,3\n", "1\n", "1,2,3,4,5,6\n"])
def test_another_number_of_columns_is_refused(bare: Source, tmp_path: Path, content: str) -> None:
    count = len(content.split(","))
    with pytest.raises(DataError, match=f"new.csv:1: there are {count} columns, but the network takes 2"):
        inputs(tmp_path, bare, content)


@pytest.mark.parametrize("content", ["1|2\n", "1,2\n", "1;2\n"])
def test_the_delimiter_of_training_comes_first(table: Table, tmp_path: Path, content: str) -> None:
    source = table("1|2|3\n4|5|6\n", delimiter="|")
    assert inputs(tmp_path, source, content) == [[1.0, 2.0]]
