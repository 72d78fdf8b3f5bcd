"""A run is evaluated as it was trained, or not at all, whatever became of its data."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

TABLE = """\
name: table
data: {source: {csv: {path: table.csv}}, scale: standard, validation: 0.25}
network: [linear: {units: 4}, tanh, linear]
loss: cross_entropy
optimizer: {sgd: {learning_rate: 0.1}}
training: {epochs: 2, batch_size: 8}
"""
ROWS = [f"{i},{(7 * i) % 11},{'even' if i % 2 == 0 else 'odd'}" for i in range(1, 41)]


def write(rows: list[str], header: str = "a,b,kind") -> None:
    Path("table.csv").write_text("\n".join([header, *rows]) + "\n")


@pytest.fixture
def trained(folder: Path, jactrain: Callable) -> Path:
    write(ROWS)
    Path("table.yaml").write_text(TABLE)
    assert jactrain("run", "table.yaml").code == 0
    (run,) = Path("runs").iterdir()
    return run


def test_data_as_they_were_give_the_scores_of_the_training(trained: Path, jactrain: Callable) -> None:
    closing = json.loads((trained / "metrics.jsonl").read_text().splitlines()[-1])
    done = jactrain("evaluate", trained, "--json")
    scores = json.loads(done.out)
    assert done.err == ""
    assert scores["train"]["loss"] == closing["train_loss"]
    assert scores["validation"]["loss"] == closing["validation_loss"]


def test_changed_data_are_scaled_as_in_the_training(trained: Path, jactrain: Callable) -> None:
    before = json.loads(jactrain("evaluate", trained, "--json").out)["train"]["loss"]
    write([row.replace(row.split(",")[0], str(100 + int(row.split(",")[0])), 1) for row in ROWS])
    # Refitted to numbers that are all 100 larger, the scaling would undo it.
    assert json.loads(jactrain("evaluate", trained, "--json").out)["train"]["loss"] != pytest.approx(before)


def test_another_number_of_examples_is_told(trained: Path, jactrain: Callable) -> None:
    write(ROWS + ROWS[:8])
    done = jactrain("evaluate", trained)
    assert done.code == 0
    assert done.err.startswith(
        "note: the data changed since the training: examples were 30 train, 10 validation and are 36 train, "
    )


def test_other_values_of_as_many_examples_are_told(trained: Path, jactrain: Callable) -> None:
    write(ROWS)
    assert "changed" not in jactrain("evaluate", trained).err  # written anew, and the same
    write(["1000,7,odd", *ROWS[1:]])
    told = "note: the data, or their settings, changed since the training: as many"
    assert told in jactrain("evaluate", trained).err


@pytest.mark.parametrize(
    ("rows", "header", "said"),
    [
        ([f"5,{row}" for row in ROWS], "new,a,b,kind", "of the features 'new' came"),
        ([row.partition(",")[2] for row in ROWS], "b,kind", "of the features 'a' went"),
        (ROWS, "a,c,kind", "of the features 'c' came and 'b' went"),
        (ROWS, "b,a,kind", "the features have another order or number"),
        ([*ROWS, *["1,1,prime"] * 5], "a,b,kind", "of the classes 'prime' came"),
        (
            [row.replace("even", "two") for row in ROWS],
            "a,b,kind",
            "of the classes 'two' came and 'even' wen",
        ),
    ],
)
def test_other_features_or_classes_are_refused(
    trained: Path, jactrain: Callable, rows: list[str], header: str, said: str
) -> None:
    write(rows, header)
    done = jactrain("evaluate", trained)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert "are not those that it was trained on" in done.err


def test_inputs_with_outputs_that_are_not_finite_are_refused_by_their_row(
    trained: Path, jactrain: Callable
) -> None:
    Path("new.csv").write_text("a,b\n1,2\n1e300,2\n")
    done = jactrain("predict", trained, "--input", "new.csv")
    assert (done.code, done.out) == (2, "")
    assert "input 2 of 2 cannot be predicted from: it, or its outputs, are not finite in float32" in done.err


def test_training_data_beyond_float32_are_refused_at_data(folder: Path, jactrain: Callable) -> None:
    x = np.ones((40, 2))
    x[:4] = 1e200, 2.0
    np.savez("large.npz", x=x, y=np.arange(40) % 2)
    text = TABLE.replace("csv: {path: table.csv}", "npz: {path: large.npz}").replace("standard", "none")
    Path("table.yaml").write_text(text)
    done = jactrain("run", "table.yaml")
    assert done.code == 2
    assert "table.yaml:2:1: data: there are inputs as large as 1e+200, and numbers in float32" in done.err
    assert not Path("runs").exists()
    Path("table.yaml").write_text(text.replace("loss:", "dtype: float64\nloss:"))
    assert jactrain("validate", "table.yaml").code == 0


def test_targets_beyond_float32_are_refused_at_data(folder: Path, jactrain: Callable) -> None:
    np.savez("large.npz", x=np.ones((40, 2)), y=np.linspace(-1e200, 1e200, 40))
    text = TABLE.replace("csv: {path: table.csv}", "npz: {path: large.npz}")
    Path("table.yaml").write_text(text.replace("cross_entropy", "mean_squared_error"))
    done = jactrain("validate", "table.yaml")
    assert done.code == 2
    assert "table.yaml:2:1: data: there are targets as large as" in done.err


def test_losses_that_are_not_finite_are_refused_by_part_and_target(folder: Path, jactrain: Callable) -> None:
    rows = [f"{i},{(7 * i) % 11},{i}" for i in range(1, 41)]
    write(rows)
    text = TABLE.replace("linear: {units: 4}, tanh, ", "").replace("cross_entropy", "mean_squared_error")
    Path("table.yaml").write_text(text.replace("validation: 0.25", "validation: 0"))
    assert jactrain("run", "table.yaml").code == 0
    (run,) = Path("runs").iterdir()
    write([*rows[:-1], "1e30,3,40"])  # its square is beyond float32
    done = jactrain("evaluate", run)
    assert (done.code, done.out) == (2, "")
    assert "error: 1 of 40 examples of the train part have outputs or losses that are not finite" in done.err
    assert "in float32, the first with targets [40.0]" in done.err


def test_a_yes_or_no_column_is_predicted_as_numbers(folder: Path, jactrain: Callable) -> None:
    write([f"{i},{(7 * i) % 11},{i % 2}" for i in range(1, 41)])
    Path("table.yaml").write_text(TABLE.replace("cross_entropy", "binary_cross_entropy"))
    assert jactrain("run", "table.yaml").code == 0
    (run,) = Path("runs").iterdir()
    header, *rows = jactrain("predict", run, "--input", "table.csv").out.split()
    assert header == "kind"
    assert len(rows) == 40
    assert set(rows) <= {"0.0", "1.0"}
