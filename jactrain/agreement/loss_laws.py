"""The laws of a loss: both products against the derivative of `forward` by complex steps or differences."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from jactrain.agreement.derivative import Derivative, derivative_of, norm_of
from jactrain.agreement.examination import STACK
from jactrain.agreement.rounding import OPERATIONS, allowed, reason, spread
from jactrain.agreement.shaken import Shaker
from jactrain.agreement.sides import Sides
from jactrain.arrays import Array
from jactrain.errors import ShapeError
from jactrain.losses.base import Loss

LOSS_PRODUCTS = ("jvp", "vjp")


class LossExamination:
    """A loss at outputs `(1, N, m)` and targets `(N, m)`, with tangents and cotangents drawn from `rng`."""

    def __init__(self, loss: Loss, outputs: Array, targets: Array, rng: np.random.Generator) -> None:
        self._loss = loss
        self._outputs, self._targets = outputs, targets
        self._rng = rng
        self._dtype = outputs.dtype
        self._terms = OPERATIONS + outputs.shape[-1]
        examples = outputs.shape[1]
        self._z_dot = rng.standard_normal((STACK, *outputs.shape[1:])).astype(self._dtype)
        self._value_bar = rng.standard_normal((STACK, examples)).astype(self._dtype)
        self._known: tuple[Derivative, Array] | None = None

    def sides(self, loss: Loss, product: str) -> Iterator[Sides]:
        """Yield both sides of the law about one of LOSS_PRODUCTS, for `loss` or one like it."""
        with np.errstate(all="ignore"):  # what overflows is judged, not warned of
            _, residual = loss.forward(np, self._outputs, self._targets)
            truth, level = self._reference()
            error = allowed(level, self._dtype, self._terms) + norm_of(truth.error, truth.apart)
            why = reason(self._dtype, self._terms)
            if product == "jvp":
                by = "complex step" if loss.analytic else "central difference"
                got = _formed(loss.jvp(np, residual, self._z_dot), self._dtype)
                yield Sides(product, by, got, truth.values, error, why, apart=truth.apart)
                return
            bars = _formed(loss.vjp(np, residual, self._value_bar), self._dtype).astype(np.float64)
            one = loss.vjp(np, residual, self._value_bar[:1])
            yield Sides(product, "stacked apart", one, bars[:1], error, why)
            got = np.einsum("ina,jna->ijn", bars, self._z_dot.astype(np.float64))
            expected = np.einsum("in,jn->ijn", self._value_bar, truth.values)
            largest = float(abs(self._value_bar).max()) * math.sqrt(STACK)
            apart = np.broadcast_to(truth.apart, expected.shape)
            yield Sides(product, "adjoint", got, expected, 2 * largest * error, why, apart=apart)

    def _reference(self) -> tuple[Derivative, Array]:
        """Return the derivative of the losses along the tangents, `(K, N)`, and its spread."""
        if self._known is None:
            z, z_dot = self._outputs.astype(np.float64), self._z_dot.astype(np.float64)
            targets = self._targets.astype(np.float64)

            def values(step: complex) -> Array:
                return self._loss.forward(np, z + step * z_dot, targets)[0]

            def slopes(shaker: Shaker | None) -> Array:
                shaken, tangents = (z, z_dot) if shaker is None else (shaker.on(z), shaker.on(z_dot))
                _, residual = self._loss.forward(np, shaken, targets)
                return np.asarray((self._loss.slope(np, residual) * tangents).sum(-1))

            level = spread(slopes, self._dtype, self._rng)
            size = float(abs(z).max(initial=0.0))

            def crossed(step: float) -> Array:
                sides = (self._loss.pieces(np, z + side * step * z_dot, targets) for side in (-1, 1))
                below, above = sides
                return np.zeros((), bool) if below is None else (below != above).any(2)

            rounding = abs(values(0.0))
            found = derivative_of(values, self._loss.analytic, size, self._terms, rounding, crossed)
            self._known = found, level
        return self._known


def _formed(array: Array, dtype: Any) -> Array:
    """Return `array`; ShapeError unless it has this dtype."""
    if array.dtype != dtype:
        raise ShapeError(f"gives {array.dtype}, not {dtype}")
    return array
