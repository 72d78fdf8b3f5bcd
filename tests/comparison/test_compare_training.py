"""Modes that train from the same start with the same batches."""

import json
from pathlib import Path

import numpy as np
import pytest

from jactrain.arrays import leaves
from jactrain.comparison.estimators import estimate
from jactrain.comparison.training import compare_training
from jactrain.config.build import build
from jactrain.config.files import load_config
from jactrain.errors import UsageError
from jactrain.modes import modes
from jactrain.modes.directions import relative_variance
from jactrain.training.experiment import generators
from jactrain.training.state import TrainingState
from jactrain.training.trainer import train

CONFIGS = Path(__file__).parents[2] / "configs"
RESNET = [{"linear": {"units": 4}}, {"residual": {"network": ["tanh", {"linear": {"units": 4}}]}}, "linear"]


def chosen(*kinds):
    return [modes.resolve(kind) for kind in kinds]


def row(found, label):
    return next(each for each in found["modes"] if each["mode"] == label)


def without_seconds(found):
    if isinstance(found, dict):
        return {key: without_seconds(value) for key, value in found.items() if "second" not in key}
    return [without_seconds(value) for value in found] if isinstance(found, list) else found


@pytest.fixture(scope="module")
def moons():
    config = load_config(CONFIGS / "moons.yaml", ["training.epochs=6"])
    kinds = [
        "reverse",
        "forward",
        "complex_step",
        {"random_forward": {"directions": 4}},
        "feedback_alignment",
    ]
    told = []
    found = compare_training(config, chosen(*kinds), [0, 3], 60, lambda *heard: told.append(heard))
    return config, found, told


def test_the_reference_comes_first_and_every_mode_once(moons) -> None:
    _, found, _ = moons
    assert found["reference"] == "forward"  # the configuration's own mode, which is exact
    labels = [each["mode"] for each in found["modes"]]
    expected = ["forward", "reverse", "complex_step", "random_forward(directions=4)", "feedback_alignment"]
    assert labels == expected
    assert (found["seeds"], found["epochs"], found["metric"]) == ([0, 3], 6, "validation_accuracy")
    json.dumps(found, allow_nan=False)


def test_exact_modes_stay_within_rounding_of_the_reference(moons) -> None:
    _, found, _ = moons
    for label in ("reverse", "complex_step"):
        for run in row(found, label)["runs"]:
            assert run["divergence"][0] is None  # at the start nothing has moved
            assert max(run["divergence"][1:]) < 1e-12
    assert min(run["divergence"][-1] for run in row(found, "feedback_alignment")["runs"]) > 0.01
    assert row(found, "forward")["runs"][0]["divergence"] == [None, *[0.0] * 6]


def test_a_run_is_what_training_by_that_mode_gives(moons) -> None:
    config, found, _ = moons
    same = build(
        config.model_copy(update={"seed": 3, "mode": modes.resolve("complex_step"), "agreement": None})
    )
    state = train(same, TrainingState.start(same))
    run = row(found, "complex_step")["runs"][1]
    assert run["step"] == [0, 6, 12, 18, 24, 30, 36]
    assert run["train_loss"][-1] == state.metrics["train_loss"]
    assert run["validation_loss"][-1] == state.metrics["validation_loss"]
    assert run["metric"][-1] == state.metrics["validation_accuracy"]
    assert run["multiply_adds"][-1] == state.multiply_adds
    assert run["seconds"][0] == 0 < run["seconds"][-1]


def test_figures_over_the_seeds(moons) -> None:
    _, found, told = moons
    reverse = row(found, "reverse")
    first, last = ([run["train_loss"][end] for run in reverse["runs"]] for end in (0, -1))
    final = reverse["final"]["train_loss"]
    assert final == {"median": np.mean(last), "low": min(last), "high": max(last)}
    work = [run["multiply_adds"][-1] for run in reverse["runs"]]
    drops = [(before - after) / cost for before, after, cost in zip(first, last, work, strict=True)]
    assert reverse["loss_drop_per_multiply_add"] == pytest.approx(np.median(drops))
    assert reverse["loss_drop_per_second"] > 0
    assert reverse["cosine_at_start"] == pytest.approx(1)
    assert reverse["estimator"] is None
    assert [heard for heard in told if heard[0] == "reverse"] == [
        ("reverse", seed, epoch, 6) for seed in (0, 3) for epoch in range(1, 7)
    ]


def test_an_unbiased_estimator_is_so_along_the_way_with_the_published_variance(moons) -> None:
    _, found, _ = moons
    random = row(found, "random_forward(directions=4)")
    estimator = random["estimator"]
    assert estimator["step"] == [0, 12, 18, 24, 36]
    size = 337  # 2·16 + 16, 16·16 + 16, 16 + 1
    for bias, error, variance in zip(
        estimator["relative_bias"],
        estimator["bias_standard_error"],
        estimator["relative_variance"],
        strict=True,
    ):
        assert 0 < bias <= 4 * error
        # Of 50 draws whose squares vary by √(2/4) of themselves: 10 % a standard error.
        assert variance == pytest.approx(relative_variance("gaussian", size, 4), rel=0.4)
    assert 0 < random["cosine_at_start"] < 0.5
    assert random["cosine_at_start"] == estimator["cosine"][0]


def test_a_biased_estimator_has_bias_and_no_variance(moons) -> None:
    estimator = row(moons[1], "feedback_alignment")["estimator"]
    assert min(estimator["relative_bias"]) > 0.1
    assert estimator["relative_variance"] == estimator["bias_standard_error"] == [0.0] * 5


def test_draws_of_known_bias_and_variance_are_told() -> None:
    rng, gradient = np.random.default_rng(0), np.array([3.0, 4.0])
    found = estimate(lambda: 1.5 * gradient + rng.normal(0, 2, 2), gradient, 20_000)
    assert found.relative_variance == pytest.approx(2 * 4 / 25, rel=0.05)
    assert found.bias_standard_error == pytest.approx(np.sqrt(8 / 25 / 20_000), rel=0.05)
    assert abs(found.relative_bias - 0.5) < 4 * found.bias_standard_error
    assert estimate(lambda: gradient, 0 * gradient, 3).relative_bias is None
    assert estimate(lambda: gradient * np.nan, gradient, 3).cosine is None


def test_everything_but_the_seconds_repeats(small) -> None:
    found = [
        compare_training(small(), chosen("reverse", "spsa", "activity_perturbation"), [1], 60)
        for _ in range(2)
    ]
    assert without_seconds(found[0]) == without_seconds(found[1])


def test_a_diverging_mode_keeps_what_it_had_and_the_others_finish(small) -> None:
    config = small(optimizer={"sgd": {"learning_rate": 1.5e38}}, dtype="float32")
    found = compare_training(config, chosen("reverse", "spsa"), [0], 60)
    for each in found["modes"]:
        assert each["status"] == "diverged"
        assert each["reason"].startswith("seed 0: training diverged in epoch ")
        (run,) = each["runs"]
        assert (run["status"], run["step"], len(run["train_loss"])) == ("diverged", [0], 1)
        assert each["final"] == {"train_loss": None, "validation_loss": None, "metric": None}
        assert each["loss_drop_per_second"] is None
    json.dumps(found, allow_nan=False)


def test_what_one_mode_cannot_stand_another_can(small) -> None:
    # A single direction is √P times as long as the gradient, and so are its steps.
    config = small(
        network=[{"linear": {"units": 64}}, "relu", "linear"],
        dtype="float32",
        training={"epochs": 40, "batch_size": 20},
    )
    found = compare_training(config, chosen("reverse", {"spsa": {"distribution": "gaussian"}}), [0], 60)
    reverse, spsa = found["modes"]
    assert (reverse["status"], spsa["status"]) == ("finished", "diverged")
    (run,) = spsa["runs"]
    assert 1 <= len(run["train_loss"]) < 41
    assert len({len(run[name]) for name in ("step", "seconds", "multiply_adds", "metric", "divergence")}) == 1


def test_a_loss_that_has_grown_is_told_and_the_mode_has_finished(small) -> None:
    config = small(optimizer={"sgd": {"learning_rate": 0.3}})
    reverse, random = compare_training(config, chosen("random_forward"), [0, 1], 60)["modes"]
    assert (reverse["status"], reverse["reason"]) == ("finished", "")
    start = np.median([run["train_loss"][0] for run in random["runs"]])
    assert random["final"]["train_loss"]["median"] > start
    assert (random["status"], random["reason"]) == (
        "finished",
        "its loss has grown; all modes train with the configuration's learning rate",
    )


def test_a_mode_that_raises_has_failed_where_one_that_does_not_fit_is_skipped(small, monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(modes.get("spsa"), "differentiate", broken)
    _, spsa = compare_training(small(), chosen("spsa"), [0], 60)["modes"]
    assert (spsa["status"], spsa["reason"]) == ("failed", "ZeroDivisionError: by design")


def test_the_first_batch_is_that_of_the_training_part_with_the_seed_s_noise(small) -> None:
    network = [{"linear": {"units": 4}}, {"dropout": {"rate": 0.5}}, "linear"]
    experiment = build(small(network=network))
    batch, again = experiment.first_batch(7), experiment.first_batch(7)
    np.testing.assert_array_equal(batch.x, experiment.training.x[:7])
    np.testing.assert_array_equal(batch.targets, experiment.training.targets[:7])
    drawn = experiment.network.draw_noise(generators(experiment.seed).noise, 7, experiment.dtype)
    for noise in (batch.noise, again.noise):
        for (_, one), (_, other) in zip(leaves(noise), leaves(drawn), strict=True):
            np.testing.assert_array_equal(one, other)
    assert experiment.first_batch(7, noise=False).noise is None
    assert experiment.first_batch(10**6).examples == len(experiment.training.x)


def test_a_mode_that_cannot_run_is_a_row_with_its_reason(small) -> None:
    kinds = (
        "reverse",
        {"forward": {"memory": 8}},
        {"random_forward": {"directions": 999, "distribution": "orthogonal"}},
    )
    _, bound, many = compare_training(small(), chosen(*kinds), [0], 60)["modes"]
    assert (bound["status"], bound["runs"]) == ("skipped", [])
    assert "but the bound is 8 B" in bound["reason"]
    assert (many["status"], many["estimator"]) == ("skipped", None)
    assert "999 orthogonal directions are more than the 73 parameters" in many["reason"]


def test_a_mode_over_the_budget_is_skipped_with_its_time(shipped) -> None:
    config = shipped("digits", "training.epochs=1")
    found = compare_training(config, chosen("reverse", "complex_step"), [0], 0.5)
    skipped = row(found, "complex_step")
    assert (skipped["status"], skipped["runs"], skipped["cosine_at_start"]) == ("skipped", [], None)
    assert skipped["reason"].startswith("training 1 seed by complex_step is predicted to take ")
    assert skipped["reason"].endswith(
        " s, over the 0.5 s that the budget has for it; raise the budget to have it run"
    )
    assert row(found, "reverse")["status"] == "finished"


def test_a_reference_over_the_budget_leaves_nothing_to_diverge_from(small) -> None:
    network = [{"linear": {"units": 256}}, "tanh", "linear"]
    config = small(mode="complex_step", network=network, training={"epochs": 300, "batch_size": 48})
    reference, reverse = compare_training(config, chosen("reverse"), [0], 0.8)["modes"]
    assert (reference["mode"], reference["status"]) == ("complex_step", "skipped")
    assert reverse["status"] == "finished"
    assert set(reverse["runs"][0]["divergence"]) == {None}


def test_an_estimator_is_no_reference_and_early_stopping_is_off(small) -> None:
    training = {"epochs": 8, "batch_size": 48, "early_stopping": {"patience": 1, "minimum_improvement": 9.0}}
    found = compare_training(small(mode="spsa", training=training, network=RESNET), [], [0], 60)
    (reverse,) = found["modes"]
    assert found["reference"] == reverse["mode"] == "reverse"
    assert len(reverse["runs"][0]["step"]) == 9


def test_without_validation_the_score_is_of_the_training_part(small) -> None:
    data = {"source": {"friedman1": {"examples": 40}}, "validation": 0.0}
    found = compare_training(small(data=data), [], [0], 60)
    run = found["modes"][0]["runs"][0]
    assert found["metric"] == "train_r2"
    assert (run["validation_loss"], len(run["metric"])) == ([], 4)
    assert found["modes"][0]["final"]["validation_loss"] is None


def test_without_a_seed_nothing_can_be_trained(small) -> None:
    with pytest.raises(UsageError, match="no seed is given"):
        compare_training(small(), [], [], 60)
