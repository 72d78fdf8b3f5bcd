"""Activations whose values are small to the left keep their digits there, in both dtypes."""

import math

import numpy as np
import pytest

from jactrain.layers import layers

LEFT = [-5.0, -10.0, -20.0, -40.0]


def logistic(x: float) -> float:
    return math.exp(x) / (1 + math.exp(x))


def normal_distribution(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def density(x: float) -> float:
    return math.exp(-x * x / 2) / math.sqrt(2 * math.pi)


# kind: value, slope, and what an error of half a unit in the last place of x √½, in GELU, grows to.
ACTIVATIONS = {
    "sigmoid": (logistic, lambda x: logistic(x) * logistic(-x), lambda x: 0.0),
    "silu": (lambda x: x * logistic(x), lambda x: logistic(x) * (1 + x * logistic(-x)), lambda x: 0.0),
    "gelu": (
        lambda x: x * normal_distribution(x),
        lambda x: normal_distribution(x) + x * density(x),
        lambda x: x * x,  # the condition of Φ in x, times the roundings of √½ and of the product
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("x", LEFT)
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_small_values_and_slopes_keep_their_digits(kind: str, x: float, dtype: type) -> None:
    layer, (value, slope, grown) = layers.resolve(kind), ACTIVATIONS[kind]
    given = np.full((1, 1, 1), x, dtype)
    y, residual = layer.forward(np, {}, given)
    limits = np.finfo(dtype)
    # Four roundings of half a unit each in sums and quotients, and functions that are right to two units.
    allowed = (4 + grown(x)) * float(limits.eps)
    for got, expected in ((y, value(x)), (layer.vjp(np, {}, residual, np.ones_like(y)), slope(x))):
        assert got.dtype == dtype
        assert abs(float(got.item()) - expected) <= max(allowed * abs(expected), float(limits.tiny))


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_nothing_overflows_however_far_from_zero(kind: str) -> None:
    x = np.array([[[-1e4, -1e3, -100.0, 100.0, 1e3, 1e4]]])
    layer = layers.resolve(kind)
    with np.errstate(all="raise", under="ignore"):
        y, residual = layer.forward(np, {}, x)
        slope = layer.vjp(np, {}, residual, np.ones_like(y))
    assert np.allclose(y, [[[0, 0, 0, 1, 1, 1]]] if kind == "sigmoid" else np.maximum(x, 0), atol=1e-40)
    assert np.isfinite(slope).all()


def test_the_logistic_function_reaches_its_limits_and_passes_nan() -> None:
    y, _ = layers.resolve("sigmoid").forward(np, {}, np.array([[[-np.inf, 0.0, np.inf, np.nan]]]))
    assert y.ravel()[:3].tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(y.ravel()[3])


@pytest.mark.parametrize(
    ("kind", "limits"),
    [("softplus", [0, 0, 1e3, 1e4]), ("elu", [-1, -1, 1e3, 1e4]), ("tanh", [-1, -1, 1, 1])],
)
def test_others_do_not_overflow_either_and_have_their_limits(kind: str, limits: list[float]) -> None:
    layer = layers.resolve(kind)
    with np.errstate(all="raise", under="ignore"):
        y, residual = layer.forward(np, {}, np.array([[[-1e4, -1e3, 1e3, 1e4]]]))
        slope = layer.vjp(np, {}, residual, np.ones_like(y))
    assert y.ravel().tolist() == limits
    assert slope.ravel().tolist() == [0, 0, *([0, 0] if kind == "tanh" else [1, 1])]


def test_softmax_of_numbers_of_any_size_is_that_of_their_differences() -> None:
    layer = layers.resolve("softmax")
    with np.errstate(all="raise", under="ignore"):
        found = [layer.forward(np, {}, np.array([[[0.0, 1.0, -2000.0]]]) + at)[0] for at in (0, 1e4, -1e4)]
    np.testing.assert_allclose(found[0].ravel(), [logistic(-1), logistic(1), 0], rtol=1e-14)
    for y in found[1:]:
        np.testing.assert_allclose(y, found[0], rtol=1e-11)
