"""Jacobians: orders of multiplication beside each other, and beside JAX."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from benchmarks import peers, problem
from benchmarks.case import Case, Subjects
from benchmarks.timing import Subject
from jactrain.jacobian import jacobian

_AUTOENCODER = (784, 256, 64, 8, 64, 256, 784)
_SMALL_AUTOENCODER = (48, 16, 4, 16, 48)  # for a smoke run
_ORDERS = ("reverse", "forward", "mixed")
_ABOUT = "784-256-64-8-64-256-784, 8 examples, float64"
_CLASSIFIER = "64-64-64-10, 128 examples, float64"


def cases() -> list[Case]:
    """Return the cases."""
    return [
        Case("J_x f", partial(_by_orders, "inputs"), 0.3, about=f"dense, {_ABOUT}"),
        Case(
            "S_k", partial(_by_orders, "parameters"), 0.5, about=f"all of them, cuts left factored, {_ABOUT}"
        ),
        Case("kernel", _kernel, 0.5, about=f"the tangent kernel, {_CLASSIFIER}"),
        Case("J_θ f, dense", _dense, 0.5, about=f"from the start, {_CLASSIFIER}"),
        Case("J_θ f, products", _products, 0.5, about=f"{_CLASSIFIER}; the Jacobian is there already"),
    ]


def _by_orders(wrt: Any, smoke: bool) -> Subjects:
    """Return `J_x f`, dense, or all `S_k`, of an autoencoder by each order."""
    sizes = _SMALL_AUTOENCODER if smoke else _AUTOENCODER
    network = problem.network_of(sizes)
    parameters = problem.parameters_of(network, np.float64)
    x = np.random.default_rng(1).standard_normal((8, sizes[0]))
    if wrt == "inputs":
        reverse, _, mixed = (jacobian(network, parameters, x, wrt, order).dense() for order in _ORDERS)
    else:
        v = np.random.default_rng(2).standard_normal(network.size)
        reverse, _, mixed = (jacobian(network, parameters, x, wrt, order) @ v for order in _ORDERS)
    error = np.linalg.norm(mixed - reverse) / np.linalg.norm(reverse)
    assert error <= 1e-13, f"the orders differ by {error:.2g}"
    return {order: Subject(_made(network, parameters, x, wrt, order), threads=1) for order in _ORDERS}


def _made(*arguments: Any) -> Callable[[], object]:
    return lambda: jacobian(*arguments)


def _kernel(smoke: bool) -> Subjects:
    """Return the tangent kernel of 64-64-64-10, 128 examples, float64: from factors, and from rows."""
    network, parameters, x = _classifier(smoke)
    made = jacobian(network, parameters, x)

    def from_rows() -> np.ndarray:
        rows = made.dense().reshape(-1, network.size)
        return rows @ rows.T

    assert np.allclose(made.gram(), from_rows(), rtol=1e-10)
    return {"gram": Subject(made.gram, threads=1), "dense, multiplied": Subject(from_rows, threads=1)}


def _dense(smoke: bool) -> Subjects:
    """Return the dense `J_θ f`: ours, and compiled `jax.vmap(jax.jacrev)`, both on all cores."""
    network, parameters, x = _classifier(smoke)
    subjects = {"jactrain": Subject(lambda: jacobian(network, parameters, x).dense())}
    if not peers.has("jax"):
        return subjects
    import jax

    jax.config.update("jax_enable_x64", True)
    tree, inputs, outputs = _in_jax(network, parameters, x)
    theirs = jax.jit(jax.vmap(jax.jacrev(outputs), (None, 0)))
    first, own = np.asarray(theirs(tree, inputs)[0]), jacobian(network, parameters, x)
    assert np.allclose(own.block(network.layout.names[0]), first, rtol=1e-9, atol=1e-12)
    return subjects | {"JAX": Subject(lambda: jax.block_until_ready(theirs(tree, inputs)), stated="all")}


def _products(smoke: bool) -> Subjects:
    """Return `J v` and `Jᵀ u`: from factors, from dense rows, and by compiled `jax.jvp` and `jax.vjp`.

    JAX evaluates the network each time, as its users do; ours and the dense one have it behind them.
    """
    network, parameters, x = _classifier(smoke)
    made = jacobian(network, parameters, x)
    rng = np.random.default_rng(3)
    v, u = rng.standard_normal(network.size), rng.standard_normal((len(x), network.output_shape[0]))
    rows = made.dense().reshape(-1, network.size)
    assert np.allclose(made @ v, (rows @ v).reshape(u.shape), rtol=1e-9, atol=1e-12)
    assert np.allclose(made.T @ u, rows.T @ u.ravel(), rtol=1e-9, atol=1e-12)
    subjects = {
        "J v": Subject(lambda: made @ v),
        "J v, dense": Subject(lambda: rows @ v),
        "Jᵀ u": Subject(lambda: made.T @ u),
        "Jᵀ u, dense": Subject(lambda: rows.T @ u.ravel()),
    }
    if not peers.has("jax"):
        return subjects
    import jax

    jax.config.update("jax_enable_x64", True)
    tree, inputs, outputs = _in_jax(network, parameters, x)
    tangent = _in_jax(network, v, x)[0]
    pushed = jax.jit(lambda tree, tangent: jax.jvp(lambda t: outputs(t, inputs), (tree,), (tangent,))[1])
    pulled = jax.jit(lambda tree, u: jax.vjp(lambda t: outputs(t, inputs), tree)[1](u)[0])
    assert np.allclose(made @ v, pushed(tree, tangent), rtol=1e-9, atol=1e-12)
    cotangent = jax.numpy.asarray(u)
    return subjects | {
        "JAX jvp": Subject(lambda: jax.block_until_ready(pushed(tree, tangent)), stated="all"),
        "JAX vjp": Subject(lambda: jax.block_until_ready(pulled(tree, cotangent)), stated="all"),
    }


def _in_jax(network: Any, parameters: np.ndarray, x: np.ndarray) -> tuple[Any, Any, Callable[..., Any]]:
    """Return parameters and inputs as JAX's arrays, and the network's outputs as its users write them."""
    import jax

    layout = network.layout
    leaves = [
        parameters[part].reshape(shape) for shape, part in zip(layout.shapes, layout.slices, strict=True)
    ]

    def outputs(leaves: Any, y: Any) -> Any:
        for weight, bias in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            y = jax.numpy.tanh(y @ weight + bias)
        return y @ leaves[-2] + leaves[-1]

    return [jax.numpy.asarray(leaf) for leaf in leaves], jax.numpy.asarray(x), outputs


def _classifier(smoke: bool) -> tuple[Any, np.ndarray, np.ndarray]:
    network = problem.network_of(problem.SIZES)
    x = problem.examples(8 if smoke else 128)[0].astype(np.float64)
    return network, problem.parameters_of(network, np.float64), x
