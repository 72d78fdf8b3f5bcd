"""Tangents with a single entry: what seeds of forward mode are at first."""

import numpy as np
import pytest
from cases import LAYER_CASES
from counting import multiply_adds
from laws import point_of, require

from jactrain.layers.forms import SingleEntry


def single_entries(case, dtype, count=0):
    """Return a tangent for every entry of an input, or for the first few in turn."""
    size = int(np.prod(case.input_shape))
    places = np.arange(count or size) % size
    values = np.random.default_rng(0).standard_normal((len(places), case.examples))
    return SingleEntry(case.input_shape, places, values.astype(dtype))


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_single_jvp_is_jvp_of_the_dense_tangents(case, dtype):
    point, x_dot = point_of(case, dtype), single_entries(case, dtype)
    got = case.layer.single_jvp(np, point.params, point.residual, x_dot)
    assert isinstance(got, SingleEntry) == case.layer.single_jvp_cost(case.input_shape).moved
    dense = got.dense(np) if isinstance(got, SingleEntry) else got
    assert dense.dtype == dtype
    require(case, "single entries", "jvp", dense, point.apply("jvp", x_dot.dense(np)), dtype)


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
def test_a_tangent_more_costs_what_single_jvp_declares(case):
    point, declared = point_of(case, np.float64), case.layer.single_jvp_cost(case.input_shape)
    if declared.each == case.layer.cost(case.input_shape).jvp and not declared.moved:
        return  # the default, which goes through jvp

    def count(tangents):
        entries = single_entries(case, np.float64, tangents)
        return multiply_adds(
            lambda params, residual, values: case.layer.single_jvp(
                np, params, residual, entries._replace(values=values)
            ),
            point.params,
            point.residual,
            entries.values,
        )

    assert count(3) - count(2) == declared.each * case.examples


def test_dense_puts_the_values_in_their_places():
    entries = SingleEntry((2, 2), np.array([3, 0]), np.array([[5.0], [7.0]]))
    assert np.array_equal(entries.dense(np), [[[[0, 0], [0, 5]]], [[[7, 0], [0, 0]]]])
