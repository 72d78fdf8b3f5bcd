"""Predicted peak bytes against those that Python's allocator sees, on networks whose arrays are not tiny."""

import tracemalloc

import numpy as np
import pytest
from cases import NetworkCase, option_text

from jactrain.explanation import explain
from jactrain.jacobian import jacobian
from jactrain.modes import modes

# Python's own objects are not predicted; the arrays of these networks are much larger.
FACTOR = 1.5


def stack(count, *network):
    return [layer for _ in range(count) for layer in network]


WIDE = [{"linear": {"units": 256}}, "tanh", {"linear": {"units": 64}}, "relu", {"linear": {"units": 10}}]
BLOCK = {"residual": {"network": [{"linear": {"units": 32}}, "silu", {"linear": {"units": 32}}]}}
DEEP = [{"linear": {"units": 32}}, *stack(8, "layer_norm", "tanh", {"linear": {"units": 32}})]
CASES = [
    NetworkCase("wide", WIDE, (64,), "cross_entropy", 256),
    NetworkCase("deep", DEEP, (32,), "mean_squared_error", 512),
    NetworkCase("residual blocks", [*stack(8, BLOCK)], (32,), "mean_squared_error", 512),
    NetworkCase("smooth units", [*stack(8, "gelu", {"linear": {"units": 32}})], (32,), "huber", 512),
]
LITTLE = [{"linear": {"units": 16}}, "tanh", {"linear": {"units": 8}}]
SMALL = NetworkCase("small", LITTLE, (12,), "huber", 512)
WIDENING = {"residual": {"network": [{"linear": {"units": 200}}, "tanh", {"linear": {"units": 20}}]}}
BLOCKS = NetworkCase("widening blocks", [WIDENING] * 5, (20,), "mean_squared_error", 64)
WIDE_FIRST = [{"linear": {"units": 2000}}, *[{"linear": {"units": 8}}, "tanh"] * 6, {"linear": {"units": 1}}]
FUNNEL = NetworkCase("funnel", WIDE_FIRST, (4,), "mean_squared_error", 64)
FRONT = NetworkCase("front", ["gelu", "softmax", *WIDE_FIRST[1:]], (2000,), "mean_squared_error", 64)
PLAIN = [{"linear": {"units": 64}}, "tanh", {"linear": {"units": 10}}]
OUTPUTS = [*stack(30, {"linear": {"units": 8}}, "tanh"), {"linear": {"units": 400}}]
NARROW = NetworkCase("narrow", OUTPUTS, (400,), "mean_squared_error", 8)
NORMAL = NetworkCase("normal", [{"linear": {"units": 300}}, *["layer_norm"] * 8], (9,), "huber", 8)
ONE = NetworkCase("one example", PLAIN, (64,), "huber", 1)
MODES = [
    *[(BLOCKS, {"forward": options}) for options in ({}, {"memory": "4MiB"})],
    (BLOCKS, {"reverse": {}}),
    *[(case, {"reverse": {"checkpoints": "revolve"}}) for case in (BLOCKS, FUNNEL, FRONT)],
    *[(case, {"mixed": {}}) for case in (*CASES, FUNNEL)],
    (CASES[1], {"auto": {}}),
    (ONE, {"forward": {"seeds": "parameters"}}),
    *[(case, {"spsa": {"directions": 32}}) for case in (ONE, SMALL)],
    *[(case, {"reverse": {"checkpoints": kept}}) for case in CASES for kept in ("none", "sqrt", "revolve")],
    *[(case, {"forward": {}}) for case in CASES],
    (CASES[1], {"forward": {"memory": "2MiB"}}),
    (CASES[1], {"reverse": {"checkpoints": "revolve", "memory": "2MiB"}}),
    (SMALL, {"forward": {"seeds": "parameters"}}),
    (SMALL, {"finite_difference": {}}),
    (SMALL, {"complex_step": {}}),
    *[
        (case, {kind: {}})
        for case in (CASES[0], CASES[1], NARROW, NORMAL)
        for kind in ("feedback_alignment", "direct_feedback_alignment")
    ],
    *[(case, {"random_forward": {"directions": 8}}) for case in CASES[:2]],
    (CASES[0], {"random_forward": {"directions": 20, "distribution": "orthogonal"}}),
    *[(case, {"activity_perturbation": {"directions": 8}}) for case in CASES[:2]],
    *[(case, {"spsa": {"directions": 8}}) for case in CASES[:2]],
]


def measured_peak(mode, case, dtype):
    objective, batch, parameters = case.objective(), case.batch(dtype), case.parameters(dtype)
    plan = mode.prepare(objective, batch.examples, dtype)
    rng = np.random.default_rng(0)
    mode.value_and_gradient(objective, parameters, batch, plan, rng)  # imports and caches are not arrays
    tracemalloc.start()
    try:
        plan = mode.prepare(objective, batch.examples, dtype)  # with which a mode may draw something anew
        mode.value_and_gradient(objective, parameters, batch, plan, rng)
        return plan, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _id(value):
    if isinstance(value, NetworkCase):
        return value.name
    return ",".join(f"{kind}({option_text(options)})" for kind, options in value.items())


@pytest.mark.parametrize(("case", "mode"), MODES, ids=_id)
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_the_predicted_peak_is_the_measured_one_within_a_factor(case, mode, dtype):
    plan, peak = measured_peak(modes.resolve(mode), case, dtype)
    ratio = plan.peak_bytes / peak
    assert 1 / FACTOR <= ratio <= FACTOR, f"predicted {plan.peak_bytes:,}, measured {peak:,}: {ratio:.2f}"


SHAPES = [(784, 128, 64, 4), (784, 64, 4, 64, 784), (64, 64, 64, 10), (100, 100, 100, 100), (10, 300, 10)]


@pytest.mark.parametrize("sizes", SHAPES, ids=str)
@pytest.mark.parametrize("wrt", ["parameters", "inputs"])
def test_the_predicted_peak_of_a_jacobian_is_the_measured_one_within_a_factor(sizes, wrt):
    network = [layer for units in sizes[1:] for layer in ({"linear": {"units": units}}, "tanh")][:-1]
    case = NetworkCase(str(sizes), network, sizes[:1], "mean_squared_error", 32)
    objective, parameters, x = case.objective(), case.parameters(np.float32), case.batch(np.float32).x
    explanation = explain(objective, 32, np.float32)
    for way in explanation.jacobian_parameters if wrt == "parameters" else explanation.jacobian_inputs:
        jacobian(objective.network, parameters, x, wrt, way.mode)
        tracemalloc.start()
        jacobian(objective.network, parameters, x, wrt, way.mode)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        ratio = way.peak_bytes / peak
        assert 1 / FACTOR <= ratio <= FACTOR, f"{way.mode}: {way.peak_bytes:,} for {peak:,}: {ratio:.2f}"
