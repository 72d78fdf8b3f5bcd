"""What layers draw: initial weights of the published distributions, and masks whose mean is one."""

import numpy as np
import pytest
from pydantic import ValidationError

from jactrain.layers.dropout import Dropout
from jactrain.layers.linear import Linear

INPUTS, OUTPUTS = 200, 300
# The variance of 60,000 numbers is off by at most √(2 / 60,000) = 0.6 % of itself, five times that by chance.
OFF = 0.03


def weight_of(initializer, inputs=INPUTS, outputs=OUTPUTS, seed=0):
    layer = Linear(units=outputs, initializer=initializer)
    return layer.initial_parameters(np.random.default_rng(seed), (inputs,))["weight"]


@pytest.mark.parametrize(
    ("initializer", "variance"),
    [("glorot", 2 / (INPUTS + OUTPUTS)), ("he", 2 / INPUTS), ("lecun", 1 / INPUTS), ("zeros", 0.0)],
)
def test_initial_weights_have_mean_zero_and_the_variance_of_their_source(initializer, variance):
    weight = weight_of(initializer)
    assert weight.var() == pytest.approx(variance, rel=OFF)
    assert abs(weight.mean()) <= 5 * np.sqrt(variance / weight.size)


def test_glorot_is_uniform_and_the_normal_ones_are_not():
    # The fourth moment over the squared variance: 9/5 of uniform numbers, 3 of normal ones.
    for initializer, expected in (("glorot", 1.8), ("he", 3.0), ("lecun", 3.0)):
        weight = weight_of(initializer)
        assert (weight**4).mean() / weight.var() ** 2 == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("inputs", "outputs"), [(7, 4), (4, 7), (5, 5)])
def test_orthogonal_weights_have_orthonormal_rows_or_columns(inputs, outputs):
    weight = weight_of("orthogonal", inputs, outputs)
    gram = weight.T @ weight if inputs >= outputs else weight @ weight.T
    np.testing.assert_allclose(gram, np.eye(min(inputs, outputs)), atol=1e-14)


def test_orthogonal_weights_are_drawn_uniformly():
    # A uniformly random rotation or reflection of three axes has entries of mean 0 and variance 1/3; without
    # the signs of R, a QR factorisation gives some that are always of one sign.
    drawn = np.array([weight_of("orthogonal", 3, 3, seed) for seed in range(400)])
    assert (abs(drawn.mean(0)) <= 5 * np.sqrt(1 / 3 / len(drawn))).all()


@pytest.mark.parametrize("initializer", ["glorot", "he", "lecun", "zeros", "orthogonal"])
def test_initial_biases_are_zero(initializer):
    layer = Linear(units=3, initializer=initializer)
    assert not layer.initial_parameters(np.random.default_rng(0), (4,))["bias"].any()


@pytest.mark.parametrize("rate", [0.0, 0.25, 0.5, 0.9])
def test_dropout_drops_a_share_of_the_entries_and_scales_the_others_up(rate):
    mask = Dropout(rate=rate).draw_noise(np.random.default_rng(0), (100,), 200, np.dtype(np.float64))
    assert mask.shape == (200, 100)
    np.testing.assert_allclose(mask[mask != 0], 1 / (1 - rate), rtol=1e-15)
    assert abs((mask == 0).mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / mask.size)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_dropout_of_all_entries_or_of_a_share_that_is_none_is_refused(rate):
    with pytest.raises(ValidationError, match="rate"):
        Dropout(rate=rate)
