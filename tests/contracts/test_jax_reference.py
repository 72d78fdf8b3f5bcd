"""Values and gradients equal JAX's own, of the formulas that the table of cases states independently."""

import numpy as np
import pytest
from cases import LAYER_CASES, LAYERS, LOSS_CASES, LOSSES, MODE_CASES, NETWORKS, map_tree
from laws import loss_point_of, point_of, relative_error

# JAX evaluates other expressions by other elementary functions, each good to a few ulp, and differentiates
# them by itself: 1e-12 leaves room for cancellation of three digits.
ALLOWED = 1e-12


def _agree(name, product, got, expected, scale=0.0):
    """`scale` is that of the terms, where they may cancel to less, or to nothing."""
    pad = {"pad": np.array(scale)}
    error = relative_error({"is": got, **pad}, {"is": map_tree(np.asarray, expected), **pad})
    assert error <= ALLOWED, f"{name}: {product} is off JAX's by {error:.2g}, allowed {ALLOWED:.2g}"


@pytest.mark.parametrize("kind", LAYERS)
def test_layer_equals_jax_differentiating_its_formula(kind, jax64, quick_jit):
    points = [point_of(case, np.float64) for case in LAYER_CASES if case.layer.kind == kind]

    def differentiate(layer, params, x, noise, x_dot, y_bar, dots):
        def formula(params, x):
            return LAYERS[kind].formula(jax64, layer, params, x, noise)

        y, pull = jax64.vjp(formula, params, x)
        zeros, still = map_tree(jax64.numpy.zeros_like, params), jax64.numpy.zeros_like(x)
        pushed = jax64.vmap(lambda row: jax64.jvp(formula, (params, x), (zeros, row))[1])(x_dot)
        if not params:
            return y, jax64.vmap(pull)(y_bar), pushed, None
        moved = jax64.vmap(lambda row: jax64.jvp(formula, (params, x), (row, still))[1])(dots)
        return y, jax64.vmap(pull)(y_bar), pushed, moved

    given = [(_one(p.params), p.x[0], p.noise, p.x_dot, p.y_bar, p.dots) for p in points]
    traced = quick_jit(
        lambda given: [differentiate(p.layer, *own) for p, own in zip(points, given, strict=True)]
    )(given)
    for point, (y, bars, pushed, moved) in zip(points, traced, strict=True):
        name = point.case.name
        _agree(name, "forward", point.y[0], y)
        theta_bars, x_bars = bars
        _agree(name, "jvp", point.apply("jvp"), pushed, scale=1.0)
        _agree(name, "vjp", point.apply("vjp"), x_bars, scale=1.0)
        if point.params:
            _agree(name, "parameter_jvp", point.apply("parameter_jvp"), moved, scale=1.0)
            _agree(name, "parameter_vjp", point.apply("parameter_vjp"), theta_bars)


def _one(params):
    return map_tree(lambda leaf: leaf[0], params)


@pytest.mark.parametrize("kind", LOSSES)
def test_loss_equals_jax_differentiating_its_formula(kind, jax64, quick_jit):
    cases = [case for case in LOSS_CASES if case.loss.kind == kind]
    points = [loss_point_of(case, np.float64) for case in cases]

    def differentiate(loss, z, targets):
        def formula(z):
            return LOSSES[kind].formula(jax64, loss, z, targets)

        return formula(z), jax64.grad(lambda z: formula(z).sum())(z)

    losses = [case.loss for case in cases]
    results = quick_jit(
        lambda pairs: [differentiate(loss, *pair) for loss, pair in zip(losses, pairs, strict=True)]
    )([(point.z[0], point.targets) for point in points])
    for case, point, (values, slope) in zip(cases, points, results, strict=True):
        _agree(case.name, "forward", point.values[0], values, scale=1.0)
        _agree(case.name, "slope", case.loss.slope(np, point.residual)[0], slope, scale=1.0)


@pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.name)
def test_gradient_equals_jax_grad_of_the_formulas(case, jax64, quick_jit):
    objective, batch, parameters = case.objective(), case.batch(np.float64), case.parameters(np.float64)

    def formula(flat, batch):
        x = batch.x
        tree, noise = _one(objective.network.layout.views(flat[None])), batch.noise or {}
        for link in objective.links:
            own = tree.get(link.name, {}), x, noise.get(link.name)
            x = LAYERS[link.layer.kind].formula(jax64, link.layer, *own)
        return LOSSES[objective.loss.kind].formula(jax64, objective.loss, x, batch.targets).mean()

    value, gradient = quick_jit(jax64.value_and_grad(formula))(parameters, batch)
    mode = MODE_CASES["reverse()"]
    plan = mode.prepare(objective, batch.examples, np.float64)
    result = mode.value_and_gradient(objective, parameters, batch, plan, None)
    _agree(case.name, "value", result.value, value)
    _agree(case.name, "gradient", result.gradient, gradient)
