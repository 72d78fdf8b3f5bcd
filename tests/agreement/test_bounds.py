"""What is allowed is what the words beside it say: neither less, nor so much that errors pass."""

import math

import numpy as np
import pytest

from jactrain.agreement.derivative import Derivative, derivative_of
from jactrain.agreement.differences import noise_floor
from jactrain.agreement.examination import Examination
from jactrain.agreement.rounding import allowed, losses_spread, norm, reason, shaken_by, spread, terms_of
from jactrain.agreement.shaken import ShakenArray, Shaker
from jactrain.agreement.tolerance import Tolerance, Uncertainty
from jactrain.layers import layers
from jactrain.layers.base import Placed
from jactrain.layers.elementwise import Elementwise
from jactrain.linearization import Work
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.modes.base import Exactness, GradientResult
from jactrain.modes.finite_difference import SCHEMES
from jactrain.network import Network
from jactrain.objective import Batch, Objective

EPSILON = float(np.finfo(np.float64).eps)


def objective_of(*chain, inputs=3, loss="mean_squared_error"):
    return Objective(Network([layers.resolve(each) for each in chain], (inputs,)), losses.resolve(loss))


def point(objective, dtype=np.float64, examples=6):
    rng = np.random.default_rng(1)
    parameters = objective.network.initial_parameters(rng).astype(dtype)
    x = rng.standard_normal((examples, *objective.network.input_shape)).astype(dtype)
    targets = rng.standard_normal((examples, *objective.network.output_shape)).astype(dtype)
    return parameters, Batch(x, targets)


SMOOTH = objective_of({"linear": {"units": 4}}, "tanh", {"linear": {"units": 2}})


# ------------------------------------------------------------------------------- derivatives of values


def differences(function, size=1.0, terms=4, level=0.0, **more):
    return derivative_of(lambda step: function(np.array([[step]])), False, size, terms, level, **more)


@pytest.mark.parametrize(("size", "h"), [(0.2, EPSILON ** (1 / 3)), (7.0, 7 * EPSILON ** (1 / 3))])
def test_central_differences_doubt_what_their_truncation_may_be(size, h):
    # near - far = 3 h², twice; near - short = (1 - 1/256) h²; a quartic shows in second differences alone.
    for function, value, doubt in (
        (lambda t: t, 1.0, 0.0),
        (lambda t: (t / h) ** 2, 0.0, 0.0),
        (lambda t: t**3 / h**2, 1.0, 7 - 1 / 256),
        (lambda t: t**4 / h**3, 0.0, 12.0),
    ):
        found = differences(function, size)
        np.testing.assert_allclose(found.values, value, atol=1e-9)
        np.testing.assert_allclose(found.error, doubt, atol=1e-9)


@pytest.mark.parametrize("terms", [4, 25])
def test_central_differences_doubt_what_rounds_their_values(terms):
    for size in (1.0, 7.0):
        found = differences(lambda t: t, size, terms, 1e3)
        expected = 4 * EPSILON * math.sqrt(terms) * 1e3 / (EPSILON ** (1 / 3) * size)
        np.testing.assert_allclose(found.error, expected, rtol=1e-3)


def test_differences_over_a_kink_are_set_apart():
    assert differences(abs).apart.all()
    assert not differences(np.sin).apart.any()
    h = EPSILON ** (1 / 3)
    for beyond, apart in ((1.9 * h, True), (2.1 * h, False)):
        crossed = np.ones((1, 1), bool)
        found = differences(np.sin, crossed=lambda step, at=beyond: crossed & (step > at))  # noqa: B023
        assert found.apart.all() == apart


def test_complex_steps_have_no_error_but_underflow():
    found = derivative_of(lambda step: np.exp(2 * np.array([[step]])), True, 1.0, 4, 1.0)
    assert found.values == 2
    assert found.error == pytest.approx(4 * np.finfo(np.float64).tiny / 1e-170)
    assert not found.apart.any()


# ----------------------------------------------------------------------------------- what rounding does


def test_numbers_that_are_shaken_once_spread_as_uniform_changes_do():
    x = np.full(20_000, 3.0)
    for dtype in (np.float32, np.float64):
        found = spread(lambda s: x if s is None else np.asarray(s(x)), dtype, np.random.default_rng(0))
        assert math.sqrt((found**2).mean()) == pytest.approx(3 / math.sqrt(3), rel=0.02)
        # Of eight samples: the mean of them, so that single entries do not lie far from it.
        assert found.std() / found.mean() == pytest.approx(math.sqrt(4 / 5 / 4 / 8), rel=0.15)


def test_what_overflows_has_no_bound():
    found = spread(lambda s: np.array([1.0, np.inf if s else 1.0]), np.float64, np.random.default_rng(0))
    assert found[1] == np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("scale", [1, 100])
def test_the_losses_of_the_examples_spread_by_about_themselves(scale, dtype):
    """A relative change of 1 of all numbers moves a squared error by a few of it, and ε by ε of it."""
    objective = objective_of({"linear": {"units": 4}}, "tanh", {"linear": {"units": 3}})
    parameters, batch = point(objective)
    batch = batch._replace(targets=scale * batch.targets)
    own = objective.losses(parameters[None], batch, Work())[0]
    found = losses_spread(objective, parameters, batch, dtype, np.random.default_rng(0))
    assert found.shape == own.shape == (6,)  # an example each, not an entry of the outputs
    assert (found > own / 10).all()
    assert (found < own * 10).all()


def test_rounding_is_allowed_by_the_formula_that_is_told():
    level, terms = np.array([3.0, 4.0]), 9
    for dtype, epsilon in ((np.float32, 2.0**-23 + 2.0**-52), (np.float64, 2.0**-51)):
        assert allowed(level, dtype, terms) == pytest.approx(4 * 3 * 5 * epsilon, rel=1e-12)
        tiny = float(np.finfo(dtype).tiny)
        assert allowed(0 * level, dtype, terms) == pytest.approx(4 * 3 * tiny * math.sqrt(2))
        assert shaken_by(dtype) == 4 * np.finfo(dtype).eps
    assert reason(np.float32, 9) == "rounding: 4 ε √9 in float32, as amplified by the rule"


def test_a_norm_does_not_overflow_or_vanish():
    assert norm(np.array([3e-200, -4e-200])) == pytest.approx(5e-200)
    assert norm(np.array([[3e200], [-4e200]])) == pytest.approx(5e200)
    assert norm(np.zeros(2)) == norm(np.zeros(0)) == 0
    assert norm(np.array([1.0, -np.inf])) == np.inf
    assert math.isnan(norm(np.array([1.0, np.nan])))


@pytest.mark.parametrize(
    ("chain", "examples", "terms"),
    [
        ([{"linear": {"units": 5}}], 2, 5 + 4),  # sums over the wider side: forward's or a product's
        ([{"linear": {"units": 2}}], 2, 3 + 4),
        ([{"linear": {"units": 5}}, "tanh"], 20, 20 + 4),  # over the examples
        ([{"linear": {"units": 3}}, "layer_norm"], 1, 4 + 4),  # four multiply-adds a feature
    ],
    ids=str,
)
def test_terms_are_the_longest_sum_and_a_few_roundings_besides(chain, examples, terms):
    assert terms_of(objective_of(*chain), examples) == terms


# ------------------------------------------------------------------------------------------ shaken arrays

BY = 1e-3


def shaken(array, seed=0):
    return Shaker(np.random.default_rng(seed), BY).on(np.asarray(array))


def moved(result, expected):
    """Return whether every number is moved, by no more than a shake of 1 part in 1000."""
    change = abs(np.asarray(result) / expected - 1)
    assert change.max() <= BY * (1 + 1e-9)
    return bool((change > 0).all())


def test_every_number_is_moved_to_either_side_by_a_part_of_itself():
    x = np.full(10_000, -5.0)
    change = np.asarray(shaken(x)) / x - 1
    assert abs(change).max() <= BY
    assert change.std() == pytest.approx(BY / math.sqrt(3), rel=0.03)
    assert abs(change.mean()) <= 5 * change.std() / 100


def test_operations_that_round_shake_and_others_do_not():
    array = shaken(np.arange(1.0, 7.0).reshape(2, 3))
    plain = np.array(np.asarray(array))
    assert moved(array + 1, plain + 1)
    assert moved(2 * array, 2 * plain)
    assert moved(np.exp(array), np.exp(plain))
    assert moved(array @ plain.T, plain @ plain.T)
    assert moved(plain @ array.T, plain @ plain.T)
    assert moved(np.einsum("ij,kj->ik", array, plain), plain @ plain.T)
    assert moved(np.dot(array, plain.T), plain @ plain.T)
    assert moved(array.sum(0), plain.sum(0))
    for same, expected in (
        (-array, -plain),
        (abs(array), plain),
        (np.maximum(array, 0), plain),
        (array.T, plain.T),
        (array[:, 1:], plain[:, 1:]),
        (np.concatenate([array, array]), np.concatenate([plain, plain])),
        (np.where(plain > 2, array, 0), np.where(plain > 2, plain, 0)),
    ):
        assert isinstance(same, ShakenArray)
        assert np.array_equal(same, expected)
        assert moved(3 * same[same != 0], 3 * expected[expected != 0])  # what is made of it is shaken on


def test_what_is_no_floating_point_number_is_not_shaken():
    counts = np.arange(4)
    assert shaken(counts) is counts
    compared = shaken(np.ones(4)) > 0.5
    assert compared.dtype == bool
    assert compared.all()


# ----------------------------------------------------------------------------------- finite differences


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_the_rounding_of_differences_is_that_of_values_over_the_step(scheme, dtype):
    mode, (parameters, batch) = modes.resolve({"finite_difference": {"scheme": scheme}}), point(SMOOTH, dtype)
    power, epsilon = SCHEMES[scheme].step_power, float(np.finfo(dtype).eps)
    steps = epsilon**power * np.maximum(1, abs(parameters))
    weights = sum(map(abs, SCHEMES[scheme].weights))
    losses = np.full(6, 2.0)  # of six examples: the mean is off by a root of six less
    floor = noise_floor(mode, SMOOTH, parameters, batch, 0 * parameters, losses)
    # Steps are rounded where they are added: to half of ε over a step of float32's five points.
    np.testing.assert_allclose(floor.rounding, weights * epsilon * 2 / math.sqrt(6) / steps, rtol=0.01)
    with_gradient = noise_floor(mode, SMOOTH, parameters, batch, 1 + 0 * parameters, losses)
    np.testing.assert_allclose(
        with_gradient.rounding - floor.rounding, 4 * epsilon ** (1 - power), rtol=1e-3, atol=1e-13
    )


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_truncation_of_differences_is_bounded_and_not_by_much_more_than_it_is(scheme, dtype):
    parameters, batch = point(SMOOTH)
    mode = modes.resolve({"finite_difference": {"scheme": scheme, "dtype": dtype}})
    plan = modes.resolve("reverse").prepare(SMOOTH, 6, np.float64)
    exact = modes.resolve("reverse").value_and_gradient(SMOOTH, parameters, batch, plan, None).gradient
    steps = mode.steps(np, parameters.astype(dtype)).astype(np.float64)
    # The truncation itself: the scheme's quotients with these steps in float64.
    here, quotients = SMOOTH.losses(parameters[None], batch, Work()), 0.0
    for offset, weight in zip(*SCHEMES[scheme][:2], strict=True):
        there = parameters + offset * np.diag(steps)  # one parameter moved in each row
        quotients += weight * (SMOOTH.losses(there, batch, Work()) - here).mean(1) / steps
    off = abs(quotients - exact)
    floor = noise_floor(mode, SMOOTH, parameters, batch, exact, np.zeros(6))
    noise = 20 * EPSILON / steps.min()  # of the quotients here
    assert (off <= floor.truncation + noise).all()
    assert norm(floor.truncation) <= 8 * norm(off) + 100 * noise + 1e-9


def test_five_points_in_float64_are_no_worse_than_what_others_are_measured_by():
    parameters, batch = point(SMOOTH)
    _, exact = gradient_by("reverse", SMOOTH, parameters, batch)
    floors = {
        scheme: noise_floor(
            modes.resolve({"finite_difference": {"scheme": scheme}}),
            SMOOTH,
            parameters,
            batch,
            exact.gradient,
            np.zeros(6),
        )
        for scheme in ("central", "five_point")
    }
    assert norm(floors["five_point"].truncation) < norm(floors["central"].truncation) / 4


class Square(Elementwise):
    """The square of every entry."""

    keeps = "input"

    def value(self, xp, x):
        return x * x

    def slope(self, xp, kept):
        return 2 * kept


Square.kind = "square"


@pytest.mark.parametrize(("scheme", "doubt"), [("forward", 14 + 12), ("central", 12), ("five_point", 0)])
def test_the_truncation_of_a_quartic_is_doubted_as_far_as_the_scheme_sees_it(scheme, doubt):
    # θ⁴ at 0 in steps of h: quotients of h³ and 8 h³ on one side, and second differences that miss by 12 h³.
    chain = [layers.resolve({"linear": {"units": 1, "bias": False}}), Square()]
    objective = Objective(Network(chain, (1,)), losses.resolve("mean_squared_error"))
    parameters, batch = np.zeros(1), Batch(np.ones((1, 1)), np.zeros((1, 1)))
    here = float(objective.losses(np.ones((1, 1)), batch, Work())[0, 0])
    mode = modes.resolve({"finite_difference": {"scheme": scheme}})
    h = EPSILON ** SCHEMES[scheme].step_power
    for losses_off in (0.0, 1.0):  # what rounds the values is told apart
        floor = noise_floor(mode, objective, parameters, batch, parameters, np.full(1, losses_off))
        np.testing.assert_allclose(floor.truncation, here * doubt * h**3, rtol=1e-3, atol=1e-25)


def test_the_reason_says_which_part_of_the_noise_floor_is_larger():
    parameters, batch = point(SMOOTH)
    for scale, told in ((1, "rounding of the values"), (10, "truncation")):
        larger = batch._replace(x=batch.x * scale)
        tolerance = Tolerance(SMOOTH, parameters, larger, np.random.default_rng(0))
        mode, result = gradient_by("finite_difference", SMOOTH, parameters, larger)
        reason = tolerance.of(mode, result).reason
        assert reason == f"noise floor of central differences in float64, mostly {told}"


# ---------------------------------------------------------------------------------------------- tolerance


def test_two_gradients_may_differ_by_both_errors_and_the_farther_one_gives_the_reason():
    small = Uncertainty(np.array([1.0, 0.0]), "small", np.array([0, 1]))
    large = Uncertainty(np.array([0.5, 2.0]), "large", np.array([1, 1]))
    for both in (small.with_other(large), large.with_other(small)):
        assert both.entries.tolist() == [1.5, 2.0]
        assert both.crossings.tolist() == [1, 2]
        assert both.reason == "large"


def gradient_by(mode, objective, parameters, batch):
    mode = modes.resolve(mode)
    plan = mode.prepare(objective, batch.examples, parameters.dtype)
    return mode, mode.value_and_gradient(objective, parameters, batch, plan, np.random.default_rng(0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
def test_an_exact_gradient_may_be_off_by_what_rounding_in_its_dtype_is_amplified_to(dtype):
    parameters, batch = point(SMOOTH, dtype)
    tolerance = Tolerance(SMOOTH, parameters, batch, np.random.default_rng(0))
    mode, result = gradient_by("reverse", SMOOTH, parameters, batch)
    found = tolerance.of(mode, result)
    factor = 4 * float(np.finfo(dtype).eps) * math.sqrt(tolerance.terms)
    np.testing.assert_allclose(found.entries, factor * tolerance.spread.gradient, rtol=1e-12)
    times = norm(tolerance.spread.gradient) / norm(result.gradient.astype(np.float64))
    assert found.reason == reason(dtype, tolerance.terms, f"amplified {times:.2g} times on the way")
    assert found.crossings.tolist() == [0] * len(parameters)


def test_what_a_mode_loses_below_the_smallest_numbers_is_allowed():
    objective = objective_of({"linear": {"units": 1, "bias": False}}, inputs=1)
    parameters, batch = np.zeros(1), Batch(np.zeros((1, 1)), np.zeros((1, 1)))
    tolerance = Tolerance(objective, parameters, batch, np.random.default_rng(0))
    tiny = 4 * float(np.finfo(np.float64).tiny) * tolerance.terms
    mode, result = gradient_by("reverse", objective, parameters, batch)
    assert tolerance.of(mode, result).entries.tolist() == [tiny]
    mode, result = gradient_by("complex_step", objective, parameters, batch)
    assert tolerance.of(mode, result).entries == pytest.approx(tiny / float(np.finfo(float).tiny) ** 0.125)


class Cut(type(modes.resolve("mixed"))):
    """Says that it cuts off a series."""

    exactness = Exactness.TRUNCATED


Cut.kind = "cut"


def test_a_truncated_mode_from_elsewhere_is_believed():
    parameters, batch = point(SMOOTH)
    tolerance = Tolerance(SMOOTH, parameters, batch, np.random.default_rng(0))
    for told, error in ((0.3, 0.3), (None, math.inf)):
        found = tolerance.of(Cut(), GradientResult(0.0, parameters, Work(), told))
        assert norm(found.entries) == pytest.approx(error)
        assert len(set(found.entries.tolist())) == 1
        assert found.reason == "the error that cut estimates of itself"


def test_rounding_moves_an_estimate_from_values_by_the_spread_of_the_losses_over_its_step():
    parameters, batch = point(SMOOTH)
    tolerance = Tolerance(SMOOTH, parameters, batch, np.random.default_rng(0))
    for step in (1e-2, 1e-4):
        moved = tolerance.of_draws(modes.resolve({"spsa": {"step": step}}))
        expected = 4 * EPSILON * math.sqrt(tolerance.terms) * norm(tolerance.spread.losses) / 6 / step
        assert moved == pytest.approx(expected, rel=1e-12)
    assert tolerance.of_draws(modes.resolve("random_forward")) == 0


# --------------------------------------------------------------------------------- analytic extensions


def test_complex_steps_may_differ_from_differences_by_twice_the_errors_of_both_or_a_hundredth():
    layer = layers.resolve("tanh")
    place = Placed("mine", layer, {}, np.zeros((1, 2, 3)), None)
    examination = Examination(place, np.random.default_rng(0))
    zeros, ones, all_apart = np.zeros((3, 2, 3)), np.ones((3, 2, 3)), np.ones((3, 2, 3), bool)

    def allowed_for(values, of_truth, of_extension, apart=~all_apart):
        extended = Derivative(values, of_extension, ~all_apart)
        return examination.extension_error(extended, Derivative(values, of_truth, apart))

    length = math.sqrt(18)
    assert allowed_for(zeros, 3 * ones, zeros) == pytest.approx(2 * 3 * length)
    assert allowed_for(zeros, 3 * ones, ones) == pytest.approx(2 * (3 + 1) * length)
    assert allowed_for(5 * ones, 3e-9 * ones, zeros) == pytest.approx(0.05 * length)
    assert allowed_for(5 * ones, 0.1 * ones, zeros) == pytest.approx(0.2 * length, rel=1e-6)
    assert allowed_for(5 * ones, ones, 0.2 * ones, all_apart) == pytest.approx(0.4 * length)
