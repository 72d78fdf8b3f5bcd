"""Sound networks that are hard to judge, none accused; and faults that show under some conditions alone."""

import numpy as np
import pytest

from jactrain.agreement.check import check, check_layers
from jactrain.agreement.compare import Verdict
from jactrain.agreement.pairs import compare_pairs
from jactrain.agreement.specimen import layer_specimen, loss_specimen, survey
from jactrain.layers import layers
from jactrain.layers.base import Placed
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.network import Network
from jactrain.objective import Batch, Objective

EXACT = ["reverse", "forward", "mixed", "complex_step", {"forward": {"seeds": "parameters"}}]
DIFFERENCES = [
    {"finite_difference": {"scheme": scheme, **more}}
    for scheme in ("forward", "central", "five_point")
    for more in ({}, {"dtype": "float64"})
]
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def linear(units, **options):
    return {"linear": {"units": units, **options}}


def objective_of(chain, inputs, loss="mean_squared_error"):
    return Objective(Network([layers.resolve(each) for each in chain], (inputs,)), losses.resolve(loss))


def accused(objective, parameters, batch, chosen=(*EXACT, *DIFFERENCES)):
    resolved = [modes.resolve(mode) for mode in chosen]
    found = check(objective, parameters, batch, resolved, np.random.default_rng(0), 60)
    wrong = (Verdict.DISAGREE, Verdict.FAILED)
    return [each for each in (*found.layers, *found.modes) if each.verdict in wrong]


@DTYPES
@pytest.mark.parametrize("zeros", ["all", "one example"])
def test_units_exactly_at_their_kink(dtype, zeros):
    chain = [{"residual": {"network": [linear(3), "relu", linear(3)]}}, "relu", linear(1)]
    for seed in range(10):
        rng = np.random.default_rng(seed)
        objective = objective_of(chain, 3)
        parameters = objective.network.initial_parameters(rng).astype(dtype)
        x = rng.standard_normal((5, 3)).astype(dtype)
        x[slice(None) if zeros == "all" else 2] = 0
        batch = Batch(x, rng.standard_normal((5, 1)).astype(dtype))
        assert not accused(objective, parameters, batch), seed


def test_a_complex_step_does_not_leave_a_kink_by_its_square():
    objective = objective_of([{"residual": {"network": [linear(1), linear(1), "relu"]}}, linear(1)], 1)
    parameters = np.array([0.7, 0, 0.8, 0, 1, 0])
    assert not accused(objective, parameters, Batch(np.zeros((1, 1)), np.ones((1, 1))), EXACT)


@pytest.mark.parametrize("offset", [0.0, 100.0, 1000.0])
@pytest.mark.parametrize("features", [2, 3, 8])
def test_inputs_of_a_normalisation_far_from_zero(offset, features):
    for seed in range(10):
        rng = np.random.default_rng(seed)
        objective = objective_of(["scale", "layer_norm", "tanh", linear(1)], features)
        parameters = objective.network.initial_parameters(rng).astype(np.float32)
        x = (offset + rng.standard_normal((4, features))).astype(np.float32)
        batch = Batch(x, rng.standard_normal((4, 1)).astype(np.float32))
        assert not accused(objective, parameters, batch, EXACT), seed


@DTYPES
@pytest.mark.parametrize(
    ("chain", "parameters", "x", "target"),
    [
        ([linear(1)], [1e-6, 1e-6], 1.3, 0.0),
        ([linear(1)], [1.0, 1000.0], 1.0, 1001.0001),
        ([linear(1)], [1.0, 0.5], 1.0, 1.5),
    ],
)
def test_differences_next_to_a_perfect_fit(dtype, chain, parameters, x, target):
    batch = Batch(np.full((1, 1), x, dtype), np.full((1, 1), target, dtype))
    assert not accused(objective_of(chain, 1), np.array(parameters, dtype), batch)


@DTYPES
@pytest.mark.parametrize("loss", ["mean_absolute_error", {"huber": {"delta": 1.0}}])
def test_a_loss_at_its_kink(dtype, loss):
    objective = objective_of([linear(2, initializer="zeros")], 3, loss)
    parameters = np.zeros(objective.network.size, dtype)
    batch = Batch(np.ones((4, 3), dtype), np.zeros((4, 2), dtype))
    assert not accused(objective, parameters, batch)


def test_duplicated_examples_dead_units_and_constant_features():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        objective = objective_of([linear(4), "relu", linear(3), "softmax", linear(2)], 3)
        parameters = objective.network.initial_parameters(rng)
        parameters[12:16] -= 100  # the first biases: no unit is ever on
        x = np.tile(rng.standard_normal((1, 3)), (16, 1))
        x[:, 1] = 7.0
        assert not accused(objective, parameters, Batch(x, rng.standard_normal((16, 2)))), seed


# ------------------------------------------------------------------- faults that show sometimes alone


def wrong(kind, rules, options=None):
    """Return a layer or loss of `kind` with other rules."""
    registry = layers if kind in layers.names() else losses
    component = registry.resolve({kind: options or {}}).model_copy()
    component.__class__ = type("Wrong", (type(component),), {"__doc__": "A wrong one.", **rules})
    return component


def named(component, examples=8, features=4, dtype=np.float64):
    rng = np.random.default_rng(0)
    shapes = component.parameter_shapes((features,))
    params = {name: rng.standard_normal((1, *shape)).astype(dtype) for name, shape in shapes.items()}
    x = rng.standard_normal((1, examples, features)).astype(dtype)
    found = layer_specimen(Placed("mine", component, params, x, None), rng).findings()
    return {finding.product for finding in found if finding.verdict is Verdict.DISAGREE}


LINEAR, TANH, GELU = (type(layers.resolve(kind)) for kind in (linear(3), "tanh", "gelu"))


def _once_wrong(rule, condition):
    """Return a rule that is a tenth too large where `condition(stack, params)` holds."""

    def spoilt(self, xp, params, residual, stack, *more, **options):
        result = rule(self, xp, params, residual, stack, *more, **options)
        by = 1.1 if condition(stack, params) else 1.0
        return {name: leaf * by for name, leaf in result.items()} if isinstance(result, dict) else result * by

    return spoilt


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("product", ["jvp", "vjp", "parameter_vjp"])
def test_a_product_that_is_wrong_for_stacks_of_one_length_alone(product, count):
    rule = _once_wrong(getattr(LINEAR, product), lambda stack, _: len(stack) == count)
    assert product in named(wrong("linear", {product: rule}, {"units": 3}))


def test_a_rule_that_writes_into_what_it_is_given():
    def vjp(self, xp, params, residual, y_bar):
        y_bar *= self.slope(xp, residual)
        return y_bar

    def jvp(self, xp, params, residual, x_dot):
        result = x_dot * self.slope(xp, residual)
        residual *= 2
        return result

    assert named(wrong("tanh", {"vjp": vjp})) == {"vjp"}
    assert "jvp" in named(wrong("tanh", {"jvp": jvp}))


def test_a_forward_that_takes_the_first_network_for_all():
    def forward(self, xp, params, x, noise=None):
        return LINEAR.forward(self, xp, {name: leaf[:1] for name, leaf in params.items()}, x, noise)

    assert "forward" in named(wrong("linear", {"forward": forward}, {"units": 3}))


@pytest.mark.parametrize("rule", ["single_jvp", "moved_forward"])
def test_a_cheaper_rule_of_another_dtype(rule):
    def promoted(self, *given):
        result = getattr(TANH, rule)(self, *given)
        return result._replace(values=result.values.astype(np.float64))

    assert named(wrong("tanh", {rule: promoted}), dtype=np.float32) == {rule}


def test_a_moved_entry_that_is_wrong_at_the_last_place_alone():
    def moved_forward(self, xp, params, x, y, noise=None):
        right = LINEAR.moved_forward(self, xp, params, x, y, noise)
        return right + 1e-3 * (x.places == x.around[0, 0].size - 1)[:, None, None]

    assert named(wrong("linear", {"moved_forward": moved_forward}, {"units": 3})) == {"moved_forward"}


def test_a_slope_that_is_wrong_for_large_inputs_alone():
    def slope(self, xp, kept):
        return GELU.slope(self, xp, kept) * xp.where(kept > 4, 1.001, 1.0)

    assert {"jvp", "vjp"} <= named(wrong("gelu", {"slope": slope}))


@pytest.mark.parametrize("examples", [1, 4, 16])
@pytest.mark.parametrize("delta", [1.0, 3.0, 10.0])
def test_a_loss_that_is_wrong_far_from_its_targets_alone(examples, delta):
    huber = type(losses.resolve("huber"))

    def slope_of(self, xp, difference):
        return huber.slope_of(self, xp, difference) * xp.where(abs(difference) > self.delta, 1.5, 1.0)

    loss = wrong("huber", {"slope_of": slope_of}, {"delta": delta})
    rng = np.random.default_rng(0)
    targets = rng.standard_normal((examples, 2))
    found = loss_specimen(loss, targets[None] + 0.1, targets, rng).findings()
    assert {each.product for each in found if each.verdict is Verdict.DISAGREE} == {"jvp", "vjp"}


def test_an_estimator_whose_units_are_at_a_kink_is_not_accused():
    objective = objective_of([linear(2), "relu", linear(1)], 1)
    rng = np.random.default_rng(3)
    parameters = objective.network.initial_parameters(rng)
    batch = Batch(np.zeros((1, 1)), np.ones((1, 1)))
    chosen = [modes.resolve(mode) for mode in ("reverse", {"spsa": {"directions": 50}})]
    found = {pair.mode: pair for pair in compare_pairs(objective, parameters, batch, chosen, rng, 60)}
    assert found["spsa(directions=50)"].verdict is not Verdict.DISAGREE


def test_a_network_of_one_layer_that_is_wrong_is_worst_first():
    rule = _once_wrong(LINEAR.vjp, lambda stack, _: len(stack) == 1)
    objective = objective_of([linear(4), "tanh", linear(2)], 3)
    chain = [link.layer for link in objective.links]
    chain[2] = wrong("linear", {"vjp": rule}, {"units": 2})
    objective = Objective(Network(chain, (3,)), objective.loss)
    rng = np.random.default_rng(0)
    parameters = objective.network.initial_parameters(rng)
    batch = Batch(rng.standard_normal((6, 3)), rng.standard_normal((6, 2)))
    worst = check_layers(*survey(objective, parameters, batch, rng))[0]
    assert (worst.layer, worst.product, worst.law) == ("linear_2", "vjp", "stacked apart")


@pytest.mark.parametrize("size", [1e6, 1e8, 1.7e9, 1e12])
@pytest.mark.parametrize("inner", ["tanh", "softmax", "relu"])
@DTYPES
def test_one_large_input_beside_small_ones_accuses_nobody(dtype, inner, size):
    """A step as large as it asks for is no small one for the others."""
    objective = objective_of([{"residual": {"network": [inner, linear(4)]}}, linear(2)], 4)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8, 4))
    x[:, 2] = size * (1 + rng.random(8))
    batch = Batch(x.astype(dtype), rng.standard_normal((8, 2)).astype(dtype))
    parameters = objective.network.initial_parameters(rng).astype(dtype)
    assert not accused(objective, parameters, batch, EXACT)
