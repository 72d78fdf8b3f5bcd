"""The gradient of one batch: modes beside each other, and beside what peers compute in the same order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import torch
from scipy.optimize._numdiff import approx_derivative

from benchmarks import problem
from benchmarks.timing import Subject
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.modes.gradients import Gradients
from jactrain.objective import Batch, Objective

_LARGE = 128


def by_modes() -> dict[str, Subject]:
    """Return reverse mode, recorded and not, and factored forward mode, float32, batches of 32."""
    target = problem.objective()
    batch = problem.batch_of(target, problem.BATCH, np.float32)
    return {
        "reverse": Subject(_repeated(_gradient(target, batch, "reverse"), 100), 100),
        "reverse, recorded": Subject(_repeated(_recorded(target, batch), 100), 100),
        "forward": Subject(_repeated(_gradient(target, batch, "forward"), 10), 10),
    }


def forward_order() -> dict[str, Subject]:
    """Return forward mode, float64, a batch of 128: ours, and JAX's and PyTorch's `jacfwd`."""
    target = problem.objective()
    batch = problem.batch_of(target, _LARGE, np.float64)
    return {
        "jactrain": Subject(_repeated(_gradient(target, batch, "forward"), 10), 10),
        "reverse": Subject(_repeated(_gradient(target, batch, "reverse"), 50), 50),
        "JAX jacfwd": Subject(_jax(target, batch), 1),
        "PyTorch jacfwd": Subject(_torch(target, batch), 1),
    }


def differences() -> dict[str, Subject]:
    """Return central differences of 64-32-32-10, float64, a batch of 64: ours, and scipy's."""
    target = problem.objective((64, 32, 32, 10))
    batch = problem.batch_of(target, 64, np.float64)
    parameters = problem.parameters_of(target.network, np.float64)
    loss = losses.get("cross_entropy")()

    def value(flat: np.ndarray) -> float:
        outputs = target.network.outputs(flat, batch.x)
        return float(loss.forward(np, outputs[None], batch.targets)[0].mean())

    ours = _gradient(target, batch, "finite_difference")
    _require_equal(ours(), approx_derivative(value, parameters, method="3-point"), 1e-7)
    return {
        "jactrain": Subject(ours, 1),
        "scipy 3-point": Subject(lambda: approx_derivative(value, parameters, method="3-point"), 1),
    }


def _gradient(target: Objective, batch: Batch, mode: str) -> Callable[[], np.ndarray]:
    parameters = problem.parameters_of(target.network, batch.x.dtype)
    order, rng = modes.get(mode)(), np.random.default_rng(0)
    plan = order.prepare(target, batch.examples, batch.x.dtype)
    return lambda: order.value_and_gradient(target, parameters, batch, plan, rng).gradient


def _recorded(target: Objective, batch: Batch) -> Callable[[], np.ndarray]:
    parameters = problem.parameters_of(target.network, batch.x.dtype)
    gradients, rng = Gradients(modes.get("reverse")(), target), np.random.default_rng(0)
    return lambda: gradients(parameters, batch, rng).gradient


def _repeated(run: Callable[[], Any], times: int) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(times):
            run()

    return repeat


def _jax(target: Objective, batch: Batch) -> Callable[[], Any]:
    """Return the compiled `jax.jacfwd` of the loss, written as its users write it."""
    jax.config.update("jax_enable_x64", True)
    shapes = list(zip(target.network.layout.shapes, target.network.layout.slices, strict=True))
    x, targets = jax.numpy.asarray(batch.x), jax.numpy.asarray(batch.targets)

    def loss(flat: Any) -> Any:
        leaves = [flat[part].reshape(shape) for shape, part in shapes]
        y = x
        for weight, bias in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            y = jax.numpy.tanh(y @ weight + bias)
        return -(targets * jax.nn.log_softmax(y @ leaves[-2] + leaves[-1])).sum(-1).mean()

    derivative = jax.jit(jax.jacfwd(loss))
    parameters = jax.numpy.asarray(problem.parameters_of(target.network, np.float64))
    _require_equal(_gradient(target, batch, "forward")(), np.asarray(derivative(parameters)), 1e-12)
    return lambda: derivative(parameters).block_until_ready()


def _torch(target: Objective, batch: Batch) -> Callable[[], Any]:
    """Return `torch.func.jacfwd` of the loss."""
    shapes = list(zip(target.network.layout.shapes, target.network.layout.slices, strict=True))
    x, targets = torch.from_numpy(batch.x), torch.from_numpy(batch.targets)

    def loss(flat: Any) -> Any:
        leaves = [flat[part].reshape(shape) for shape, part in shapes]
        y = x
        for weight, bias in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            y = torch.tanh(y @ weight + bias)
        return -(targets * torch.log_softmax(y @ leaves[-2] + leaves[-1], -1)).sum(-1).mean()

    derivative = torch.func.jacfwd(loss)
    parameters = torch.from_numpy(problem.parameters_of(target.network, np.float64))
    return lambda: derivative(parameters)


def _require_equal(ours: np.ndarray, theirs: np.ndarray, allowed: float) -> None:
    """Raise AssertionError unless both compute the same thing."""
    error = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    assert error <= allowed, f"the subjects differ by {error:.2g}"
