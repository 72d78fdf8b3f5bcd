"""Estimators against their published bias and variance, over many draws."""

from dataclasses import replace

import numpy as np
import pytest
from cases import NetworkCase

from jactrain.layers.base import Product
from jactrain.modes import modes
from jactrain.modes.base import Exactness

DRAWS = 10_000
CASE = NetworkCase(
    "estimated", [{"linear": {"units": 4}}, "tanh", {"linear": {"units": 2}}], (3,), "mean_squared_error", 5
)
OBJECTIVE, BATCH, PARAMETERS = CASE.objective(), CASE.batch(np.float64), CASE.parameters(np.float64)
SIZE = OBJECTIVE.network.size


def gradient(mode, rng=None, objective=OBJECTIVE, parameters=PARAMETERS, batch=BATCH):
    plan = mode.prepare(objective, batch.examples, np.float64)
    return mode.value_and_gradient(objective, parameters, batch, plan, rng or np.random.default_rng(0))


EXACT = gradient(modes.resolve("reverse")).gradient
LENGTH = EXACT @ EXACT


def draws(kind, **options):
    """Return `DRAWS` estimates `(DRAWS, P)`."""
    mode, rng = modes.resolve({kind: options}), np.random.default_rng(1)
    plan = mode.prepare(OBJECTIVE, BATCH.examples, np.float64)
    return np.array(
        [mode.value_and_gradient(OBJECTIVE, PARAMETERS, BATCH, plan, rng).gradient for _ in range(DRAWS)]
    )


def activity_variance(directions, fourth_moment=3):
    """Return `Σ_n (‖s_n‖² ‖B_n‖² + ‖B_nᵀ s_n‖²) / K`, s_n the slopes at example n's activities.

    The covariance of `(s·u) u` is `‖s‖² I + s sᵀ` for Gaussian u, less `2 diag s²` for Rademacher u.
    """
    point = OBJECTIVE.linearize(PARAMETERS, BATCH)
    y_bar = point.loss_vjp()
    slopes, products = {}, 0.0
    for position in reversed(range(len(OBJECTIVE.links))):
        if OBJECTIVE.links[position].layout.size:
            slopes[position] = y_bar[0]
        y_bar = point.vjp(position, y_bar)
    lengths = sum((slope**2).sum(1) for slope in slopes.values())  # ‖s_n‖², (N,)
    for position, slope in slopes.items():
        x = point._residuals[position][0]
        squares = (x**2).sum(1) + 1  # one output's row of B_n is its input and a one
        own = (fourth_moment - 2) * (slope**2).sum(1)  # s sᵀ, and the diagonal of what is taken off
        products += float((squares * (lengths * slope.shape[1] + own)).sum())
    return products / directions


VARIANCES = {
    "gaussian": ("random_forward", {"directions": 1}, (SIZE + 1) * LENGTH),
    "rademacher": (
        "random_forward",
        {"directions": 2, "distribution": "rademacher"},
        (SIZE - 1) / 2 * LENGTH,
    ),
    "orthogonal": (
        "random_forward",
        {"directions": 6, "distribution": "orthogonal"},
        (SIZE / 6 - 1) * LENGTH,
    ),
    "spsa": ("spsa", {"directions": 1}, (SIZE - 1) * LENGTH),
    "spsa, gaussian": ("spsa", {"directions": 3, "distribution": "gaussian"}, (SIZE + 1) / 3 * LENGTH),
    "activity": ("activity_perturbation", {"directions": 1}, activity_variance(1)),
    "activity, rademacher": (
        "activity_perturbation",
        {"directions": 1, "distribution": "rademacher"},
        activity_variance(1, fourth_moment=1),
    ),
    "activity, four": ("activity_perturbation", {"directions": 4}, activity_variance(4)),
}


@pytest.mark.parametrize("name", VARIANCES)
def test_an_unbiased_estimator_has_the_published_bias_and_variance(name):
    kind, options, variance = VARIANCES[name]
    estimates = draws(kind, **options)
    assert modes.get(kind).exactness is Exactness.UNBIASED
    measured = ((estimates - EXACT) ** 2).sum(1).mean()
    assert abs(measured / variance - 1) <= 0.1
    # Every entry's mean within its confidence interval: 4.5 standard errors for all entries together.
    standard_error = estimates.std(0) / np.sqrt(DRAWS)
    assert (np.abs(estimates.mean(0) - EXACT) <= 4.5 * standard_error).all()


def test_activity_perturbation_varies_less_than_directions_in_parameter_space():
    assert activity_variance(1) < (SIZE + 1) * LENGTH


@pytest.mark.parametrize("directions", [1, 5, 20])
def test_the_cosine_of_orthogonal_directions_is_the_root_of_their_share(directions):
    estimates = draws("random_forward", directions=directions, distribution="orthogonal")
    cosines = estimates @ EXACT / np.linalg.norm(estimates, axis=1) / np.linalg.norm(EXACT)
    # √(K/P) is the root of the mean square; for K = 1 the mean itself is smaller, √(2/(πP)).
    assert abs(np.sqrt((cosines**2).mean()) / np.sqrt(directions / SIZE) - 1) <= 0.02


def test_the_mean_cosine_of_many_orthogonal_directions_is_the_root_of_their_share():
    mode = modes.resolve({"random_forward": {"directions": 60, "distribution": "orthogonal"}})
    case = NetworkCase(
        "larger", [{"linear": {"units": 16}}, "tanh", {"linear": {"units": 4}}], (8,), "huber", 5
    )
    objective, batch, parameters = case.objective(), case.batch(np.float64), case.parameters(np.float64)
    exact = gradient(modes.resolve("reverse"), None, objective, parameters, batch).gradient
    rng, cosines = np.random.default_rng(2), []
    for _ in range(400):
        estimate = gradient(mode, rng, objective, parameters, batch).gradient
        cosines.append(estimate @ exact / np.linalg.norm(estimate) / np.linalg.norm(exact))
    assert abs(np.mean(cosines) / np.sqrt(60 / objective.network.size) - 1) <= 0.02


def test_all_orthogonal_directions_give_the_gradient_itself():
    mode = modes.resolve({"random_forward": {"directions": SIZE, "distribution": "orthogonal"}})
    assert np.allclose(gradient(mode).gradient, EXACT, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name in VARIANCES if not name.startswith("activity")])
def test_the_error_estimate_is_the_error_that_the_variance_makes_expect(name):
    kind, options, variance = VARIANCES[name]
    mode, rng = modes.resolve({kind: options}), np.random.default_rng(3)
    estimates = [gradient(mode, rng).error_estimate for _ in range(2000)]
    assert 0.8 <= np.sqrt(np.mean(np.square(estimates)) / variance) <= 1.25


def with_feedback(plan, fixed):
    return replace(plan, decision=plan.decision._replace(details=lambda: fixed))


def test_feedback_alignment_with_its_own_weights_as_feedback_is_reverse_mode():
    mode = modes.resolve("feedback_alignment")
    plan = mode.prepare(OBJECTIVE, BATCH.examples, np.float64)
    own = OBJECTIVE.network.own_parameters(PARAMETERS)
    plan = with_feedback(plan, {position: own[position] for position in plan.decision.details()})
    result = mode.value_and_gradient(OBJECTIVE, PARAMETERS, BATCH, plan, np.random.default_rng(0))
    assert np.allclose(result.gradient, EXACT, rtol=1e-13)


def test_direct_feedback_through_the_transposed_weight_is_reverse_mode():
    mode = modes.resolve("direct_feedback_alignment")
    plan = mode.prepare(OBJECTIVE, BATCH.examples, np.float64)
    weight = OBJECTIVE.network.own_parameters(PARAMETERS)[2]["weight"][0]
    plan = with_feedback(plan, {2: weight.T})
    result = mode.value_and_gradient(OBJECTIVE, PARAMETERS, BATCH, plan, np.random.default_rng(0))
    assert np.allclose(result.gradient, EXACT, rtol=1e-13)


@pytest.mark.parametrize("kind", ["feedback_alignment", "direct_feedback_alignment"])
def test_feedback_is_fixed_by_its_seed_and_leaves_the_last_layer_exact(kind):
    one, same, other = (gradient(modes.resolve({kind: {"seed": seed}})).gradient for seed in (0, 0, 1))
    assert np.array_equal(one, same)
    assert not np.allclose(one, other)
    last = OBJECTIVE.links[-1].part
    assert np.allclose(one[last], EXACT[last], rtol=1e-13)
    assert modes.get(kind).exactness is Exactness.BIASED


@pytest.mark.parametrize("kind", ["feedback_alignment", "direct_feedback_alignment"])
def test_training_by_feedback_lowers_the_loss(kind):
    mode, parameters, values = modes.resolve(kind), PARAMETERS, []
    plan = mode.prepare(OBJECTIVE, BATCH.examples, np.float64)
    for _ in range(200):
        result = mode.value_and_gradient(OBJECTIVE, parameters, BATCH, plan, np.random.default_rng(0))
        parameters = parameters - 0.1 * result.gradient
        values.append(result.value)
    assert values[-1] < values[0] / 4


def test_estimators_use_no_products_but_those_they_name():
    assert modes.get("spsa").uses == {Product.FORWARD}
    assert Product.VJP not in modes.get("random_forward").uses | modes.get("activity_perturbation").uses
