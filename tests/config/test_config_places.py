import pytest

from jactrain.config.yaml import Document, parse

TEXT = "name: toy\nnetwork:\n  - linear:\n      units: 3\n  - tanh\n  - [é, {β: 1}]\n"
PLACES = {
    (): (1, 1),
    ("name",): (1, 1),
    ("network",): (2, 1),
    ("network", 0): (3, 5),
    ("network", 0, "linear"): (3, 5),
    ("network", 0, "linear", "units"): (4, 7),
    ("network", 1): (5, 5),
    ("network", 2, 0): (6, 6),
    ("network", 2, 1): (6, 9),
    ("network", 2, 1, "β"): (6, 10),
}


@pytest.mark.parametrize(("path", "place"), PLACES.items(), ids=str)
@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"])
def test_the_place_of_a_key_path_is_its_key_or_item(
    parser: str, path: tuple[str | int, ...], place: tuple[int, int], line_break: str
) -> None:
    found = parse(TEXT.replace("\n", line_break), "a.yaml").place(path)
    assert (found.line, found.column) == place
    assert found.path == path


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        (("other",), ()),
        (("network", 9), ("network",)),
        (("network", "0"), ("network",)),
        (("network", 1, "tanh", "slope"), ("network", 1)),
        (("network", 0, "linear", "unit"), ("network", 0, "linear")),
    ],
    ids=str,
)
def test_a_path_that_does_not_exist_has_the_place_of_its_longest_part_that_does(
    path: tuple[str | int, ...], prefix: tuple[str | int, ...]
) -> None:
    place = parse(TEXT, "a.yaml").place(path)
    assert place.path == prefix
    assert (place.line, place.column) == PLACES[prefix]


def test_a_place_reads_as_origin_line_and_column(document: Document) -> None:
    assert str(document.place(("network", 1))) == "a.yaml:4:5"
