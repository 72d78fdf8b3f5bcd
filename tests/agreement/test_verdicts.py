"""`undecided` where nothing can be decided, and never instead of `disagree`."""

import numpy as np
import pytest

from jactrain.agreement.check import check
from jactrain.agreement.compare import Verdict, compare
from jactrain.agreement.estimates import _draw, judge
from jactrain.agreement.kinks import crossings
from jactrain.agreement.pairs import compare_pairs
from jactrain.agreement.planting import planted, scaled
from jactrain.agreement.reference import reference_of
from jactrain.agreement.specimen import loss_specimen
from jactrain.agreement.tolerance import Tolerance
from jactrain.errors import UnsupportedError, UsageError
from jactrain.layers import layers
from jactrain.layers.base import Product
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.network import Network
from jactrain.objective import Batch, Objective

FOUR = [product.value for product in Product if product is not Product.FORWARD]
L = {"linear": {"units": 3}}
SPSA, RANDOM_FORWARD = modes.resolve("spsa"), modes.resolve("random_forward")


def objective_of(*chain, loss="mean_squared_error", inputs=2):
    built = [each if not isinstance(each, str | dict) else layers.resolve(each) for each in chain]
    return Objective(Network(built, (inputs,)), losses.resolve(loss))


def point(objective, dtype=np.float64, examples=6, scale=1.0):
    rng = np.random.default_rng(1)
    parameters = (scale * objective.network.initial_parameters(rng)).astype(dtype)
    x = rng.standard_normal((examples, *objective.network.input_shape)).astype(dtype)
    targets = rng.standard_normal((examples, *objective.network.output_shape)).astype(dtype)
    return parameters, Batch(x, targets), rng


def gradient_by(mode, objective, parameters, batch):
    mode = modes.resolve(mode)
    plan = mode.prepare(objective, batch.examples, parameters.dtype)
    return mode, mode.value_and_gradient(objective, parameters, batch, plan, np.random.default_rng(0))


def compared(objective, parameters, batch, one, other):
    tolerance = Tolerance(objective, parameters, batch, np.random.default_rng(0))
    (a, first), (b, second) = (gradient_by(mode, objective, parameters, batch) for mode in (one, other))
    uncertainty = tolerance.of(a, first).with_other(tolerance.of(b, second))
    return compare(first.gradient, second.gradient, objective.network.layout, uncertainty)


def test_a_gradient_of_zero_decides_nothing():
    objective = objective_of(L)
    parameters, batch, _ = point(objective, scale=0.0)
    nothing = Batch(batch.x, 0 * batch.targets)
    found = compared(objective, parameters, nothing, "forward", "reverse")
    assert found.verdict is Verdict.UNDECIDED
    assert "zero" in found.reason


def test_saturated_units_decide_nothing_where_they_stand_but_random_inputs_do():
    objective = objective_of(L, "tanh", L)
    parameters, batch, rng = point(objective, np.float32, scale=1e4)
    pairs = compare_pairs(
        objective, parameters, batch, [modes.resolve("reverse"), modes.resolve("finite_difference")], rng, 60
    )
    in_front = pairs[0].comparison.blocks["linear_1/weight"]
    assert in_front.verdict is Verdict.UNDECIDED
    found = check(objective, parameters, batch, [modes.resolve("reverse")], rng, 60)
    assert {each.verdict for each in found.layers if each.layer == "tanh_1"} == {Verdict.AGREE}


def test_differences_in_float32_of_a_large_loss_decide_nothing():
    objective = objective_of(L, "tanh", L)
    parameters, batch, _ = point(objective, np.float32)
    # The targets are far from what any step changes: values of 1e8, of seven digits.
    x = batch.x * np.float32(1e-4)
    far = Batch(x, np.where(np.arange(6)[:, None] % 2, np.float32(1e4), np.float32(-1e4)) + 0 * batch.targets)
    found = compared(objective, parameters, far, "finite_difference", "reverse")
    assert found.blocks["linear_1/weight"].verdict is Verdict.UNDECIDED
    assert "rounding of the values" in found.reason
    assert compared(objective, parameters, far, "forward", "reverse").verdict is Verdict.AGREE


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("product", FOUR)
@pytest.mark.parametrize("scale", [1.0, 1e4, 1e-4])
def test_a_planted_error_of_a_thousandth_is_never_undecided(dtype, product, scale):
    sound = objective_of(L, "tanh", {"linear": {"units": 2}}, "relu", L)
    chain = [link.layer for link in sound.links]
    chain[2] = planted(chain[2], product, scaled(1e-3))
    objective = objective_of(*chain)
    parameters, batch, rng = point(objective, dtype, scale=scale)
    found = check(objective, parameters, batch, [modes.resolve("reverse"), modes.resolve("forward")], rng, 60)
    assert found.verdict is Verdict.DISAGREE
    assert (found.layers[0].layer, found.layers[0].product) == ("linear_2", product)


def test_a_kink_within_a_difference_sets_its_entry_apart_and_nothing_else():
    objective = objective_of({"linear": {"units": 2}}, "relu", {"linear": {"units": 1}})
    parameters, batch, _ = point(objective)
    layout = objective.network.layout
    # The first unit is exactly at its kink for the first example: every weight and bias of it crosses.
    weight = parameters[layout.slices[0]].reshape(2, 2)
    parameters[layout.slices[1]] = [-(batch.x[0] @ weight)[0], 0.3]
    counts = crossings(objective, modes.resolve("finite_difference"), parameters, batch)
    blocks = {name: counts[part] for name, part in zip(layout.names, layout.slices, strict=True)}
    assert blocks["linear_1/weight"].tolist() == [1, 0, 1, 0]
    assert blocks["linear_1/bias"].tolist() == [1, 0]
    assert not blocks["linear_2/weight"].any()
    found = compared(objective, parameters, batch, "finite_difference", "reverse")
    assert found.verdict is Verdict.AGREE
    assert found.whole.kinked == 3
    _, exact = gradient_by("reverse", objective, parameters, batch)
    _, differences = gradient_by("finite_difference", objective, parameters, batch)
    assert compare(differences.gradient, exact.gradient, layout).whole.relative_error > 1e-3  # not set apart


def test_a_kink_that_a_layer_does_not_declare_is_felt_by_the_noise_floor():
    class Undeclared(type(layers.resolve("relu"))):
        """A rectifier that says nothing of its kink."""

        def kinks(self):
            return ()

    objective = objective_of({"linear": {"units": 2}}, Undeclared(), {"linear": {"units": 1}})
    parameters, batch, _ = point(objective)
    layout = objective.network.layout
    weight = parameters[layout.slices[0]].reshape(2, 2)
    for distance in (0.0, 0.3, 0.5, 2 / 3, 0.9, 1.5):
        offset = distance * 6.06e-6
        parameters[layout.slices[1]] = [-(batch.x[0] @ weight)[0] - offset, 0.3]
        found = compared(objective, parameters, batch, "finite_difference", "reverse")
        assert found.verdict is not Verdict.DISAGREE, distance
        assert found.whole.kinked == 0


def test_a_biased_estimate_is_not_comparable_and_has_its_cosine():
    objective = objective_of(L, "tanh", L)
    parameters, batch, rng = point(objective)
    _, exact = gradient_by("reverse", objective, parameters, batch)
    mode = modes.resolve("feedback_alignment")
    found, _ = judge(mode, objective, parameters, batch, exact.gradient, 1e-14 * abs(exact.gradient), rng)
    assert found.verdict is Verdict.NOT_COMPARABLE
    assert f"{found.whole.cosine:.3g}" in found.reason
    assert found.whole.allowed is None


@pytest.mark.parametrize("kind", ["random_forward", "spsa", "activity_perturbation"])
def test_an_unbiased_estimate_agrees_and_one_that_is_a_tenth_too_long_does_not(kind):
    objective = objective_of(L, "tanh", L)
    parameters, batch, rng = point(objective)
    _, exact = gradient_by("reverse", objective, parameters, batch)
    mode = modes.resolve({kind: {"directions": 200}})
    sound, _ = judge(mode, objective, parameters, batch, exact.gradient, 1e-14 * abs(exact.gradient), rng)
    assert sound.verdict is Verdict.AGREE
    assert "±" in sound.reason
    longer, _ = judge(
        mode, objective, parameters, batch, exact.gradient / 1.1, 1e-14 * abs(exact.gradient), rng
    )
    assert longer.verdict is Verdict.DISAGREE


def test_modes_that_cannot_run_or_take_too_long_are_rows_with_their_reason():
    class ForwardAlone(type(layers.resolve("tanh"))):
        """A layer without a vjp."""

        vjp = layers.get("tanh").__mro__[2].vjp

    objective = objective_of(L, ForwardAlone(), L)
    parameters, batch, rng = point(objective)
    chosen = [modes.resolve(name) for name in ("reverse", "forward", "complex_step")]
    found = {pair.mode: pair for pair in compare_pairs(objective, parameters, batch, chosen, rng, 60)}
    assert found["reverse"].verdict is Verdict.SKIPPED
    assert "vjp" in found["reverse"].reason
    assert found["complex_step"].verdict is Verdict.AGREE
    skipped = compare_pairs(objective, parameters, batch, chosen, rng, 0)
    assert {pair.verdict for pair in skipped} == {Verdict.SKIPPED}
    assert "predicted to take" in skipped[1].reason


def test_modes_over_the_budget_are_skipped_and_those_within_it_are_not():
    objective = objective_of(L)
    parameters, batch, rng = point(objective)
    some = [modes.resolve(mode) for mode in ("reverse", "forward", "complex_step", "spsa")]

    def skipped(budget):
        pairs = compare_pairs(objective, parameters, batch, some, rng, budget)
        return {pair.mode: pair.reason for pair in pairs if pair.verdict is Verdict.SKIPPED}

    assert skipped(0).keys() == {mode.label for mode in some}
    short = skipped(1e-12)  # the first is computed, to predict what the others take
    assert short.keys() == {"forward", "complex_step", "spsa"}
    assert all("over the budget of 1e-12 s" in reason for reason in short.values())
    assert not skipped(1)
    assert not skipped(60)


def test_without_an_exact_mode_reverse_s_reason_is_told(monkeypatch):
    class Refuses:
        def __init__(self, name):
            self.name = name

        def prepare(self, *_):
            raise UnsupportedError(f"{self.name} cannot")

    monkeypatch.setattr(modes, "resolve", Refuses)
    with pytest.raises(UsageError, match="there is nothing to compare with: reverse cannot"):
        reference_of(SPSA, objective_of(L), 3, np.float64)


def test_the_error_of_a_mean_of_draws_is_the_standard_error():
    objective = objective_of(L)
    parameters, batch, _ = point(objective)
    reference = gradient_by("reverse", objective, parameters, batch)[1].gradient
    found = _draw(RANDOM_FORWARD, objective, parameters, batch, reference, np.random.default_rng(3), 4)
    plan, rng = RANDOM_FORWARD.prepare(objective, batch.examples, np.float64), np.random.default_rng(3)
    drawn = [
        RANDOM_FORWARD.value_and_gradient(objective, parameters, batch, plan, rng).gradient for _ in range(4)
    ]
    np.testing.assert_allclose(found.mean, np.mean(drawn, 0), rtol=1e-12)
    np.testing.assert_allclose(found.error, np.std(drawn, 0, ddof=1) / 2, rtol=1e-12)


@pytest.mark.parametrize("kind", ["mean_absolute_error", "huber", "mean_squared_error", "cross_entropy"])
def test_a_loss_with_more_examples_than_outputs_is_right_beside_its_kinks_too(kind):
    """Entries whose two sides lie on other pieces are set apart; the others are judged."""
    loss, rng = losses.resolve(kind), np.random.default_rng(0)
    targets = np.eye(3)[[0, 1, 2, 0, 1]] if kind == "cross_entropy" else rng.standard_normal((5, 3)) + 2
    outputs = targets + rng.choice([-3.0, 3.0], targets.shape)
    if kind == "mean_absolute_error":
        outputs[1] = targets[1] + 1e-9  # nearer than a step
    findings = loss_specimen(loss, outputs[None], targets, rng).findings()
    assert {finding.product for finding in findings} == {"jvp", "vjp"}
    assert all(finding.verdict is Verdict.AGREE for finding in findings), findings
