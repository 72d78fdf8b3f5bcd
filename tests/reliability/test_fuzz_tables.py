"""Damaged tables: each is read, or refused; and what is said of data is clean."""

import pytest
from damage import chance, cut, damaged_npz, flipped, one, sized
from fuzzing import SEEDS, fuzzed, try_configuration, try_data
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("apart")

CELLS = (
    *("", " ", "1", "-1.5", "1e5", "1e999", "nan", "NaN", "inf", "-inf", "NA", "?", "-", "1,5", "1_000"),
    *("0x10", "٣", "é", "名", "=1+1", "'", "\\", "{0}", "%s", "true", "null"),
    *('"', '""', '"a', '"a,b"', '"a\nb"', "a b", "a" * 200_000, "1" * 5000, "\x1b[31m", "\x07", "\x00"),
    *("\ufeff", "\u202e", "\u2028", "\x85", "\x0b", "\x0c", "\x1c"),
)
NEW_LINES = ("\n", "\r\n", "\r", "\n\n", "\n \n")
OPTIONS = {
    "target": ("c0", "c1", "", "\x1b[0m", 0, -1, 99, -99, 2**70),
    "header": (True, False),
    "delimiter": (",", ";", "|", "\t", " "),
    "task": ("classification", "regression"),
    "drop": ([], [0], ["c1"], [0, 0], [0, 1, 2, 3, 4, 5], ["no"], [-1]),
}


@st.composite
def damaged_csv(draw):
    """Return the bytes of a table, of which something is wrong, and options that it may be read with."""
    size, delimiter = draw(st.integers(2, 5)), one(draw, (",", ";", "\t", "|", " "))
    numbers = [f"{(byte - 128) / 50:.3g}" for byte in draw(sized(st.binary, 19 * size))]
    rows = [list(row) for row in zip(*[iter(numbers)] * size, strict=False)]
    if chance(draw, 40):
        rows = [[*row[:-1], one(draw, ("cat", "dog"))] for row in rows]
    if chance(draw, 70):
        rows.insert(0, [f"c{index}" for index in range(size)])
    for _ in range(draw(st.integers(0, 2)) if rows else 0):
        row = one(draw, rows) if chance(draw, 70) else rows[0]
        sort, at = draw(st.integers(0, 4)), draw(st.integers(0, len(row)))
        if sort <= 2:
            row[at : at + 1] = [one(draw, CELLS)]
        elif sort == 3:
            row.insert(at, one(draw, CELLS))
        else:
            del row[at : at + 1]
    new_line = one(draw, NEW_LINES) if chance(draw, 30) else "\n"
    data = new_line.join(delimiter.join(row) for row in rows).encode("utf-8")
    sort = draw(st.integers(0, 11))
    if sort == 0:
        data = b"\xef\xbb\xbf" * draw(st.integers(1, 2)) + data
    elif sort == 1:
        data = flipped(draw, data)
    elif sort == 2:
        data = cut(draw, data)
    elif sort == 3:
        at = draw(st.integers(0, len(data)))
        data = data[:at] + one(draw, CELLS).encode() + data[at:]
    elif sort == 4 and chance(draw, 10):
        data = data.decode().encode("utf-16")
    options = {name: one(draw, values) for name, values in OPTIONS.items() if chance(draw, 10)}
    named = [options.get("target"), *options.get("drop", [])]
    if options.get("header") is False and any(isinstance(column, str) for column in named):
        del options["header"]  # is refused before the file is read
    return data, options


@st.composite
def data_and_configurations(draw, trap):
    """Return the bytes of a table or npz file and of a configuration that reads it."""
    config = SEEDS["csv.yaml"].encode()
    if chance(draw, 50):
        config = config.replace(b", target: price", b"")
    if chance(draw, 50):
        data, _ = draw(damaged_csv())
        return data, config
    config = config.replace(b"{csv: {path: houses.csv, target: price}}", b"{npz: {path: houses.csv}}")
    return draw(damaged_npz(trap)), config


def test_a_damaged_table_is_read_or_refused(tmp_path):
    def read(case):
        data, options = case
        return try_data(tmp_path / "a.csv", data, **options)

    assert fuzzed(5000, damaged_csv(), read) > 0.05


def test_messages_about_data_in_a_configuration_are_clean(tmp_path):
    """What a table or an npz file has in its names comes to the terminal in messages."""

    def valid(case):
        data, config = case
        (tmp_path / "houses.csv").write_bytes(data)
        return try_configuration(tmp_path / "a.yaml", config)

    fuzzed(1000, data_and_configurations(str(tmp_path / "unpickled")), valid)
    assert not (tmp_path / "unpickled").exists()
