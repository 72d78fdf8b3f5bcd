"""Laws of every registered source, and the options of the generated ones."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from jactrain.data.base import Classification, Dataset, Outline, Regression, Source, sources
from jactrain.errors import DataError
from jactrain.registry import as_configuration

# One line per kind: options other than the defaults, where there are any.
CASES: dict[str, dict[str, Any]] = {
    "blobs": {"examples": 20, "centers": 4, "features": 3, "spread": 0.5, "seed": 1},
    "breast_cancer": {},
    "circles": {"examples": 21, "noise": 0.0, "factor": 0.2, "seed": 1},
    "classification": {"examples": 30, "features": 6, "informative": 2, "classes": 4, "seed": 1},
    "csv": {"path": "table.csv"},
    "diabetes": {},
    "digits": {},
    "friedman1": {"examples": 20, "features": 7, "noise": 1.0, "seed": 1},
    "friedman2": {"examples": 20, "noise": 1.0, "seed": 1},
    "friedman3": {"examples": 20, "noise": 0.1, "seed": 1},
    "iris": {},
    "moons": {"examples": 21, "noise": 0.0, "seed": 1},
    "npz": {"path": "arrays.npz"},
    "regression": {"examples": 20, "features": 4, "informative": 4, "targets": 3, "noise": 0.1, "seed": 1},
    "wine": {},
}
DRAWN = sorted(kind for kind, options in CASES.items() if "seed" in options)


@pytest.fixture(params=sorted(CASES))
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    (tmp_path / "table.csv").write_text("age,income\n1,2\n3,4\n")
    np.savez(tmp_path / "arrays.npz", x=np.ones((3, 2, 2)), y=np.array([0, 1, 0]))
    return sources.resolve({request.param: CASES[request.param]}, {"folder": tmp_path})


def test_every_registered_source_has_a_case() -> None:
    assert sources.names() == sorted(CASES)


def test_outline_is_that_of_the_loaded_dataset(source: Source) -> None:
    assert source.outline() == source.load().outline


def test_loading_twice_gives_the_same_examples(source: Source) -> None:
    once, again = source.load(), source.load()
    assert np.array_equal(once.x, again.x)
    assert np.array_equal(once.y, again.y)
    assert once.features == again.features


def test_every_class_has_an_example(source: Source) -> None:
    dataset = source.load()
    if isinstance(dataset.task, Classification):
        assert set(dataset.y.tolist()) == set(range(len(dataset.task.classes)))


def test_every_number_is_finite(source: Source) -> None:
    dataset = source.load()
    assert np.isfinite(dataset.x).all()
    assert np.isfinite(dataset.y).all()


def test_features_are_named_where_an_input_has_one_axis(source: Source) -> None:
    dataset = source.load()
    assert len(dataset.features) == (dataset.x.shape[1] if dataset.x.ndim == 2 else 0)


def test_source_survives_being_written_as_configuration(source: Source) -> None:
    assert sources.resolve(as_configuration(source)) == source


@pytest.mark.parametrize("kind", DRAWN)
def test_another_seed_draws_other_examples(kind: str) -> None:
    # Without noise, moons and circles differ in the order alone, which is enough.
    first, second = (sources.resolve({kind: {**CASES[kind], "seed": seed}}).load() for seed in (1, 2))
    assert not np.array_equal(first.x, second.x)


@pytest.mark.parametrize("kind", DRAWN)
def test_drawing_leaves_the_global_seed_alone(kind: str) -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002  # the global state is what is watched
    sources.resolve({kind: CASES[kind]}).load()
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_diabetes_is_in_the_units_of_the_study() -> None:
    dataset = sources.resolve("diabetes").load()
    age = dataset.x[:, dataset.features.index("age")]
    assert (age.min(), age.max()) == (19.0, 79.0)
    assert set(dataset.x[:, dataset.features.index("sex")]) == {1.0, 2.0}


def test_moons_and_circles_are_named_as_they_lie() -> None:
    moons = sources.resolve({"moons": {"noise": 0.0}}).load()
    assert moons.x[moons.y == 0, 1].mean() > moons.x[moons.y == 1, 1].mean()
    circles = sources.resolve({"circles": {"noise": 0.0, "factor": 0.5}}).load()
    assert np.allclose(np.hypot(*circles.x.T), np.where(circles.y == 0, 1.0, 0.5))


def friedman1(x: Any) -> Any:
    return 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]


def friedman2(x: Any) -> Any:
    return np.sqrt(x[:, 0] ** 2 + (x[:, 1] * x[:, 2] - 1 / (x[:, 1] * x[:, 3])) ** 2)


def friedman3(x: Any) -> Any:
    return np.arctan((x[:, 1] * x[:, 2] - 1 / (x[:, 1] * x[:, 3])) / x[:, 0])


@pytest.mark.parametrize(
    "function", [friedman1, friedman2, friedman3], ids=lambda function: function.__name__
)
def test_friedman_problems_are_the_functions_in_their_docstrings(function: Any) -> None:
    dataset = sources.resolve({function.__name__: {"noise": 0.0}}).load()
    assert np.allclose(dataset.y[:, 0], function(dataset.x))


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"blobs": {"examples": 2, "centers": 3}}, "set examples to 3 or more"),
        ({"classification": {"features": 3, "informative": 4}}, "set informative to 3 or less"),
        ({"classification": {"informative": 2, "classes": 5}}, "set informative to 3 or more"),
        ({"classification": {"examples": 3, "classes": 4}}, "set examples to 4 or more"),
        ({"regression": {"features": 3, "informative": 4}}, "or features to 4 or more"),
        ({"friedman1": {"features": 4}}, "greater than or equal to 5"),
        ({"moons": {"noise": -1.0}}, "greater than or equal to 0"),
        ({"circles": {"factor": 1.0}}, "less than 1"),
        ({"moons": {"seed": 2**32}}, "less than 4294967296"),
        ({"moons": {"examples": 1}}, "greater than or equal to 2"),
        ({"iris": {"seed": 0}}, "unknown key 'seed'"),
    ],
)
def test_options_out_of_range_say_what_to_do(configuration: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        sources.resolve(configuration)


def test_dataset_is_read_only_and_leaves_the_callers_array_writable() -> None:
    x = np.zeros((2, 1))
    dataset = Dataset(x, np.zeros(2, dtype=np.int64), Classification(("a", "b")))
    with pytest.raises(ValueError, match="read-only"):
        dataset.x[0] = 1.0
    x[0] = 1.0


def test_take_returns_the_examples_in_the_order_asked_for() -> None:
    dataset = Dataset(np.arange(3.0)[:, None], np.array([0, 1, 0]), Classification(("a", "b")), ("x",))
    taken = dataset.take(np.array([2, 1]))
    assert taken.x[:, 0].tolist() == [2.0, 1.0]
    assert taken.y.tolist() == [0, 1]
    assert taken.outline == Outline(2, (1,), dataset.task)


@pytest.mark.parametrize(
    ("x", "y", "task", "features", "message"),
    [
        (np.zeros(2), np.zeros((2, 1)), Regression(("y",)), (), r"x is \(N, \*input\) float64"),
        (np.zeros((2, 1), np.float32), np.zeros((2, 1)), Regression(("y",)), (), "not .* float32"),
        (np.zeros((2, 1)), np.zeros((3, 1)), Regression(("y",)), (), "x holds 2 examples and y 3"),
        (np.zeros((2, 1)), np.zeros(2), Regression(("y",)), (), r"regression targets are \(2, 1\) float64"),
        (np.zeros((2, 1)), np.zeros(2), Classification(("a", "b")), (), r"class indices are \(N,\) int64"),
        (np.zeros((2, 1)), np.array([0, 2]), Classification(("a", "b")), (), "class indices are 0 to 1"),
        (np.zeros((2, 2)), np.zeros((2, 1)), Regression(("y",)), ("x",), "1 feature names for inputs"),
    ],
)
def test_arrays_that_do_not_fit_together_are_no_dataset(
    x: Any, y: Any, task: Any, features: tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Dataset(x, y, task, features)
