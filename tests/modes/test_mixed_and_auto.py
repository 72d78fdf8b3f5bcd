import numpy as np
import pytest
from cases import NetworkCase

from jactrain.errors import UnsupportedError
from jactrain.layers import layers
from jactrain.layers.base import Layer
from jactrain.layers.forms import Cost
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.network import Network
from jactrain.objective import Batch, Objective


class PushesOnly(Layer):
    """The double, with tangents alone."""

    def cost(self, input_shape):
        return Cost(*(input_shape[0],) * 3)

    def forward(self, xp, params, x, noise=None):
        return 2 * x, None

    def jvp(self, xp, params, residual, x_dot):
        return 2 * x_dot


class ForwardOnly(Layer):
    """The double, with values alone."""

    def cost(self, input_shape):
        return Cost(*(input_shape[0],) * 3)

    def forward(self, xp, params, x, noise=None):
        return 2 * x, None


PushesOnly.kind, ForwardOnly.kind = "pushes_only", "forward_only"


def objective_with(layer):
    chain = [layers.resolve({"linear": {"units": 3}}), layer, layers.resolve({"linear": {"units": 2}})]
    return Objective(Network([*chain, layers.resolve("tanh")], (4,)), losses.resolve("mean_squared_error"))


def gradient(mode, objective):
    rng = np.random.default_rng(0)
    batch = Batch(rng.standard_normal((5, 4)), rng.standard_normal((5, 2)))
    parameters = objective.network.initial_parameters(rng)
    plan = mode.prepare(objective, 5, np.float64)
    return plan, mode.value_and_gradient(objective, parameters, batch, plan, rng)


def test_mixed_pushes_tangents_across_a_layer_without_vjp():
    objective = objective_with(PushesOnly())
    with pytest.raises(UnsupportedError, match="vjp"):
        modes.resolve("reverse").prepare(objective, 5, np.float64)
    plan, result = gradient(modes.resolve("mixed"), objective)
    assert result.work.multiply_adds == plan.multiply_adds
    assert result.work.jvp > 0
    expected = gradient(modes.resolve("complex_step"), objective)[1].gradient
    assert np.allclose(result.gradient, expected, rtol=1e-13)


def test_mixed_names_the_layer_that_neither_tangents_nor_cotangents_can_cross():
    with pytest.raises(UnsupportedError, match=r"forward_only_1 .* defines neither"):
        modes.resolve("mixed").prepare(objective_with(ForwardOnly()), 5, np.float64)


def test_auto_takes_what_is_possible_and_says_what_it_costs():
    plan, result = gradient(modes.resolve("auto"), objective_with(PushesOnly()))
    assert plan.computed_by.mode.kind == "mixed"
    assert result.work.multiply_adds == plan.multiply_adds
    assert plan.note.startswith(f"auto chose mixed: {plan.multiply_adds:,} multiply-adds and about ")
    assert "forward" in plan.note
    plan, _ = gradient(modes.resolve("auto"), objective_with(ForwardOnly()))
    assert plan.computed_by.mode.kind == "complex_step"


def test_auto_keeps_a_bound_by_checkpoints():
    deep = [{"linear": {"units": 16}}, *["tanh", {"linear": {"units": 16}}] * 12]
    case = NetworkCase("deep", deep, (16,), "mean_squared_error", 200)
    objective = case.objective()
    free = modes.resolve("auto").prepare(objective, 200, np.float64)
    assert free.computed_by.mode == modes.resolve("reverse")
    bound = free.peak_bytes * 6 // 10
    kept = modes.resolve({"auto": {"memory": bound}}).prepare(objective, 200, np.float64)
    assert kept.peak_bytes <= bound
    assert kept.computed_by.mode.kind == "reverse"
    assert kept.computed_by.mode.checkpoints != "none"


@pytest.mark.parametrize("mode", ["reverse", "forward", "mixed", "random_forward", "feedback_alignment"])
def test_nothing_is_pushed_or_pulled_through_what_lies_in_front_of_all_parameters(mode):
    chain = ["tanh", ForwardOnly(), {"linear": {"units": 2}}]
    objective = Objective(
        Network([layers.resolve(each) if not isinstance(each, Layer) else each for each in chain], (4,)),
        losses.resolve("mean_squared_error"),
    )
    plan, result = gradient(modes.resolve(mode), objective)
    assert result.work.multiply_adds == plan.multiply_adds
    if mode in ("reverse", "forward", "mixed"):
        expected = gradient(modes.resolve("complex_step"), objective)[1].gradient
        np.testing.assert_allclose(result.gradient, expected, rtol=1e-13)
