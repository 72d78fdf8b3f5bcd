"""Files to predict from that do not fit: what is said of them, with the place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jactrain.data.inputs import read_inputs
from jactrain.data.npz_file import NpzFile
from jactrain.errors import DataError

SOURCE = NpzFile(path=Path("data.npz"))


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.zeros(3), r"x is numbers \(N, …\) with N at least 1, not float64 \(3,\)"),
        (np.zeros((0, 3)), r"x is numbers .* not float64 \(0, 3\)"),
        (np.array([["a", "b", "c"]]), r"x is numbers .* not <U1 \(1, 3\)"),
        (np.array([[1, np.nan, 2]]), r"x\[0, 1\] is nan; replace it by a finite number"),
        (np.zeros((2, 4)), r"inputs have shape \(4,\), but the network takes \(3,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(x: Any, said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", x=x)
    with pytest.raises(DataError, match=said):
        read_inputs(tmp_path / "new.npz", (3,), (), SOURCE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty; give a row of numbers for each prediction"),
        ("a,b,c\n", "there is a header but no row below it; add rows of numbers"),
        ("a,b,c\n1,2,3\n4,5\n", "new.csv:3: this row has 2 cells, the first has 3"),
        ("a,b,c\n1,x,3\n", "new.csv:2"),
    ],
)
def test_tables_that_do_not_fit_are_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_inputs(tmp_path / "new.csv", (3,), ("a", "b", "c"), SOURCE)


def test_arrays_that_fit_are_taken_in_the_shape_of_an_input(tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", x=np.arange(12).reshape(2, 6))
    x: Any = read_inputs(tmp_path / "new.npz", (2, 3), (), SOURCE)
    assert x.shape == (2, 2, 3)
    assert x.dtype == np.float64
