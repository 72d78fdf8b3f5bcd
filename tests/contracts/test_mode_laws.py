import itertools
from functools import cache

import numpy as np
import pytest
from cases import (
    LAYERS,
    LOSSES,
    MODE_CASES,
    MODES,
    NETWORKS,
    map_tree,
    network_kinds,
)
from laws import altered, relative_error

from jactrain.errors import MemoryBoundError, PlanError, UnsupportedError
from jactrain.layers import layers
from jactrain.layers.base import Layer, Product
from jactrain.layers.forms import Cost
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.modes.base import Exactness
from jactrain.modes.finite_difference import FiniteDifference
from jactrain.modes.gradients import RecordedGradient
from jactrain.modes.spsa import SPSA
from jactrain.network import Network
from jactrain.objective import Batch, Objective

CASES = pytest.mark.parametrize("case", NETWORKS, ids=lambda case: case.name)
NAMES = pytest.mark.parametrize("name", MODE_CASES)
DTYPES = pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
BY_NAME = {case.name: case for case in NETWORKS}

EXACT = [name for name, mode in MODE_CASES.items() if mode.exactness is Exactness.EXACT]
TRUNCATED = [name for name, mode in MODE_CASES.items() if mode.exactness is Exactness.TRUNCATED]

# Two exact modes sum the same terms in another order: an entry passes at most 8 links and the loss, each
# with sums of at most 9 terms: 9 · 9 ε, 2e-14 in float64 and 1e-5 in float32. The largest seen is 2 ε.
EXACT_TOLERANCE = 81

# A scheme of order q has the step ε^{1/(q+1)}, truncation c ε^{q/(q+1)} with c a higher derivative, and
# rounding ε|f|/h of the same power: for all √P ≤ 8 entries, with higher derivatives and |f| up to some tens
# of times the gradient, 200 ε^{q/(q+1)}. In float64: 3e-6, 7e-9 and 6e-11; in float32: 0.07, 5e-3 and 6e-4.
# The largest seen are 13, 5 and 70 ε^{q/(q+1)}.
POWERS = {"forward": 1 / 2, "central": 2 / 3, "five_point": 4 / 5}


def tolerance(name, dtype):
    """Return the relative error that two results may differ by, the mode `name` being one of them."""
    mode, epsilon = MODE_CASES[name], float(np.finfo(dtype).eps)
    if not isinstance(mode, FiniteDifference | SPSA):
        return EXACT_TOLERANCE * epsilon
    working = float(np.finfo(getattr(mode, "dtype", None) or dtype).eps)
    return 200 * working ** POWERS[getattr(mode, "scheme", "central")] + EXACT_TOLERANCE * epsilon


def gradient_of(name, case, dtype, examples=None, batch=None, objective=None, parameters=None):
    """Return plan and result of one mode."""
    mode = MODE_CASES[name]
    objective = objective or case.objective()
    batch = case.batch(dtype, examples) if batch is None else batch
    plan = mode.prepare(objective, batch.examples, dtype)
    parameters = case.parameters(dtype) if parameters is None else parameters
    rng = np.random.default_rng(0)
    return plan, mode.value_and_gradient(objective, parameters, batch, plan, rng)


@cache
def results_of(case_name, dtype):
    """Return every mode's result on one network: computed once for all the laws about them."""
    return {name: gradient_of(name, BY_NAME[case_name], dtype) for name in MODE_CASES}


def test_the_tables_cover_everything_registered():
    assert sorted(MODES) == modes.names()
    assert network_kinds() == set(LAYERS) == set(layers.names())
    assert {losses.resolve(case.loss).kind for case in NETWORKS} == set(LOSSES)
    assert len(BY_NAME) == len(NETWORKS) >= 30


@CASES
@DTYPES
def test_every_exact_mode_equals_every_other(case, dtype):
    results, allowed = results_of(case.name, dtype), EXACT_TOLERANCE * np.finfo(dtype).eps
    for one, other in itertools.combinations(EXACT, 2):
        error = relative_error(results[one][1].gradient, results[other][1].gradient)
        assert error <= allowed, (
            f"{case.name}: {one} and {other} differ by {error:.2g}, allowed {allowed:.2g}"
        )
        value, other_value = results[one][1].value, results[other][1].value
        assert abs(value - other_value) <= allowed * abs(value)


@CASES
def test_the_complex_step_is_exact_to_the_last_digits(case):
    results = results_of(case.name, np.float64)
    error = relative_error(results["complex_step()"][1].gradient, results["reverse()"][1].gradient)
    assert error <= 1e-14, f"{case.name}: off by {error:.2g}"


@CASES
@DTYPES
def test_every_truncated_mode_equals_every_exact_one(case, dtype):
    results = results_of(case.name, dtype)
    for truncated, exact in itertools.product(TRUNCATED, EXACT):
        long_steps = MODE_CASES[truncated].scheme == "five_point" or dtype == np.float32
        if long_steps and not case.smooth:
            continue  # long enough to cross a kink
        error = relative_error(results[truncated][1].gradient, results[exact][1].gradient)
        allowed = tolerance(truncated, dtype)
        assert error <= allowed, (
            f"{case.name}: {truncated} is off {exact} by {error:.2g}, allowed {allowed:.2g}"
        )


@CASES
@DTYPES
def test_a_recorded_mode_gives_the_same_bits_at_other_arrays_too(case, dtype):
    objective = case.objective()
    for name in [name for name, mode in MODE_CASES.items() if mode.recordable]:
        mode, batch, parameters = MODE_CASES[name], case.batch(dtype), case.parameters(dtype)
        plan = mode.prepare(objective, batch.examples, dtype)
        work = mode.value_and_gradient(objective, parameters, batch, plan, None).work
        played = RecordedGradient(plan, work, parameters, batch)
        turned = Batch(*(map_tree(lambda array: array[::-1].copy(), part) for part in batch))
        for moved, other in ((parameters, batch), (dtype(0.5) * parameters, turned)):
            result = played(moved, other, None)
            expected = mode.value_and_gradient(objective, moved, other, plan, None)
            assert np.array_equal(result.gradient, expected.gradient), name
            assert result.value == expected.value
            assert result.work == expected.work


@pytest.mark.parametrize("case", [case for case in NETWORKS if case.smooth], ids=lambda case: case.name)
def test_the_error_estimate_of_a_truncated_mode_is_of_the_size_of_the_error(case):
    results = results_of(case.name, np.float64)
    exact = results["reverse()"][1].gradient
    for name in TRUNCATED:
        error = np.linalg.norm(results[name][1].gradient - exact)
        # The truncation is not measured but taken to be like the rounding: to one decimal power.
        assert error <= 10 * results[name][1].error_estimate, f"{case.name}: {name}"
    assert all(results[name][1].error_estimate is None for name in EXACT)


@CASES
@DTYPES
def test_work_is_what_was_planned_and_results_have_the_form_of_the_parameters(case, dtype):
    for name, (plan, result) in results_of(case.name, dtype).items():
        assert result.work.multiply_adds == plan.multiply_adds, f"{case.name}: {name}"
        assert result.gradient.shape == (case.objective().network.size,), f"{case.name}: {name}"
        asked = getattr(MODE_CASES[name], "dtype", None) or dtype
        assert result.gradient.dtype == asked, f"{case.name}: {name}"


@CASES
@pytest.mark.parametrize("examples", [1, 2, 7])
def test_work_is_what_was_planned_for_every_batch_size(case, examples):
    for name in MODE_CASES:
        plan, result = gradient_of(name, case, np.float64, examples)
        assert result.work.multiply_adds == plan.multiply_adds, f"{case.name}: {name}"
        assert plan.multiply_adds % examples == 0, f"{case.name}: {name}"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (kind, {key: value for key, value in options.items() if key != "memory"})
        for kind, tries in MODES.items()
        for options in tries
        if "memory" in modes.get(kind).model_fields and "memory" not in options
    ],
    ids=str,
)
def test_the_gradient_does_not_depend_on_the_bound_on_memory(kind, options):
    divided = 0
    for case in NETWORKS:
        objective, batch = case.objective(), case.batch(np.float64)
        gradients, plans = [], []
        least = least_memory(kind, options, objective, batch.examples)
        for memory in (least, least + 300, "1GiB"):
            mode = modes.resolve({kind: {**options, "memory": memory}})
            plan = mode.prepare(objective, batch.examples, np.float64)
            assert plan.peak_bytes <= mode.memory, case.name
            result = mode.value_and_gradient(
                objective, case.parameters(np.float64), batch, plan, np.random.default_rng(0)
            )
            assert result.work.multiply_adds == plan.multiply_adds, case.name
            gradients.append(result.gradient)
            plans.append(plan)
        peaks = [plan.peak_bytes for plan in plans]
        divided += peaks[0] != peaks[-1]
        name = next(name for name, mode in MODE_CASES.items() if mode == modes.resolve({kind: options}))
        allowed = tolerance(name, np.float64)  # differences divide their rounding by their step
        for gradient in gradients[:-1]:
            error = relative_error(gradient, gradients[-1])
            assert error <= allowed, f"{case.name}: off by {error:.2g}, allowed {allowed:.2g}"
    divides = kind in ("forward", "finite_difference", "complex_step")
    divides |= options.get("checkpoints") == "revolve" or options.get("directions", 1) > 1
    if kind != "auto":  # which takes another mode where its bound is small
        assert divided > len(NETWORKS) / 2 if divides else divided == 0


def least_memory(kind, options, objective, examples):
    """Return the smallest bound that a mode accepts, found by halving."""
    refused, accepted = 0, 2**30
    while accepted - refused > 1:
        memory = (refused + accepted) // 2
        mode = modes.resolve({kind: {**options, "memory": memory}})
        try:
            mode.prepare(objective, examples, np.float64)
        except MemoryBoundError:
            refused = memory
        else:
            accepted = memory
    return accepted


@pytest.mark.parametrize("case", [case for case in NETWORKS if case.training], ids=lambda case: case.name)
def test_every_mode_gets_the_noise_of_the_step(case):
    evaluated = case.batch(np.float64)._replace(noise=None)
    for name, (_, result) in results_of(case.name, np.float64).items():
        without = gradient_of(name, case, np.float64, batch=evaluated)[1]
        assert relative_error(without.gradient, result.gradient) > 0.01, f"{name} ignores the noise"


@CASES
def test_float32_is_float64_rounded(case):
    reference = results_of(case.name, np.float64)["reverse()"][1].gradient
    for name in EXACT:
        error = relative_error(results_of(case.name, np.float32)[name][1].gradient, reference)
        assert error <= EXACT_TOLERANCE * np.finfo(np.float32).eps, (
            f"{case.name}: {name} is off by {error:.2g}"
        )


@NAMES
def test_inputs_are_not_modified(name):
    for case in NETWORKS:
        objective, batch, parameters = case.objective(), case.batch(np.float64), case.parameters(np.float64)
        arrays = [parameters, batch.x, batch.targets]
        map_tree(arrays.append, batch.noise)
        copies = [array.copy() for array in arrays]
        for array in arrays:
            array.setflags(write=False)
        gradient_of(name, case, np.float64, batch=batch, objective=objective, parameters=parameters)
        assert all(map(np.array_equal, arrays, copies)), case.name


class _BrokenError(Exception):
    pass


def _without(component, products):
    """Return a layer or loss like `component` whose `products` raise."""

    def broken(self, *args, **kwargs):
        raise _BrokenError

    return altered(component, dict.fromkeys(products, broken))


@CASES
def test_finite_differences_use_forward_alone(case):
    whole = case.objective()
    derived = [product.value for product in Product if product is not Product.FORWARD]
    chain = [_without(link.layer, derived) for link in whole.links]
    loss = _without(whole.loss, ["slope", "jvp", "vjp"])
    objective = Objective(Network(chain, case.input_shape), loss)
    names = [
        name for name, mode in MODE_CASES.items() if mode.uses == {Product.FORWARD} and mode.kind != "auto"
    ]
    assert [name for name in names if name.startswith("finite_difference")]
    for name in names:
        _, result = gradient_of(name, case, np.float64, objective=objective)
        assert np.array_equal(result.gradient, results_of(case.name, np.float64)[name][1].gradient), name
    with pytest.raises(_BrokenError):
        gradient_of("reverse()", case, np.float64, objective=objective)


def _lacking(product):
    """Return a layer that does not define `product`."""

    def identity(self, xp, params, residual, stack, per_example=False):
        return stack

    def forward(self, xp, params, x, noise=None):
        return params["weight"][:, None] * x, x

    rules = {other.value: identity for other in Product if other not in (product, Product.FORWARD)}
    own = {
        "forward": forward,
        "parameter_shapes": lambda self, shape: {"weight": shape},
        "cost": lambda self, shape: Cost(1, 1, 1, 1, 1),
    }
    return type(f"Without{product.name.title()}", (Layer,), {**rules, **own, "kind": "lacking"})(name="mine")


@NAMES
@pytest.mark.parametrize("product", [product for product in Product if product is not Product.FORWARD])
def test_a_mode_refuses_a_layer_without_a_product_that_it_uses_naming_both(name, product):
    mode = MODE_CASES[name]
    chain = [layers.resolve({"linear": {"units": 2}}), _lacking(product)]
    objective = Objective(Network(chain, (3,)), losses.resolve("mean_squared_error"))
    if product in mode.uses:
        with pytest.raises(UnsupportedError) as error:
            mode.prepare(objective, 4, np.float64)
        for word in (mode.kind, product.value, "mine", type(chain[1]).__qualname__, "finite_difference"):
            assert word in str(error.value)
    else:
        assert mode.prepare(objective, 4, np.float64).examples == 4


@NAMES
def test_a_plan_refuses_what_it_was_not_made_for_and_lists_what_differs(name):
    mode, case = MODE_CASES[name], BY_NAME["two layers, tanh"]
    objective, batch, parameters = case.objective(), case.batch(np.float64), case.parameters(np.float64)
    plan = mode.prepare(objective, batch.examples, np.float64)
    other = next(each for each in MODE_CASES.values() if each != mode)
    foreign = other.prepare(objective, batch.examples, np.float64)
    single = parameters.astype(np.float32)

    def refused(plan, objective, parameters, batch):
        with pytest.raises(PlanError) as error:
            mode.value_and_gradient(objective, parameters, batch, plan, np.random.default_rng(0))
        return str(error.value)

    message = refused(plan, objective, parameters, case.batch(np.float64, 7))
    assert "examples 4, not 7" in message
    assert "dtype" not in message
    assert "dtype float64, not float32" in refused(plan, objective, single, batch)
    assert "another objective" in refused(plan, case.objective(), parameters, batch)
    assert f"mode {other.label}, not {mode.label}" in refused(foreign, objective, parameters, batch)
    message = refused(plan, case.objective(), single, case.batch(np.float64, 7))
    for difference in ("examples 4, not 7", "dtype float64, not float32", "another objective", "prepare"):
        assert difference in message


@NAMES
def test_a_plan_predicts_its_memory_and_is_reused(name):
    mode, case = MODE_CASES[name], BY_NAME["two layers, tanh"]
    objective, batch = case.objective(), case.batch(np.float64)
    plan = mode.prepare(objective, batch.examples, np.float64)
    assert plan.peak_bytes > 0
    for scale in (1.0, 2.0):
        parameters = scale * case.parameters(np.float64)
        result = mode.value_and_gradient(objective, parameters, batch, plan, np.random.default_rng(0))
        fresh = gradient_of(name, case, np.float64, parameters=parameters)[1]
        assert np.array_equal(result.gradient, fresh.gradient)


@CASES
def test_modes_traced_by_jax_give_numpys_gradient(case, jax64, quick_jit):
    objective = case.objective(jax64.numpy)
    batch = case.batch(np.float64)
    names = {"reverse()", "forward()"}
    if case in NETWORKS[::4]:  # long programs, through rules that the laws of layers trace one by one
        names |= {"forward(seeds=parameters)", *(f"{kind}()" for kind in MODES)}
    if "gelu" in case.kinds:
        names -= {"complex_step()"}  # JAX has no error function of complex numbers

    @quick_jit
    def gradients(parameters, x, targets, noise):
        given = Batch(x, targets, noise)
        return {
            name: gradient_of(name, case, np.float64, None, given, objective, parameters)[1].gradient
            for name in sorted(names)
        }

    traced = gradients(case.parameters(np.float64), *batch)
    for name, got in traced.items():
        expected = results_of(case.name, np.float64)[name][1].gradient
        allowed = tolerance(name, np.float64)
        error = relative_error(np.asarray(got), expected)
        assert error <= allowed, (
            f"{case.name}: {name} traced by JAX is off by {error:.2g}, allowed {allowed:.2g}"
        )
