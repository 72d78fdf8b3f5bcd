"""The gradient of one batch: modes beside each other, and beside what peers compute in the same order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import peers, problem
from benchmarks.case import Case, Subjects
from benchmarks.timing import Subject
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.modes.gradients import Gradients
from jactrain.objective import Batch, Objective

_LARGE = 128
_SMALL = (64, 32, 32, 10)  # of which differences can be had
_SMALLEST = (8, 6, 4)  # for a smoke run


def cases() -> list[Case]:
    """Return the cases."""
    return [
        Case("gradient, float32", _by_modes, about="64-64-64-10, batch 32"),
        Case("forward order", _forward_order, 0.1, about="64-64-64-10, batch 128, float64"),
        Case("differences", _differences, 0.3, about="64-32-32-10, batch 64, float64"),
        Case("gradient, every mode", _every_mode, 0.2, about="64-32-32-10, batch 64, float64"),
    ]


def _by_modes(smoke: bool) -> Subjects:
    """Return reverse mode, recorded and not, and factored forward mode, float32, batches of 32."""
    target = problem.objective()
    batch = problem.batch_of(target, problem.BATCH, np.float32)
    often, seldom = (1, 1) if smoke else (100, 10)
    return {
        "reverse": Subject(_repeated(_gradient(target, batch, "reverse"), often), often, threads=1),
        "reverse, recorded": Subject(_repeated(_recorded(target, batch), often), often, threads=1),
        "forward": Subject(_repeated(_gradient(target, batch, "forward"), seldom), seldom, threads=1),
    }


def _forward_order(smoke: bool) -> Subjects:
    """Return forward mode, float64, a batch of 128: ours, and JAX's and PyTorch's `jacfwd`, on all cores."""
    target = problem.objective(_SMALLEST if smoke else problem.SIZES)
    batch = problem.batch_of(target, 4 if smoke else _LARGE, np.float64)
    often = 1 if smoke else 50
    subjects = {
        "jactrain": Subject(_repeated(_gradient(target, batch, "forward"), 10), 10),
        "reverse": Subject(_repeated(_gradient(target, batch, "reverse"), often), often),
    }
    if peers.has("jax"):
        subjects["JAX jacfwd"] = Subject(_jax(target, batch, "jacfwd"), stated="all")
    if peers.has("torch"):
        subjects["PyTorch jacfwd"] = Subject(_torch(target, batch))
    return subjects


def _differences(smoke: bool) -> Subjects:
    """Return central differences of 64-32-32-10, float64, a batch of 64: ours, and scipy's."""
    target = problem.objective(_SMALLEST if smoke else _SMALL)
    batch = problem.batch_of(target, 64, np.float64)
    ours = _recorded(target, batch, "finite_difference")
    subjects = {"jactrain": Subject(ours, threads=1, stated="BLAS 1, loops all")}
    if peers.has("scipy"):
        subjects["scipy 3-point"] = Subject(_scipy(target, batch), threads=1)
    return subjects


def _every_mode(smoke: bool) -> Subjects:
    """Return every mode there is, and the peers' gradients."""
    target = problem.objective(_SMALLEST if smoke else _SMALL)
    batch = problem.batch_of(target, 64, np.float64)
    often = 1 if smoke else 10
    subjects = {}
    for mode in modes.names():
        run = _gradient(target, batch, mode)
        slow = mode in ("finite_difference", "complex_step")
        times = 1 if slow else often
        subjects[mode] = Subject(_repeated(run, times), times, threads=1)
    if peers.has("jax"):
        subjects["JAX grad"] = Subject(_repeated(_jax(target, batch, "grad"), often), often, stated="all")
        subjects["JAX jacfwd"] = Subject(_jax(target, batch, "jacfwd"), stated="all")
    if peers.has("torch"):
        subjects["PyTorch jacfwd"] = Subject(_torch(target, batch))
    if peers.has("scipy"):
        subjects["scipy 3-point"] = Subject(_scipy(target, batch), threads=1)
    return subjects


def _gradient(target: Objective, batch: Batch, mode: str) -> Callable[[], np.ndarray]:
    parameters = problem.parameters_of(target.network, batch.x.dtype)
    order, rng = modes.get(mode)(), np.random.default_rng(0)
    plan = order.prepare(target, batch.examples, batch.x.dtype)
    return lambda: order.value_and_gradient(target, parameters, batch, plan, rng).gradient


def _recorded(target: Objective, batch: Batch, mode: str = "reverse") -> Callable[[], np.ndarray]:
    """Return a gradient as trainings compute it, recorded already: from its second use on."""
    parameters = problem.parameters_of(target.network, batch.x.dtype)
    gradients, rng = Gradients(modes.get(mode)(), target), np.random.default_rng(0)
    for _ in range(2):
        gradients(parameters, batch, rng)
    return lambda: gradients(parameters, batch, rng).gradient


def _repeated(run: Callable[[], Any], times: int) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(times):
            run()

    return repeat


def _scipy(target: Objective, batch: Batch) -> Callable[[], np.ndarray]:
    """Return scipy's central differences of the loss."""
    from scipy.optimize._numdiff import approx_derivative

    parameters = problem.parameters_of(target.network, np.float64)
    loss = losses.get("cross_entropy")()

    def value(flat: np.ndarray) -> float:
        outputs = target.network.outputs(flat, batch.x)
        return float(loss.forward(np, outputs[None], batch.targets)[0].mean())

    def theirs() -> np.ndarray:
        return approx_derivative(value, parameters, method="3-point")

    _require_equal(_gradient(target, batch, "finite_difference")(), theirs(), 1e-7)
    return theirs


def _jax(target: Objective, batch: Batch, how: str) -> Callable[[], Any]:
    """Return the compiled `jax.jacfwd` or `jax.grad` of the loss, written as its users write it."""
    import jax

    jax.config.update("jax_enable_x64", True)
    shapes = list(zip(target.network.layout.shapes, target.network.layout.slices, strict=True))
    x, targets = jax.numpy.asarray(batch.x), jax.numpy.asarray(batch.targets)

    def loss(flat: Any) -> Any:
        leaves = [flat[part].reshape(shape) for shape, part in shapes]
        y = x
        for weight, bias in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            y = jax.numpy.tanh(y @ weight + bias)
        return -(targets * jax.nn.log_softmax(y @ leaves[-2] + leaves[-1])).sum(-1).mean()

    derivative = jax.jit(getattr(jax, how)(loss))
    parameters = jax.numpy.asarray(problem.parameters_of(target.network, np.float64))
    _require_equal(_gradient(target, batch, "forward")(), np.asarray(derivative(parameters)), 1e-12)
    return lambda: derivative(parameters).block_until_ready()


def _torch(target: Objective, batch: Batch) -> Callable[[], Any]:
    """Return `torch.func.jacfwd` of the loss."""
    import torch

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
