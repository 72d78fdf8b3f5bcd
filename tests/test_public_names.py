"""The public surface, frozen: whoever changes it says so here and in the changelog."""

import numpy as np
import pytest

import jactrain
import jactrain.extend
from jactrain import Network, value_and_gradient
from jactrain.errors import DataError, ShapeError, UsageError
from jactrain.layers import layers

PUBLIC = ["Network", "build", "load_config", "load_run", "resume", "run", "sweep", "value_and_gradient"]
EXTEND = [
    *("Array", "Batch", "Classification", "Cost", "DataError", "Dataset"),
    *("Decision", "Elementwise", "Exactness", "GradientResult", "Kept", "Layer", "Loss", "LossCost"),
    *("Mode", "Moved", "MovedCost", "Namespace", "Objective", "Optimizer", "Outline", "Path"),
    *("PerturbationCost", "Placed", "Plan", "Product", "Regression", "RegressionLoss", "Schedule"),
    *("Shape", "ShapeError", "SingleEntry", "Source", "State", "Task", "Tree"),
    *("UnsupportedError", "Work", "as_columns", "erf", "layers", "losses", "modes"),
    *("optimizers", "require_one_axis", "schedules", "size_of", "sources"),
]


def test_the_public_names_are_these() -> None:
    assert jactrain.__all__ == PUBLIC
    assert dir(jactrain) == sorted([*PUBLIC, "__version__"])
    assert jactrain.extend.__all__ == EXTEND


@pytest.mark.parametrize("name", PUBLIC)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(jactrain, name).__doc__


@pytest.mark.parametrize("name", EXTEND)
def test_an_extension_name_is_there(name: str) -> None:
    assert hasattr(jactrain.extend, name)


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="module 'jactrain' has no attribute 'train'"):
        jactrain.train  # noqa: B018 - looking it up is the test


NETWORK = Network([layers.resolve({"linear": {"units": 3}})], (2,))
PARAMETERS = np.linspace(-1, 1, NETWORK.size)
X = np.array([[1.0, 2.0], [0.5, -1.0]])


@pytest.mark.parametrize("mode", ["reverse", {"forward": {"seeds": "parameters"}}, "finite_difference"])
def test_value_and_gradient_takes_a_mode_by_name_or_options(mode: object) -> None:
    result = value_and_gradient(NETWORK, "cross_entropy", PARAMETERS, X, [0, 2], mode)
    logits = X @ PARAMETERS[:6].reshape(2, 3) + PARAMETERS[6:]
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.isclose(result.value, -np.log(chances[[0, 1], [0, 2]]).mean())
    slopes = (chances - np.eye(3)[[0, 2]]) / 2
    np.testing.assert_allclose(result.gradient, [*(X.T @ slopes).ravel(), *slopes.sum(0)], atol=1e-8)
    assert result.work.multiply_adds > 0


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"loss": "cross_entropi"}, UsageError, "did you mean cross_entropy?"),
        ({"loss": {"huber": {"delt": 1.0}}}, UsageError, "unknown key 'delt'; did you mean delta?"),
        ({"mode": "backward"}, UsageError, "there is no mode 'backward'"),
        ({"mode": {"forward": {"seeds": "all"}}}, UsageError, "seeds"),
        ({"parameters": PARAMETERS[:-1]}, ShapeError, r"parameters are \(9,\) .*, not \(8,\)"),
        ({"parameters": PARAMETERS.astype(int)}, ShapeError, "float32 or float64 for this network, not"),
        ({"x": X[:, :1]}, ShapeError, r"inputs are \(N, 2\) with N at least 1 .*, not \(2, 1\)"),
        ({"x": X[:0], "y": []}, ShapeError, r"not \(0, 2\)"),
        ({"y": [0, 1, 2]}, DataError, "there are 2 inputs and 3 targets; give one for each"),
        ({"y": [0, 3]}, DataError, "3"),
        ({"y": [0, -1]}, DataError, "-1"),
        ({"loss": "mean_squared_error"}, DataError, r"compares 3 outputs with targets of shape \(2,\)"),
    ],
)
def test_value_and_gradient_refuses_what_does_not_fit(changed: dict, error: type, said: str) -> None:
    arguments = {"loss": "cross_entropy", "parameters": PARAMETERS, "x": X, "y": [0, 2], **changed}
    with pytest.raises(error, match=said):
        value_and_gradient(NETWORK, **arguments)
