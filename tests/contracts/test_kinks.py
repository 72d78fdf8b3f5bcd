"""The value that each rule chooses where it has none of its own, as its docstring says."""

import numpy as np
import pytest

from jactrain.layers import layers
from jactrain.losses import losses

AT_ZERO = np.zeros((1, 1, 1))


def _slope_at_zero(layer):
    _, residual = layer.forward(np, {}, AT_ZERO)
    up, down = (product(np, {}, residual, np.ones((1, 1, 1))).item() for product in (layer.jvp, layer.vjp))
    assert up == down
    return up


@pytest.mark.parametrize(
    ("value", "slope"),
    [
        ("relu", 0.0),
        ("leaky_relu", 0.01),
        ({"leaky_relu": {"negative_slope": 0.3}}, 0.3),
        ("elu", 1.0),
        ({"elu": {"alpha": 0.3}}, 0.3),
    ],
    ids=str,
)
def test_layer_takes_its_lower_slope_at_zero(value, slope):
    assert _slope_at_zero(layers.resolve(value)) == slope


@pytest.mark.parametrize("zero", [0.0, -0.0])
@pytest.mark.parametrize("kind", ["relu", "leaky_relu", "elu"])
def test_complex_step_at_zero_takes_the_same_slope(kind, zero):
    layer = layers.resolve(kind)
    step = np.full((1, 1, 1), complex(zero, 1e-40))
    assert layer.forward(np, {}, step)[0].imag.item() / 1e-40 == pytest.approx(
        _slope_at_zero(layer), rel=1e-15
    )


def test_mean_absolute_error_has_slope_zero_at_zero():
    loss = losses.resolve("mean_absolute_error")
    values, residual = loss.forward(np, np.zeros((1, 1, 2)), np.zeros((1, 2)))
    assert values.item() == 0
    assert np.array_equal(loss.slope(np, residual), np.zeros((1, 1, 2)))


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("delta", [0.4, 1.0, 3.0])
def test_huber_and_its_slope_are_continuous_at_delta(delta, side):
    loss = losses.resolve({"huber": {"delta": delta}})
    points = side * delta * np.array([1 - 1e-9, 1, 1 + 1e-9])
    values, residual = loss.forward(np, points.reshape(3, 1, 1), np.zeros((1, 1)))
    assert np.allclose(values, delta**2 / 2, rtol=1e-8)
    slopes = loss.slope(np, residual).ravel()
    assert np.allclose(slopes, side * delta, rtol=1e-8)
    assert slopes[1] == side * delta
