"""What the check says it would have caught is what it catches."""

import numpy as np
import pytest
from cases import LAYER_CASES, LOSS_CASES
from random_networks import random_case

from jactrain.agreement.check import check_layers
from jactrain.agreement.compare import Verdict
from jactrain.agreement.planting import planted, scaled
from jactrain.agreement.specimen import layer_specimen, loss_specimen, survey
from jactrain.layers.base import Placed
from jactrain.network import Network
from jactrain.objective import Objective

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])


def caught(specimen, product, size):
    wrong = planted(specimen.component, product, scaled(size))
    return any(each.verdict is Verdict.DISAGREE for each in specimen.findings(product, wrong))


@pytest.mark.parametrize("case", LAYER_CASES, ids=lambda case: case.name)
@DTYPES
def test_the_sensitivity_of_every_layer_is_true(case, dtype):
    place = Placed("mine", case.layer, case.parameters(dtype), case.x(dtype), case.noise(dtype))
    specimen = layer_specimen(place, np.random.default_rng(0))
    found = list(specimen.sensitivities())
    assert [each.product for each in found]
    for each in found:
        if each.smallest_caught is None:
            assert case.input_shape == (1,)  # a softmax or layer_norm of one number has no derivative
            continue
        assert caught(specimen, each.product, 2 * each.smallest_caught), each
        assert not caught(specimen, each.product, each.smallest_caught / 10), each
        # Of scale errors: all of 1e-6 in float64, all of 1e-3 in float32.
        assert each.smallest_caught < (1e-3 if dtype == np.float32 else 1e-6), each


@pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.name)
@DTYPES
def test_the_sensitivity_of_every_loss_is_true(case, dtype):
    specimen = loss_specimen(case.loss, case.z(dtype), case.targets(dtype), np.random.default_rng(0))
    for each in specimen.sensitivities():
        if each.smallest_caught is None:
            assert case.outputs == 1  # cross-entropy of one class
            continue
        assert caught(specimen, each.product, 2 * each.smallest_caught), each
        assert not caught(specimen, each.product, each.smallest_caught / 10), each


def surveyed(objective, case, seed):
    return survey(objective, case.parameters, case.batch, np.random.default_rng(seed)).specimens


@pytest.mark.parametrize("seed", range(20))
def test_in_a_network_twice_the_reported_error_is_caught_by_the_whole_check(seed):
    case, rng = random_case(seed), np.random.default_rng(seed)
    own = {link.name: position for position, link in enumerate(case.objective.links)}
    found = [
        each
        for specimen in surveyed(case.objective, case, seed)
        for each in specimen.sensitivities()
        if each.layer in own and each.smallest_caught is not None
    ]
    assert found
    each = found[rng.integers(len(found))]

    def check_with(size):
        chain = [link.layer for link in case.objective.links]
        position = own[each.layer]
        chain[position] = planted(chain[position], each.product, scaled(size))
        objective = Objective(Network(chain, case.objective.network.input_shape), case.objective.loss)
        layers = check_layers(surveyed(objective, case, seed))
        return {(one.layer, one.product) for one in layers if one.verdict is Verdict.DISAGREE}

    assert (each.layer, each.product) in check_with(2 * each.smallest_caught)
    assert (each.layer, each.product) not in check_with(each.smallest_caught / 10)
