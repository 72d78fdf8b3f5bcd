import laws
import numpy as np
import pytest
from cases import LOSS_CASES, LOSSES
from laws import LOSS_LAWS, SINGLE_LOSS_LAWS

from jactrain.losses import losses

CASES = pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.name)


def test_the_table_covers_every_registered_loss():
    assert sorted(LOSSES) == losses.names()


@CASES
@pytest.mark.parametrize("law", LOSS_LAWS, ids=lambda law: law.__name__)
def test_law_holds_in_float64(case, law):
    law(case, np.float64)


@CASES
@pytest.mark.parametrize("law", SINGLE_LOSS_LAWS, ids=lambda law: law.__name__)
def test_law_holds_in_float32(case, law):
    law(case, np.float32)


@pytest.mark.parametrize("kind", LOSSES)
def test_rules_traced_by_jax_give_numpys_results(kind, jax64, quick_jit):
    cases = [case for case in LOSS_CASES if case.loss.kind == kind]
    points = [laws.loss_point_of(case, np.float64) for case in cases]
    given = [(point.z, point.targets, point.z_dot, point.value_bar) for point in points]
    traced = quick_jit(
        lambda given: [
            _everything(jax64.numpy, case.loss, *own) for case, own in zip(cases, given, strict=True)
        ]
    )(given)
    for case, own, results in zip(cases, given, traced, strict=True):
        for product, expected in _everything(np, case.loss, *own).items():
            # Slopes are differences of numbers of size one: absolute errors, not relative to what is left.
            got = np.append(np.ravel(results[product]), 1.0)
            laws.require(case, "NumPy = JAX", product, got, np.append(np.ravel(expected), 1.0))


def _everything(xp, loss, z, targets, z_dot, value_bar):
    values, residual = loss.forward(xp, z, targets)
    return {
        "forward": values,
        "slope": loss.slope(xp, residual),
        "jvp": loss.jvp(xp, residual, z_dot),
        "vjp": loss.vjp(xp, residual, value_bar),
    }
