"""Laws of everything registered."""

import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from optimizer_cases import CASES, made, run

from jactrain.optimizers import optimizers

ALL_OPTIONS: list[dict[str, Any]] = [{"weight_decay": 0.0}, {"weight_decay": 0.1, "clip_norm": 0.5}]
WITH_EPSILON = [name for name in optimizers.names() if "epsilon" in optimizers.get(name).model_fields]


@pytest.fixture
def gradients(dtype: np.dtype[Any]) -> Any:
    return np.random.default_rng(1).normal(size=(5, 6)).astype(dtype)


@pytest.fixture
def start(dtype: np.dtype[Any]) -> Any:
    return np.linspace(-1, 2, 6).astype(dtype)


def test_every_optimizer_stands_in_the_table() -> None:
    assert {case if isinstance(case, str) else next(iter(case)) for case in CASES} == set(optimizers.names())


@pytest.mark.parametrize("options", ALL_OPTIONS)
def test_a_step_keeps_shapes_and_dtypes(
    case: Any, options: dict[str, Any], start: Any, gradients: Any, dtype: np.dtype[Any]
) -> None:
    optimizer = made(case, **options)
    before = optimizer.initial_state(np, start)
    parameters, after = run(optimizer, np, start, gradients, 0.1)
    assert type(parameters) is np.ndarray
    assert (parameters.shape, parameters.dtype) == (start.shape, dtype)
    assert before.keys() == after.keys()
    for name, array in after.items():
        assert type(array) is np.ndarray
        assert array.shape == before[name].shape
        assert array.shape in (start.shape, (1,))
        assert array.dtype == before[name].dtype == dtype


@pytest.mark.parametrize("options", ALL_OPTIONS)
def test_a_step_writes_into_no_input(case: Any, options: dict[str, Any], start: Any, gradients: Any) -> None:
    def frozen_step(xp: Any, state: Any, parameters: Any, gradient: Any, rate: float) -> Any:
        for array in (parameters, gradient, *state.values()):
            array.flags.writeable = False
        return optimizer.step(xp, state, parameters, gradient, rate)

    optimizer = made(case, **options)
    run(optimizer, np, start, gradients, 0.1, frozen_step)


@pytest.mark.parametrize("options", ALL_OPTIONS)
def test_numpy_steps_as_compiled_jax_does(
    case: Any, options: dict[str, Any], start: Any, gradients: Any, dtype: np.dtype[Any]
) -> None:
    optimizer = made(case, **options)
    expected, expected_state = run(optimizer, np, start, gradients, 0.1)
    with jax.enable_x64(dtype == np.float64):
        compiled = jax.jit(optimizer.step, static_argnums=0)
        parameters, state = run(optimizer, jnp, jnp.asarray(start), jnp.asarray(gradients), 0.1, compiled)
        assert parameters.dtype == dtype
        assert all(array.dtype == dtype for array in state.values())
    # The compiler fuses and reorders a few tens of roundings, of entries of size 2.
    tolerance = 100 * np.finfo(dtype).eps
    assert np.abs(np.asarray(parameters) - expected).max() <= tolerance
    for name, array in expected_state.items():
        assert np.abs(np.asarray(state[name]) - array).max() <= tolerance * (1 + np.abs(array).max())


def test_a_rate_given_as_an_array_of_the_dtype_steps_as_the_number_does(
    case: Any, start: Any, gradients: Any, dtype: np.dtype[Any]
) -> None:
    optimizer = made(case, weight_decay=0.1)
    by_number, _ = run(optimizer, np, start, gradients, 0.125)
    by_array, _ = run(optimizer, np, start, gradients, dtype.type(0.125))
    assert by_array.dtype == dtype
    assert np.abs(by_array - by_number).max() <= 10 * np.finfo(dtype).eps


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_a_convex_quadratic_decreases_a_hundredfold(
    case: Any, clip_norm: float | None, start: Any, dtype: np.dtype[Any]
) -> None:
    curvature = np.linspace(0.5, 2, 6).astype(dtype)
    optimizer = made(case, clip_norm=clip_norm)
    parameters, state = start, optimizer.initial_state(np, start)
    for _ in range(400):
        parameters, state = optimizer.step(np, state, parameters, curvature * parameters, 0.02)
    assert (curvature * parameters**2).sum() < 0.01 * (curvature * start**2).sum()


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_a_gradient_of_zero_without_decay_leaves_fresh_parameters_alone(
    case: Any, clip_norm: float | None, start: Any
) -> None:
    optimizer = made(case, weight_decay=0.0, clip_norm=clip_norm)
    parameters, _ = run(optimizer, np, start, np.zeros((3, 6), start.dtype), 0.1)
    assert np.array_equal(parameters, start)


@pytest.mark.parametrize("clip_norm", [1e-300, 1e-50, 1e39, 1e300])
def test_a_clip_norm_beyond_the_dtype_keeps_steps_finite(
    case: Any, clip_norm: float, start: Any, gradients: Any
) -> None:
    zeros = np.zeros_like(gradients)
    free, clipped = (made(case, weight_decay=0.0, clip_norm=norm) for norm in (None, clip_norm))
    assert np.array_equal(run(clipped, np, start, zeros, 0.1)[0], start)
    stepped, _ = run(clipped, np, start, gradients, 0.1)
    assert np.isfinite(stepped).all()
    if clip_norm > 1:
        assert np.array_equal(stepped, run(free, np, start, gradients, 0.1)[0])


@pytest.mark.parametrize("kind", WITH_EPSILON)
def test_an_epsilon_below_the_dtype_leaves_parameters_alone_at_a_gradient_of_zero(
    kind: str, start: Any
) -> None:
    optimizer = made(kind, weight_decay=0.0, epsilon=1e-50)
    assert np.array_equal(run(optimizer, np, start, np.zeros((3, 6), start.dtype), 0.1)[0], start)


def test_a_network_without_parameters_steps_too(case: Any, dtype: np.dtype[Any]) -> None:
    nothing = np.zeros(0, dtype)
    parameters, _ = run(made(case, clip_norm=1.0), np, nothing, nothing[None], 0.1)
    assert parameters.shape == (0,)


class Counted:
    """A vector that counts the operations on it, and knows no others than sgd may use."""

    operations = 0

    def _operate(self, other: object) -> "Counted":
        Counted.operations += 1
        return self

    __add__ = __radd__ = __mul__ = __rmul__ = __sub__ = _operate


@pytest.mark.parametrize(("momentum", "operations"), [(0.0, 2), (0.9, 4)])
def test_a_step_of_sgd_is_a_few_vector_operations(momentum: float, operations: int) -> None:
    Counted.operations = 0
    made("sgd", momentum=momentum).step(np, {"velocity": Counted()}, Counted(), Counted(), 0.1)
    assert Counted.operations == operations


@pytest.mark.parametrize("kind", WITH_EPSILON)
def test_options_beyond_a_dtype_are_no_warning(kind):
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for option in ("epsilon", "clip_norm"):
            optimizers.resolve({kind: {option: 1e300}}).require_form(np.float32)
    assert not told
