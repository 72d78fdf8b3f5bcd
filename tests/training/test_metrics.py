"""Scores against those of scikit-learn."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn import metrics

from jactrain.training.metrics import evaluate


def outputs_of(toy, part) -> np.ndarray:
    return toy.network.outputs(toy.initial_parameters, part.x)


def predictions(toy, part) -> np.ndarray:
    return toy.objective.loss.predictions(outputs_of(toy, part))


@pytest.mark.parametrize(
    ("source", "loss"), [("iris", "cross_entropy"), ("breast_cancer", "binary_cross_entropy")]
)
def test_accuracy_and_loss_are_those_of_scikit_learn(experiment: Callable, source: str, loss: str) -> None:
    toy = experiment(data={"source": source, "scale": "standard"}, loss=loss)
    for part in (toy.training, toy.validation):
        scores = evaluate(toy, toy.initial_parameters, part)
        assert scores.keys() == {"loss", "accuracy"}
        assert scores["accuracy"] == metrics.accuracy_score(part.y, predictions(toy, part))
        logits = toy.network.outputs(toy.initial_parameters, part.x)
        logits = np.hstack([0 * logits, logits]) if logits.shape[1] == 1 else logits
        chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        assert np.isclose(scores["loss"], metrics.log_loss(part.y, chances), rtol=1e-10)


@pytest.mark.parametrize("scaling", ["none", "standard", "minmax"])
def test_errors_are_those_of_scikit_learn_in_the_units_of_the_data(
    experiment: Callable, tmp_path: Path, scaling: str
) -> None:
    x = np.random.default_rng(0).random((50, 3))
    np.savez(tmp_path / "two.npz", x=x, y=np.stack([1000 * x[:, 0], x[:, 1] - 7], axis=1))
    toy = experiment(data={"source": {"npz": {"path": "two.npz"}}, "scale_targets": scaling})
    for part in (toy.training, toy.validation):
        scores = evaluate(toy, toy.initial_parameters, part)
        predicted = toy.target_scaling.invert(predictions(toy, part))
        assert np.isclose(scores["rmse"] ** 2, metrics.mean_squared_error(part.y, predicted))
        assert np.isclose(scores["r2"], metrics.r2_score(part.y, predicted))
        scaled = metrics.mean_squared_error(part.targets, predictions(toy, part))
        assert np.isclose(scores["loss"], scaled)


def test_scores_of_a_single_yes_or_no_column_compare_each_row_with_its_own(
    experiment: Callable, tmp_path: Path
) -> None:
    x = np.random.default_rng(0).standard_normal((40, 3))
    np.savez(tmp_path / "yes_or_no.npz", x=x, y=(x[:, 0] > 0).astype(float))
    toy = experiment(data={"source": {"npz": {"path": "yes_or_no.npz"}}}, loss="binary_cross_entropy")
    for part in (toy.training, toy.validation):
        predicted = toy.objective.loss.predictions_for(toy.task, outputs_of(toy, part))
        assert predicted.shape == part.y.shape == (len(part.x), 1)
        scores = evaluate(toy, toy.initial_parameters, part)
        assert np.isclose(scores["rmse"] ** 2, metrics.mean_squared_error(part.y, predicted))
        assert np.isclose(scores["r2"], metrics.r2_score(part.y, predicted))


@pytest.mark.parametrize("value", [1.0, 3.3])  # the mean of 3.3s is not 3.3
def test_r2_of_targets_that_do_not_vary_is_none(value: float, experiment: Callable, tmp_path: Path) -> None:
    np.savez(tmp_path / "flat.npz", x=np.random.default_rng(0).random((50, 3)), y=np.full(50, value))
    toy = experiment(data={"source": {"npz": {"path": "flat.npz"}}})
    assert evaluate(toy, toy.initial_parameters, toy.training)["r2"] is None


def test_noise_is_off(experiment: Callable) -> None:
    toy = experiment(network=[{"linear": {"units": 16}}, {"dropout": {"rate": 0.5}}, "linear"])
    first, again = (evaluate(toy, toy.initial_parameters, toy.training) for _ in range(2))
    assert first == again


def test_evaluation_in_portions_is_that_of_the_whole(
    experiment: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy = experiment()
    whole = evaluate(toy, toy.initial_parameters, toy.training)
    monkeypatch.setattr("jactrain.training.metrics.PORTION", 7)
    assert evaluate(toy, toy.initial_parameters, toy.training) == pytest.approx(whole, rel=1e-12)
