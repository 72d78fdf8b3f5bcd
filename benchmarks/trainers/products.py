"""The matrix products of a step alone: what no one who multiplies by the same BLAS can be quicker than."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from benchmarks.problem import Training
from benchmarks.timing import Subject

SQUARE = 1024
_SQUARE_MULTIPLY_ADDS = SQUARE**3


def subjects(training: Training) -> dict[str, Subject]:
    """Return the products of a step with all threads and with one, and one large square product."""
    times = training.epochs * training.steps
    square = Subject(square_product(training.dtype))
    return {
        "products": Subject(_step(training, times), times),
        "products, 1 thread": Subject(_step(training, times), times, threads=1),
        "square product": square,
    }


def multiply_adds(training: Training) -> int:
    """Return those of the products of one step."""
    each = [inputs * outputs for inputs, outputs in pairwise(training.sizes)]
    return training.batch * (3 * sum(each) - each[0])  # nothing is pulled back to the inputs


def square_multiply_adds() -> int:
    """Return those of the square product."""
    return _SQUARE_MULTIPLY_ADDS


def square_product(dtype: str) -> Callable[[], object]:
    """Return a product of two square matrices, its output there already."""
    rng = np.random.default_rng(0)
    left, right = (rng.standard_normal((SQUARE, SQUARE)).astype(dtype) for _ in range(2))
    out = np.empty_like(left)
    return lambda: np.matmul(left, right, out=out)


def _step(training: Training, times: int) -> Callable[[], None]:
    """Return `x W` forward, `dW = xᵀ dy` and `dx = dy Wᵀ` backward, for every layer, with outputs ready."""
    products = list(_products(training))

    def run() -> None:
        matmul = np.matmul
        for _ in range(times):
            for left, right, out in products:
                matmul(left, right, out=out)

    return run


def _products(training: Training) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(training.dtype)

    layers = [
        (normal(training.batch, inputs), normal(inputs, outputs), normal(training.batch, outputs))
        for inputs, outputs in pairwise(training.sizes)
    ]
    for x, weight, y in layers:
        yield x, weight, np.empty_like(y)
    for position, (x, weight, y_bar) in reversed(list(enumerate(layers))):
        yield x.T, y_bar, np.empty_like(weight)
        if position:
            yield y_bar, weight.T, np.empty_like(x)
