"""Tables that can be read."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jactrain.data.base import Classification, Regression, Source
from jactrain.errors import DataError

Table = Callable[..., Source]


def test_the_last_column_is_the_target(table: Table) -> None:
    dataset = table("age,height,income\n1,2,3\n4,5,6\n").load()
    assert dataset.x.tolist() == [[1, 2], [4, 5]]
    assert dataset.y.tolist() == [[3], [6]]
    assert dataset.features == ("age", "height")
    assert dataset.task == Regression(("income",))


@pytest.mark.parametrize("target", ["height", 1, -2])
def test_the_target_is_a_name_or_an_index_from_either_end(table: Table, target: str | int) -> None:
    dataset = table("age,height,income\n1,2,3\n4,5,6\n", target=target).load()
    assert dataset.x.tolist() == [[1, 3], [4, 6]]
    assert dataset.task == Regression(("height",))


@pytest.mark.parametrize("drop", [["height", "name"], [1, 2], [-3, "name"], [1, 1, -2]])
def test_columns_are_dropped_by_name_or_index(table: Table, drop: list[str | int]) -> None:
    dataset = table("age,height,name,income\n1,?,Eve,3\n4,x,Bo,6\n", drop=drop).load()
    assert dataset.x.tolist() == [[1], [4]]
    assert dataset.features == ("age",)
    assert dataset.task == Regression(("income",))


def test_the_target_is_the_last_column_that_is_not_dropped(table: Table) -> None:
    assert table("age,income,name\n1,3,Eve\n4,6,Bo\n", drop=["name"]).load().task == Regression(("income",))


def test_a_dropped_column_needs_no_name_and_makes_no_header(table: Table) -> None:
    assert table(",a,b\n0,1,2\n1,3,4\n", drop=[0]).load().features == ("a",)
    assert table("a,b,a\n1,2,x\n3,4,y\n", drop=[2]).load().features == ("a",)
    assert table("Eve,1,2\nBo,3,4\n", drop=[0]).load().x.tolist() == [[1], [3]]


def test_text_targets_make_classes_in_alphabetical_order(table: Table) -> None:
    dataset = table("age,kind\n1,dog\n2,cat\n3,dog\n").load()
    assert dataset.y.tolist() == [1, 0, 1]
    assert dataset.task == Classification(("cat", "dog"))


def test_whole_numbers_are_regressed_on_unless_told_otherwise(table: Table) -> None:
    assert table("a,b\n1,0\n2,1\n").load().task == Regression(("b",))


def test_numbers_that_name_classes_are_ordered_by_size(table: Table) -> None:
    dataset = table("a,b\n1,10\n2,9\n3,9.0\n4,0.5\n", task="classification").load()
    assert dataset.task == Classification(("0.5", "9", "10"))
    assert dataset.y.tolist() == [2, 1, 1, 0]


def test_numbers_and_text_may_both_name_classes_when_told_so(table: Table) -> None:
    dataset = table("a,b\n1,10\n2,x\n", task="classification").load()
    assert dataset.task == Classification(("10", "x"))


@pytest.mark.parametrize(
    ("first", "options", "names"),
    [
        ("1,2,3", {}, ("column_0", "column_1")),
        ("1,2,dog", {}, ("column_0", "column_1")),
        ("dog,1,2", {"target": 0}, ("column_1", "column_2")),
        ("1e-3,-.5,dog", {}, ("column_0", "column_1")),
        ("a,2,dog", {}, ("a", "2")),
        ("1,2,dog", {"target": "dog"}, ("1", "2")),
        ("1,2,3", {"header": True}, ("1", "2")),
    ],
)
def test_a_header_is_told_by_an_input_that_is_no_number(
    table: Table, first: str, options: dict[str, Any], names: tuple[str, ...]
) -> None:
    rest = "dog,1,2\ncat,3,4\n" if options.get("target") == 0 else "1,2,dog\n3,4,cat\n"
    dataset = table(f"{first}\n{rest}", task="classification", **options).load()
    assert dataset.features == names
    assert len(dataset.x) == (3 if names[0].startswith("column") else 2)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_found(table: Table, delimiter: str) -> None:
    dataset = table("a,b,c\n1,2,3\n4,5,6\n".replace(",", delimiter)).load()
    assert dataset.features == ("a", "b")


def test_a_delimiter_in_quotes_is_text(table: Table) -> None:
    assert table('"a;1","b\tc",d\n1,2,3\n').load().features == ("a;1", "b\tc")


def test_another_delimiter_may_be_given(table: Table) -> None:
    assert table("a|b,c|d\n1|2|3\n", delimiter="|").load().features == ("a", "b,c")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfa,b\n1,2\n",
        b"a,b\r\n1,2\r\n",
        b"\n\na,b\n\n1,2\n  \n\n",
        b' a , b \n 1 , 2 "\n'.replace(b'"', b""),
        b'"a","b"\n"1","2"',
    ],
    ids=[
        "byte order mark",
        "carriage returns",
        "blank lines",
        "blanks around cells",
        "quotes, no last newline",
    ],
)
def test_is_read_like_the_plain_table(table: Table, content: bytes) -> None:
    dataset = table(content).load()
    assert (dataset.features, dataset.x.tolist(), dataset.y.tolist()) == (("a",), [[1.0]], [[2.0]])


def test_names_and_classes_may_be_in_any_script(table: Table) -> None:
    dataset = table("größe,種類\n1,猫\n2,犬\n").load()
    assert dataset.features == ("größe",)
    assert dataset.task == Classification(("犬", "猫"))


def test_the_file_is_read_once_for_outline_and_load(table: Table, tmp_path: Path) -> None:
    source = table("a,b\n1,2\n")
    source.outline()
    (tmp_path / "people.csv").unlink()
    assert source.load().outline == source.outline()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["9007199254740993", "9007199254740992"], ("9007199254740992", "9007199254740993")),
        (["007", "7", "7.0", "10"], ("007", "7", "10")),
        (["2.50", "2.5", "10.", "1e1"], ("2.5", "10", "1e1")),
    ],
)
def test_classes_that_are_numbers_keep_their_names(
    table: Table, labels: list[str], classes: tuple[str, ...]
) -> None:
    source = table("a,b\n" + "".join(f"1,{label}\n" for label in labels), task="classification")
    assert source.load().task == Classification(classes)


@pytest.mark.parametrize("mark", ["NA", "None", "?", "n/a", "null", "-"])
def test_marks_for_missing_values_are_no_classes(table: Table, mark: str) -> None:
    source = table(f"a,b\n1,red\n2,{mark}\n3,blue\n")
    said = rf"people.csv:3: column 'b' \(target\): the value is missing \({re.escape(mark)}\)\n"
    with pytest.raises(DataError, match=said + "Every .*\nWhere such a mark is the name of a class, write"):
        source.load()
