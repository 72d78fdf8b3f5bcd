from functools import partial

import laws
import numpy as np
import pytest
from cases import LAYER_CASES, LAYERS, map_tree
from laws import LAYER_LAWS, SINGLE_LAWS

from jactrain.arrays import leaves
from jactrain.layers import layers
from jactrain.layers.forms import Moved

CASES = pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)


def test_the_table_covers_every_registered_layer():
    assert sorted(LAYERS) == layers.names()


@CASES
@pytest.mark.parametrize("law", LAYER_LAWS, ids=lambda law: law.__name__)
def test_law_holds_in_float64(case, law):
    law(case, np.float64)


@CASES
@pytest.mark.parametrize("law", SINGLE_LAWS, ids=lambda law: law.__name__)
def test_law_holds_in_float32(case, law):
    law(case, np.float32)


@CASES
def test_initial_parameters_have_the_declared_shapes_and_follow_from_the_generator(case):
    first, again = (
        case.layer.initial_parameters(np.random.default_rng(5), case.input_shape) for _ in range(2)
    )
    assert map_tree(np.shape, first) == case.layer.parameter_shapes(case.input_shape)
    for (_, one), (_, other) in zip(leaves(first), leaves(again), strict=True):
        assert one.dtype == np.float64
        assert np.isfinite(one).all()
        assert np.array_equal(one, other)


@CASES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_follows_from_the_generator(case, dtype):
    first, again = (
        case.layer.draw_noise(np.random.default_rng(5), case.input_shape, 4, np.dtype(dtype))
        for _ in range(2)
    )
    for (path, one), (again_path, other) in zip(leaves(first), leaves(again), strict=True):
        assert path == again_path
        assert np.array_equal(one, other)
        assert one is None or one.dtype == dtype


@pytest.mark.parametrize("kind", LAYERS)
def test_rules_traced_by_jax_give_numpys_results(kind, jax64, quick_jit):
    """One XLA program for all cases of a kind: every rule, unchanged, over `jax.numpy`."""
    points = [laws.point_of(case, np.float64) for case in LAYER_CASES if case.layer.kind == kind]
    given = [_given(point) for point in points]
    traced = quick_jit(
        lambda given: [_everything(jax64.numpy, *pair) for pair in zip(points, given, strict=True)]
    )(given)
    for point, results in zip(points, traced, strict=True):
        for product, expected in _everything(np, point, _given(point)).items():
            laws.require(point.case, "NumPy = JAX", product, map_tree(np.asarray, results[product]), expected)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_nan_passes_compiled_rules_where_it_passes_numpys(kind, jax64):
    """So that both engines see a divergence at the same step: compilers may drop what is multiplied by 0."""
    for case in (case for case in LAYER_CASES if case.layer.kind == kind):
        point = laws.point_of(case, np.float64, vectors=1)
        lost = np.full_like(point.x_dot, np.nan), np.full_like(point.y_bar, np.nan)
        given = point.params, point.x, point.noise, *lost
        traced = jax64.jit(partial(_pushed_and_pulled, jax64.numpy, point.layer))(*given)
        for own, compiled in zip(_pushed_and_pulled(np, point.layer, *given), traced, strict=True):
            assert np.array_equal(np.isnan(compiled), np.isnan(own)), case.name


def _pushed_and_pulled(xp, layer, params, x, noise, x_dot, y_bar):
    _, residual = layer.forward(xp, params, x, noise)
    return layer.jvp(xp, params, residual, x_dot), layer.vjp(xp, params, residual, y_bar)


def _given(point):
    return point.params, point.x, point.noise, point.x_dot, point.y_bar, point.dots


def _everything(xp, point, given):
    """Every rule of a layer over `xp`; the parameters' rules where it has parameters."""
    params, x, noise, x_dot, y_bar, dots = given
    layer = point.layer
    y, residual = layer.forward(xp, params, x, noise)
    results = {
        "forward": y,
        "jvp": layer.jvp(xp, params, residual, x_dot),
        "vjp": layer.vjp(xp, params, residual, y_bar),
    }
    if params:
        results["parameter_jvp"] = layer.parameter_jvp(xp, params, residual, dots)
        results["parameter_vjp"] = layer.parameter_vjp(xp, params, residual, y_bar)
        results["per_example"] = layer.parameter_vjp(xp, params, residual, y_bar, per_example=True)
    moved = laws.moved_inputs(point, np.float64)
    outputs = layer.moved_forward(xp, params, Moved(x, *moved[1:]), y, noise)
    results["moved_forward"] = outputs.dense(xp) if isinstance(outputs, Moved) else outputs
    # A chain hands on the path of a leaf; its first and last leaf go through all of its branches.
    places = list(leaves(point.params))
    for path, leaf in dict([*places[:1], *places[-1:]]).items():
        indices = xp.arange(leaf.size)
        steps = xp.linspace(0.1, 0.2, leaf.size)
        moved = layer.perturbed_forward(xp, params, x, noise, path, indices, steps)
        results[f"perturbed_forward of {'/'.join(path)}"] = moved
    return results
