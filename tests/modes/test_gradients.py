"""Recording many gradients gives up, and stays right, where a rule from elsewhere does not allow it."""

from typing import ClassVar

import numpy as np
import pytest
from cases import NetworkCase

from jactrain.layers import layers
from jactrain.layers.base import Layer
from jactrain.layers.elementwise import Elementwise
from jactrain.layers.forms import Cost
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.modes.gradients import Gradients
from jactrain.network import Network
from jactrain.objective import Batch, Objective

REVERSE = modes.resolve("reverse")


class Branching(Elementwise):
    """Doubles its inputs where their mean is positive."""

    def value(self, xp, x):
        return 2 * x if x.mean() > 0 else x

    def slope(self, xp, kept):
        return np.full_like(kept, 2.0 if kept.mean() > 0 else 1.0)


class Writing(Elementwise):
    """Writes into what it made."""

    def value(self, xp, x):
        y = 1 * x
        part = y[..., 1:]
        part += 1
        return y

    def slope(self, xp, kept):
        return xp.ones_like(kept)


class Counting(Elementwise):
    """Has a state: every use is another function."""

    uses: ClassVar[list[int]] = [0]

    def value(self, xp, x):
        self.uses[0] += 1
        return x * self.uses[0]

    def slope(self, xp, kept):
        return xp.full_like(kept, self.uses[0])


class Jitter(Layer):
    """Noise with a leaf that is None."""

    def cost(self, input_shape):
        return Cost(1, 1, 1)

    def draw_noise(self, rng, input_shape, examples, dtype):
        return {"factor": rng.standard_normal((examples, *input_shape)).astype(dtype), "none": None}

    def forward(self, xp, params, x, noise=None):
        factor = xp.ones_like(x) if noise is None else noise["factor"]
        return x * factor, factor

    def vjp(self, xp, params, residual, y_bar):
        return y_bar * residual


def objective_with(kind):
    kind.kind, kind.keeps = kind.__name__.lower(), "input"
    chain = [layers.resolve({"linear": {"units": 3}}), kind(), layers.resolve({"linear": {"units": 2}})]
    return Objective(Network(chain, (4,)), losses.resolve("mean_squared_error"))


def draws(objective, count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        x, targets = rng.standard_normal((5, 4)), rng.standard_normal((5, 2))
        noise = objective.network.draw_noise(rng, 5, np.float64)
        yield objective.network.initial_parameters(rng) * 3, Batch(x, targets, noise), rng


@pytest.mark.parametrize("kind", [Branching, Writing, Jitter])
def test_gradients_are_those_of_the_mode_whatever_a_rule_does(kind):
    objective = objective_with(kind)
    gradients = Gradients(REVERSE, objective)
    plan = REVERSE.prepare(objective, 5, np.float64)
    for parameters, batch, rng in draws(objective, 6):
        expected = REVERSE.value_and_gradient(objective, parameters, batch, plan, rng)
        result = gradients(parameters, batch, rng)
        assert np.array_equal(result.gradient, expected.gradient)
        assert result.value == expected.value


def test_a_rule_with_a_state_is_played_back_once_at_most():
    objective = objective_with(Counting)
    gradients = Gradients(REVERSE, objective)
    uses = []
    for parameters, batch, rng in draws(objective, 5):
        gradients(parameters, batch, rng)
        uses.append(Counting.uses[0])
    assert uses[-1] > uses[-2] > uses[-3]


def test_batches_with_noise_and_without_are_kept_apart():
    case = NetworkCase(
        "dropped",
        [{"linear": {"units": 6}}, "dropout", {"linear": {"units": 2}}],
        (3,),
        "huber",
        4,
        training=True,
    )
    objective, batch, parameters = case.objective(), case.batch(np.float64), case.parameters(np.float64)
    gradients, rng = Gradients(REVERSE, objective), np.random.default_rng(0)
    plan = REVERSE.prepare(objective, 4, np.float64)
    for each in (batch, batch._replace(noise=None), batch, batch._replace(noise=None)):
        expected = REVERSE.value_and_gradient(objective, parameters, each, plan, rng).gradient
        assert np.array_equal(gradients(parameters, each, rng).gradient, expected)


def test_results_do_not_share_what_the_next_one_changes():
    case = NetworkCase("plain", [{"linear": {"units": 2}}], (3,), "huber", 4)
    objective, batch, parameters = case.objective(), case.batch(np.float64), case.parameters(np.float64)
    gradients, rng = Gradients(REVERSE, objective), np.random.default_rng(0)
    one = gradients(parameters, batch, rng)
    kept, work = one.gradient.copy(), one.work.multiply_adds
    other = gradients(2 * parameters, batch, rng)
    other.work.multiply_adds += 1
    assert np.array_equal(one.gradient, kept)
    assert one.work.multiply_adds == work
