"""Tables that cannot be read, each with what is said of it."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jactrain.data.base import Source
from jactrain.errors import DataError

Table = Callable[..., Source]


def message_of(source: Source) -> str:
    with pytest.raises(DataError) as caught:
        source.load()
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("a,b\n1,2\n,4\n", {}, "people.csv:3: column 'a': the value is missing\n"),
        ("a,b\nNA,2\n", {}, "people.csv:2: column 'a': the value is missing (NA)\n"),
        ("a,b\nx,2\n", {}, "people.csv:2: column 'a': 'x' is text, not a number\n"),
        ("a,b\n1_000,2\n", {}, "people.csv:2: column 'a': '1_000' is text, not a number\n"),
        ("a;b\n1,5;2\n", {}, "people.csv:2: column 'a': '1,5' has a decimal comma; write 1.5\n"),
        ("a,b\nnan,2\n", {}, "people.csv:2: column 'a': nan is not a finite number\n"),
        ("a,b\n-inf,2\n", {}, "people.csv:2: column 'a': -inf is not a finite number\n"),
        ("a,b\n1e999,2\n", {}, "people.csv:2: column 'a': 1e999 is not a finite number\n"),
        ("a,b\n1,\n2,3\n", {}, "people.csv:2: column 'b' (target): the value is missing\n"),
        ("a,b\n1,x\n2,\n", {}, "people.csv:3: column 'b' (target): the value is missing\n"),
        ("a,b\n1,x\n2,inf\n", {}, "people.csv:3: column 'b' (target): inf is not a finite number\n"),
        ("a,b\n1,1\n2,x\n", {}, "people.csv:3: column 'b' (target): 'x' is text, not a number\n"),
        ("a,b\n1,x\n", {"task": "regression"}, "people.csv:2: column 'b' (target): 'x' is text"),
        ("a,b\n1,2\n1,2,3\n", {}, "people.csv:3: this row has 3 cells, the first has 2\n"),
        ("1,2\n1\n", {}, "people.csv:2: this row has 1 cells, the first has 2\n"),
        ("", {}, "people.csv: the file is empty"),
        ("\n \n", {}, "people.csv: the file is empty"),
        ("a,b\n", {}, "people.csv: there is a header but no example below it"),
        ("a\n1\n", {}, "people.csv:1: a table has at least two columns, inputs and a target, but here is 1;"),
        ("a:b\n1:2\n", {}, "if another character separates them, set delimiter"),
        ("age,income\n1,2\n", {"target": "incom"}, "no target column 'incom'; did you mean income?"),
        ("age,income\n1,2\n", {"target": "zzz"}, "no target column 'zzz'; there are age, income"),
        ("a,b\n1,2\n", {"target": 2}, "no target column 2; the 2 columns count from 0 to 1, or from -1"),
        ("a,b\n1,2\n", {"target": -3}, "no target column -3; the 2 columns count"),
        ("a,b,a\n1,2,3\n", {}, "people.csv:1: more than one column is named 'a'; rename them"),
        (",a,b\n0,1,2\n", {}, "people.csv:1: column 0 (counted from 0) has no name in the header"),
        ("a,b\n1,x\n2,x\n", {}, "people.csv: every target in column 'b' is 'x'; classification needs"),
        ("a,b\n1,2\n\0,2\n", {}, "people.csv:3: this line holds a NUL character"),
        ('a,b\n1,2\n"3,4\n5,6\n', {}, "people.csv:3: this row cannot be read"),
        ('a,b\n"1"x,2\n', {}, "people.csv:2: this row cannot be read"),
        ("a,b\r1,2\r", {}, "people.csv:1: this row cannot be read"),
        (b"a,b\n1,2\n3,caf\xe9\n", {}, "people.csv:3: byte 6 of this line is not UTF-8; save the file as"),
        ("a,b\n1,2\n".encode("utf-16"), {}, "people.csv:1: byte 1 of this line is not UTF-8"),
    ],
)
def test_says_what_is_wrong_and_where(
    table: Table, tmp_path: Path, content: str | bytes, options: dict[str, Any], message: str
) -> None:
    said = message_of(table(content, **options))
    assert message in said
    assert said.startswith(str(tmp_path / "people.csv"))


def test_the_line_is_where_the_row_starts(table: Table) -> None:
    content = 'a,b\n\n1,"two\nlines"\n\nx,y\n'
    assert "people.csv:6: column 'a': 'x' is text" in message_of(table(content))


def test_every_bad_cell_is_reported_at_once(table: Table) -> None:
    said = message_of(table("a,b,c\n1,x,\n,2,3\n4,5\n"))
    assert re.findall(r"people\.csv:(\d+)", said) == ["2", "3", "4", "2"]


def test_more_than_ten_bad_cells_are_counted(table: Table) -> None:
    said = message_of(table("a,b\n1,1\n" + "x,1\n" * 13))
    assert said.count("is text, not a number") == 10
    assert "\n(and 3 more)\n" in said


@pytest.mark.parametrize("content", ["a;b\n1;2\n1|2;3\n", "a;b\n1;2\n1;2;3\n"])
def test_advice_names_the_delimiter_where_rows_may_be_split_wrongly(table: Table, content: str) -> None:
    assert "Cells were separated at each ';'; else set delimiter." in message_of(table(content))
    assert "set delimiter" not in message_of(table(content, delimiter=";"))


def test_targets_of_two_sorts_are_told_of_classification(table: Table) -> None:
    assert "if they are names of classes, set task: classification" in message_of(table("a,b\n1,1\n2,x\n"))


@pytest.mark.parametrize("content", ["a,b\n1,2\nx,4\n", "a,b\n1,2\n,4\n", "a,b\n1,2\n3,\n"])
def test_advice_that_would_not_help_is_left_out(table: Table, content: str) -> None:
    said = message_of(table(content))
    assert said.splitlines()[1:] == ["Every input and target is needed: mend or remove these rows."]


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("a,kind,b\n1,x,2\n3,y,4\n", {}, "is text in all 2 rows; leave it out with `drop: [kind]`, or"),
        ("a,kind,b\n1,x,2\n3,,4\n", {}, "column 'kind' is text, or missing, in all 2 rows; leave it"),
        ("a,k,l,b\n1,x,u,2\n3,y,v,4\n", {}, "columns 'k', 'l' are text in all 2 rows; leave them out with"),
        ("a,k,l,b\n1,x,u,2\n3,y,v,4\n", {}, "`drop: [k, l]`, or encode them as numbers"),
        ("a,k,l,b\n1,x,u,2\n3,y,v,4\n", {"drop": ["a", 1]}, "leave it out with `drop: [a, 1, l]`, or"),
        ('a,"k, l",b\n1,x,2\n3,y,4\n', {}, 'leave it out with `drop: ["k, l"]`, or encode it as numbers'),
        ("1,x,2\n3,y,4\n", {"header": False}, "is text in all 2 rows; leave it out with `drop: [1]`"),
    ],
)  # fmt: skip
def test_a_column_of_text_is_told_once(
    table: Table, tmp_path: Path, content: str, options: dict[str, Any], said: str
) -> None:
    message = message_of(table(content, **options))
    assert message.startswith(f"{tmp_path / 'people.csv'}: column")
    assert said in message
    assert len(message.splitlines()) == 1


def test_a_column_of_text_hides_no_other_mistake(table: Table) -> None:
    said = message_of(table("a,kind,b\n1,x,2\n3,y,\n").model_copy(update={"target": "a"}))
    assert re.findall(r"people\.csv(:\d+)?: (column \S+)", said) == [
        ("", "column 'kind'"),
        (":3", "column 'b':"),
    ]
    assert said.endswith("mend or remove these rows.")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"drop": ["hight"]}, "people.csv:1: there is no column to drop 'hight'; did you mean height?"),
        ({"drop": [3]}, "people.csv:1: there is no column to drop 3; the 3 columns count from 0 to 2"),
        ({"drop": ["age", "height"]}, "people.csv:1: drop leaves 1 of 3 columns; keep the target"),
        ({"drop": ["kind"], "target": "kind"}, "column 'kind' is the target and cannot be dropped"),
        ({"drop": [0, 1, 2]}, "drop leaves 0 of 3 columns; keep the target and at least one input"),
    ],
)  # fmt: skip
def test_a_column_that_cannot_be_dropped_is_named(table: Table, options: dict[str, Any], said: str) -> None:
    assert said in message_of(table("age,height,kind\n1,2,x\n3,4,y\n", **options))


def test_a_column_to_drop_by_name_needs_a_header(table: Table) -> None:
    with pytest.raises(ValidationError, match="give drop as an index, or header: true"):
        table("", header=False, drop=[0, "income"])


@pytest.mark.parametrize("delimiter", ["", ",,", "a", "1", ".", "-", '"', "\n", "\r", "\0"])
def test_a_delimiter_that_cannot_separate_numbers_is_refused(table: Table, delimiter: str) -> None:
    with pytest.raises(ValidationError, match="delimiter"):
        table("", delimiter=delimiter)


def test_a_target_by_name_needs_a_header(table: Table) -> None:
    with pytest.raises(ValidationError, match="give target as an index, or header: true"):
        table("", header=False, target="income")
