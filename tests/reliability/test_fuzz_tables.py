"""Damaged tables: each is read, or refused; and what is said of data is clean."""

import numpy as np
import pytest
from fuzzing import SEEDS, Findings, damaged_npz, flipped, one, times, try_configuration, try_data

pytestmark = pytest.mark.usefixtures("apart")

CELLS = (
    *(
        "",
        " ",
        "1",
        "-1.5",
        "1e5",
        "1e999",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "NA",
        "?",
        "-",
        "1,5",
        "1_000",
        "0x10",
        "٣",
    ),
    *(
        '"',
        '""',
        '"a',
        '"a,b"',
        '"a\nb"',
        "a" * 200_000,
        "1" * 5000,
        "\x1b[31m",
        "\x07",
        "\x00",
        "\ufeff",
        "\u202e",
    ),
    *(
        "\u2028",
        "\x85",
        "\x0b",
        "\x0c",
        "\x1c",
        "é",
        "名",
        "a b",
        "=1+1",
        "'",
        "\\",
        "{0}",
        "%s",
        "true",
        "null",
    ),
)


NEW_LINES = ("\n", "\r\n", "\r", "\n\n", "\n \n")


def damaged_csv(rng):
    """Return the bytes of a table, of which something is wrong, and options that it may be read with."""
    size, delimiter = int(rng.integers(2, 6)), one(rng, (",", ";", "\t", "|", " "))
    rows = [[f"{value:.3g}" for value in rng.standard_normal(size)] for _ in range(rng.integers(0, 20))]
    if rng.random() < 0.4:
        rows = [[*row[:-1], one(rng, ("cat", "dog"))] for row in rows]
    if rng.random() < 0.7:
        rows.insert(0, [f"c{index}" for index in range(size)])
    for _ in range(rng.integers(0, 3)):
        if not rows:
            break
        row = rows[rng.integers(len(rows))] if rng.random() < 0.7 else rows[0]
        sort, at = rng.integers(5), int(rng.integers(len(row) + 1))
        if sort <= 2 and row:
            row[at % len(row)] = one(rng, CELLS)
        elif sort == 3:
            row.insert(at, one(rng, CELLS))
        elif row:
            del row[at % len(row)]
    new_line = one(rng, NEW_LINES) if rng.random() < 0.3 else "\n"
    data = new_line.join(delimiter.join(row) for row in rows).encode("utf-8")
    sort = rng.integers(12)
    if sort == 0:
        data = b"\xef\xbb\xbf" * int(rng.integers(1, 3)) + data
    elif sort == 1:
        data = flipped(rng, data)
    elif sort == 2:
        data = data[: rng.integers(len(data) + 1)]
    elif sort == 3:
        at = int(rng.integers(len(data) + 1))
        data = data[:at] + one(rng, CELLS).encode() + data[at:]
    elif sort == 4 and rng.random() < 0.1:
        data = data.decode().encode("utf-16")
    choices = {
        "target": ("c0", "c1", "", "\x1b[0m", 0, -1, 99, -99, 2**70),
        "header": (True, False),
        "delimiter": (",", ";", "|", "\t", " "),
        "task": ("classification", "regression"),
        "drop": ([], [0], ["c1"], [0, 0], [0, 1, 2, 3, 4, 5], ["no"], [-1]),
    }
    options = {name: one(rng, values) for name, values in choices.items() if rng.random() < 0.1}
    named = [options.get("target"), *options.get("drop", [])]
    if options.get("header") is False and any(isinstance(column, str) for column in named):
        del options["header"]  # is refused before the file is read
    return data, options


def test_a_damaged_table_is_read_or_refused(tmp_path, record_property):
    findings, read = Findings(), 0
    number = -1
    for number in times(5000):
        data, options = damaged_csv(np.random.default_rng([4, number]))
        read += try_data(findings, number, tmp_path / "a.csv", data, **options)
    record_property("told", f"damaged tables: {read} of {number + 1} read, {findings.slowest:.2f} s")
    findings.settle()
    assert read > 0.05 * (number + 1)


def test_messages_about_data_in_a_configuration_are_clean(tmp_path):
    """What a table or an npz file has in its names comes to the terminal in messages."""
    findings = Findings()
    text = SEEDS["csv.yaml"].encode()
    for number in times(1000):
        rng = np.random.default_rng([5, number])
        config = text if rng.random() < 0.5 else text.replace(b", target: price", b"")
        if rng.random() < 0.5:
            data, _ = damaged_csv(rng)
        else:
            config = config.replace(b"{csv: {path: houses.csv, target: price}}", b"{npz: {path: houses.csv}}")
            data = damaged_npz(rng, str(tmp_path / "unpickled"))
        (tmp_path / "houses.csv").write_bytes(data)
        try_configuration(findings, number, tmp_path / "a.yaml", config)
    findings.settle()
