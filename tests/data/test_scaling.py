"""Features of one size."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from jactrain.arrays import Array
from jactrain.data.preparation import Scaling, ScalingName
from jactrain.errors import DataError

NAMES: list[ScalingName] = ["none", "standard", "minmax"]
every_name = pytest.mark.parametrize("name", NAMES)
inputs = arrays(np.float64, array_shapes(min_dims=2, max_dims=4), elements=st.floats(-1e6, 1e6))
X = np.array([[1.0, 10.0], [2.0, 30.0], [6.0, 20.0]])


def test_none_leaves_inputs_as_they_are() -> None:
    assert np.array_equal(Scaling.fit("none", X).apply(X), X)


def test_standard_gives_mean_zero_and_deviation_one() -> None:
    scaled = Scaling.fit("standard", X).apply(X)
    assert np.allclose(scaled.mean(axis=0), 0)
    assert np.allclose(scaled.std(axis=0), 1)


def test_minmax_gives_the_range_from_zero_to_one() -> None:
    scaled = Scaling.fit("minmax", X).apply(X)
    assert scaled.min(axis=0).tolist() == [0, 0]
    assert scaled.max(axis=0).tolist() == [1, 1]


def test_new_examples_are_scaled_by_what_was_fitted() -> None:
    assert Scaling.fit("minmax", X).apply(np.array([[11.0, 0.0]])).tolist() == [[2.0, -0.5]]


@every_name
@given(inputs)
def test_invert_undoes_apply(name: ScalingName, x: Array) -> None:
    scaling = Scaling.fit(name, x)
    # x / scale and back rounds relative to the largest number that occurs, which offset or x bounds.
    tolerance = 8 * np.finfo(np.float64).eps * np.abs(x).max()
    assert np.allclose(scaling.invert(scaling.apply(x)), x, rtol=0, atol=tolerance)


@every_name
@given(inputs)
def test_scaled_inputs_are_finite_and_parameters_have_the_shape_of_an_input(
    name: ScalingName, x: Array
) -> None:
    scaling = Scaling.fit(name, x)
    assert np.isfinite(scaling.apply(x)).all()
    assert (scaling.scale > 0).all()
    assert scaling.offset.shape == scaling.scale.shape == x.shape[1:]


@pytest.mark.parametrize("name", ["standard", "minmax"])
@pytest.mark.parametrize("value", [0.0, 0.1, -1e300])
def test_a_constant_feature_becomes_zero_with_scale_one(name: ScalingName, value: float) -> None:
    x = np.full((7, 1), value)
    scaling = Scaling.fit(name, x)
    assert scaling.scale.tolist() == [1.0]
    assert scaling.apply(x).tolist() == [[0.0]] * 7


@every_name
def test_everything_is_float64(name: ScalingName) -> None:
    scaling = Scaling.fit(name, X.astype(np.float32))
    assert {scaling.offset.dtype, scaling.scale.dtype, scaling.apply(X.astype(np.float32)).dtype} == {
        np.dtype(np.float64)
    }


@every_name
def test_inputs_are_not_modified(name: ScalingName) -> None:
    before = X.copy()
    scaling = Scaling.fit(name, X)
    scaling.invert(scaling.apply(X))
    assert np.array_equal(before, X)


@every_name
def test_no_examples_are_refused(name: ScalingName) -> None:
    with pytest.raises(DataError, match="no examples to fit a scaling to"):
        Scaling.fit(name, np.zeros((0, 2)))


@pytest.mark.parametrize("name", ["standard", "minmax"])
def test_inputs_too_large_to_compute_with_are_refused(name: ScalingName) -> None:
    with pytest.raises(DataError, match=r"inputs as large as 1.7e\+308 cannot be scaled; use smaller units"):
        Scaling.fit(name, np.array([[1.7e308], [-1.7e308]]))


def test_numbers_whose_squares_are_zero_are_scaled_to_standard_deviation_1():
    x = np.array([[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]]) * 1e-170
    scaled = Scaling.fit("standard", x).apply(x)
    np.testing.assert_allclose(scaled[:, 0].std(), 1, rtol=1e-12)
    np.testing.assert_allclose(scaled[:, 0].mean(), 0, atol=1e-12)
    assert (scaled[:, 1] == 0).all()
