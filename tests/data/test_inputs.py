"""Inputs to predict from, in the columns of the table that was trained on."""

import re
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


def test_a_header_of_numbers_is_known_by_the_names_of_the_features(table: Table, tmp_path: Path) -> None:
    source = table("1,2,price\n10,20,3\n40,50,6\n", target="price")
    for content in ("1,2\n10,20\n", "2,1\n20,10\n", "10,20\n", "price,2,1\n9,20,10\n"):
        assert inputs(tmp_path, source, content) == [[10.0, 20.0]]


def test_a_header_is_matched_by_name_whatever_its_order_and_case(headed: Source, tmp_path: Path) -> None:
    for content in ("HEIGHT,Age\n2,1\n", "Height,age\n2,1\n", "income,Height,AGE\n7,2,1\n"):
        assert inputs(tmp_path, headed, content) == [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("size,years\n2,1\n", "new.csv:1: the header lacks the columns age, height; name the columns as"),
        ("age,size\n2,1\n", "new.csv:1: the header lacks the columns height; name the columns as"),
        ("age,height,age\n1,2,3\n", "new.csv:1: more than one column is named 'age'; keep one of each"),
        ("Age,height,AGE\n1,2,3\n", "new.csv:1: more than one column is named 'age'; keep one of each"),
        ("age,height\n1,2\n1,2,3\n", "new.csv:3: this row has 3 cells, the first has 2"),
        ("1,2\n1\n1,2,3\n", "new.csv:2: this row has 1 cells, the first has 2"),
    ],
)
def test_a_header_or_a_row_that_does_not_fit_is_refused(
    headed: Source, tmp_path: Path, content: str, said: str
) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        inputs(tmp_path, headed, content)


@pytest.mark.parametrize("delimiter", ["|", " ", ":"])
def test_the_table_of_training_can_be_predicted_from(table: Table, tmp_path: Path, delimiter: str) -> None:
    content = 'a;b,"two\nlines",price\n1,2,3\n4,5,6\n'.replace(",", delimiter)
    source = table(content, delimiter=delimiter, target=-1, header=True)
    assert inputs(tmp_path, source, content) == source.load().x.tolist()
