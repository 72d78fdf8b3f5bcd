"""By what data are known again: every column counts, whatever the size of the others."""

import json
from pathlib import Path

import numpy as np
import pytest

from jactrain.config.build import build
from jactrain.config.load import validated
from jactrain.config.models import Config
from jactrain.config.yaml import parse
from jactrain.runs.data_record import are_the_same_data, data_record

TEXT = """\
name: columns
dtype: float64
data: {source: {npz: {path: columns.npz}}, validation: 0.2, scale: SCALE}
network: [linear]
loss: mean_squared_error
optimizer: {sgd: {learning_rate: 0.1}}
"""


def record(folder: Path, x: np.ndarray, y: np.ndarray, scale: str) -> dict:
    np.savez(folder / "columns.npz", x=x, y=y)
    text = TEXT.replace("SCALE", scale)
    config = validated(parse(text, "columns.yaml"), Config, {"folder": folder})
    return json.loads(json.dumps(data_record(build(config))))


@pytest.mark.parametrize("scale", ["none", "standard"])
def test_a_column_of_large_numbers_hides_no_other(scale: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(1e7, 1e3, 80), rng.random(80), np.full(80, 0.1)], axis=1)
    y = rng.random(80)
    before = record(tmp_path, x, y, scale)
    assert are_the_same_data(before, record(tmp_path, x * (1 + 1e-13), y * (1 - 1e-13), scale))
    for column in ([0, rng.permutation(80)], [1, np.arange(80)[::-1]]):
        other = x.copy()
        other[:, column[0]] = x[column[1], column[0]]
        assert not are_the_same_data(before, record(tmp_path, other, y, scale))
    assert not are_the_same_data(before, record(tmp_path, x, np.roll(y, 1), scale))


def test_another_scale_of_a_small_column_is_another(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = np.stack([rng.normal(1e7, 1e3, 80), rng.random(80)], axis=1), rng.random(80)
    before = record(tmp_path, x, y, "none")
    assert not are_the_same_data(before, record(tmp_path, x * [1, 1.01], y, "none"))


def test_data_that_overflow_are_known_by_their_digest(tmp_path: Path) -> None:
    x, y = np.full((80, 1), 1e200), np.arange(80.0)
    before = record(tmp_path, x, y, "none")
    assert before["data_sums"][0] is None
    assert are_the_same_data(before, record(tmp_path, x, y, "none"))
    assert not are_the_same_data(before, record(tmp_path, x * 2, y, "none"))
