"""Jacobians: orders of multiplication beside each other, and beside JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from benchmarks import problem
from benchmarks.timing import Subject
from jactrain.jacobian import jacobian

_AUTOENCODER = (784, 256, 64, 8, 64, 256, 784)
_ORDERS = ("reverse", "forward", "mixed")


def in_inputs() -> dict[str, Subject]:
    """Return `J_x f` of an autoencoder, tanh, 8 examples, float64, dense, by each order."""
    return _by_orders("inputs")


def suffixes() -> dict[str, Subject]:
    """Return all `S_k` of the autoencoder by each order, cuts left factored."""
    return _by_orders("parameters")


def _by_orders(wrt: Any) -> dict[str, Subject]:
    network = problem.network_of(_AUTOENCODER)
    parameters = problem.parameters_of(network, np.float64)
    x = np.random.default_rng(1).standard_normal((8, _AUTOENCODER[0]))
    if wrt == "inputs":
        reverse, _, mixed = (jacobian(network, parameters, x, wrt, order).dense() for order in _ORDERS)
    else:
        v = np.random.default_rng(2).standard_normal(network.size)
        reverse, _, mixed = (jacobian(network, parameters, x, wrt, order) @ v for order in _ORDERS)
    error = np.linalg.norm(mixed - reverse) / np.linalg.norm(reverse)
    assert error <= 1e-13, f"the orders differ by {error:.2g}"
    return {order: Subject(_made(network, parameters, x, wrt, order), 1) for order in _ORDERS}


def _made(*arguments: Any) -> Callable[[], object]:
    return lambda: jacobian(*arguments)


def kernel() -> dict[str, Subject]:
    """Return the tangent kernel of 64-64-64-10, 128 examples, float64: from factors, and from rows."""
    network, parameters, x = _classifier()
    made = jacobian(network, parameters, x)

    def from_rows() -> np.ndarray:
        rows = made.dense().reshape(-1, network.size)
        return rows @ rows.T

    assert np.allclose(made.gram(), from_rows(), rtol=1e-10)
    return {"gram": Subject(made.gram, 1), "dense, multiplied": Subject(from_rows, 1)}


def dense() -> dict[str, Subject]:
    """Return the dense `J_θ f` of the same from the start: ours, and compiled `jax.vmap(jax.jacrev)`."""
    network, parameters, x = _classifier()
    jax.config.update("jax_enable_x64", True)
    layout = network.layout
    leaves = [
        parameters[part].reshape(shape) for shape, part in zip(layout.shapes, layout.slices, strict=True)
    ]
    tree = [jax.numpy.asarray(leaf) for leaf in leaves]

    def outputs(leaves: Any, one: Any) -> Any:
        y = one
        for weight, bias in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            y = jax.numpy.tanh(y @ weight + bias)
        return y @ leaves[-2] + leaves[-1]

    theirs = jax.jit(jax.vmap(jax.jacrev(outputs), (None, 0)))
    inputs = jax.numpy.asarray(x)
    first = np.asarray(theirs(tree, inputs)[0])
    assert np.allclose(jacobian(network, parameters, x).block(layout.names[0]), first, rtol=1e-9, atol=1e-12)
    return {
        "jactrain": Subject(lambda: jacobian(network, parameters, x).dense(), 1),
        "JAX": Subject(lambda: jax.block_until_ready(theirs(tree, inputs)), 1),
    }


def _classifier() -> tuple[Any, np.ndarray, np.ndarray]:
    network = problem.network_of(problem.SIZES)
    x = problem.examples(128)[0].astype(np.float64)
    return network, problem.parameters_of(network, np.float64), x
