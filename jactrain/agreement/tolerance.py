"""The difference that is allowed between two gradients, derived from how each is computed, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from jactrain.agreement.differences import noise_floor
from jactrain.agreement.kinks import crossings
from jactrain.agreement.rounding import FACTOR, Spread, losses_spread, norm, reason, spread_of, terms_of
from jactrain.arrays import Array
from jactrain.layers.base import Product
from jactrain.modes.base import Exactness, GradientResult, Mode
from jactrain.modes.finite_difference import FiniteDifference
from jactrain.modes.perturbation import Perturbation
from jactrain.objective import Batch, Objective


@dataclass(frozen=True)
class Uncertainty:
    """How far a computed gradient may be off, and why.

    entries: of every entry, `(P,)`, float64, infinite where unknown; L2 norms over a block bound its error.
    crossings: how many units the entry's difference carries over a kink, `(P,)`: such entries are set apart.
    """

    entries: Array
    reason: str
    crossings: Array

    def with_other(self, other: Uncertainty) -> Uncertainty:
        """Return what two gradients may differ by, with the reason of the one that is farther off."""
        larger = max(self, other, key=lambda each: norm(each.entries))
        return Uncertainty(self.entries + other.entries, larger.reason, self.crossings + other.crossings)


class Tolerance:
    """What gradients of one objective, at one point, may be off by, for every mode that is no estimator.

    Modes compute in the dtype of the parameters unless they name another. How rounding is amplified on the
    way is measured once, on the network itself; see `rounding`.
    """

    def __init__(
        self, objective: Objective, parameters: Array, batch: Batch, rng: np.random.Generator
    ) -> None:
        self._objective = objective
        self._parameters = parameters
        self._batch = batch
        self._rng = rng
        self.terms = terms_of(objective, batch.examples)

    @cached_property
    def spread(self) -> Spread:
        """How far a relative change of 1 in every number moves the gradient and the losses."""
        return spread_of(self._objective, self._parameters, self._batch, self._parameters.dtype, self._rng)

    def of(self, mode: Mode, result: GradientResult) -> Uncertainty:
        """Return how far `result`, computed by `mode`, may be off."""
        if isinstance(mode, FiniteDifference):
            return self._of_differences(mode, result)
        if mode.exactness is Exactness.TRUNCATED:
            return self._as_estimated(mode, result)
        return self._of_rounding(mode, result)

    def of_draws(self, mode: Mode) -> float:
        """Return how far rounding moves every entry of an estimate by `mode`, besides what draws do.

        An estimate from values sees none of a change that is smaller than what rounds them.
        """
        if mode.uses != {Product.FORWARD}:
            return 0.0
        dtype = self._parameters.dtype
        step = mode.step_in(dtype)
        losses = norm(self.spread.losses) / self._batch.examples
        return math.inf if step is None else self._factor(dtype) * losses / step

    def _of_rounding(self, mode: Mode, result: GradientResult) -> Uncertainty:
        working = mode.working_dtype(self._parameters.dtype)
        entries = self._factor(working) * self.spread.gradient + self._underflow(mode, working)
        amplified = _ratio(norm(self.spread.gradient), norm(result.gradient.astype(np.float64)))
        return Uncertainty(
            entries,
            reason(working, self.terms, f"amplified {amplified} times on the way"),
            self._crossings(mode),
        )

    def _of_differences(self, mode: FiniteDifference, result: GradientResult) -> Uncertainty:
        objective, parameters, batch = self._objective, self._parameters, self._batch
        losses = FACTOR * math.sqrt(self.terms) * self._losses_around(mode)
        with np.errstate(all="ignore"):  # what overflows is of unknown error
            floor = noise_floor(mode, objective, parameters, batch, result.gradient, losses)
            lengths = [norm(part) for part in floor]
        largest = "rounding of the values" if lengths[1] > lengths[0] else "truncation"
        working = mode.dtype or parameters.dtype
        return Uncertainty(
            floor.truncation + floor.rounding + self._underflow(mode, mode.working_dtype(parameters.dtype)),
            f"noise floor of {mode.scheme.replace('_', '-')} differences in {working}, mostly {largest}",
            self._crossings(mode),
        )

    def _losses_around(self, mode: FiniteDifference) -> Array:
        """Return the spread of the losses, here and a step away: near a fit it is larger there."""
        double, batch = self._parameters.astype(np.float64), self._batch.astype(np.float64)
        working = mode.working_dtype(self._parameters.dtype)
        steps = mode.steps(np, self._parameters.astype(working)) * float(abs(mode.offsets).max())
        sides = [self._rng.choice([-1.0, 1.0], len(steps)) for _ in range(2)]
        away = [
            losses_spread(self._objective, double + side * steps, batch, working, self._rng) for side in sides
        ]
        return np.max([self.spread.losses, *away], axis=0)

    def _as_estimated(self, mode: Mode, result: GradientResult) -> Uncertainty:
        """Return what a truncated mode from elsewhere says of itself, spread over the entries."""
        estimate = math.inf if result.error_estimate is None else result.error_estimate
        entries = np.full(len(result.gradient), estimate / math.sqrt(len(result.gradient)))
        return Uncertainty(entries, f"the error that {mode.kind} estimates of itself", self._crossings(mode))

    def _factor(self, working: np.dtype[Any]) -> float:
        return FACTOR * float(np.finfo(working).eps) * math.sqrt(self.terms)

    def _underflow(self, mode: Mode, working: np.dtype[Any]) -> float:
        """Return what is lost below the smallest normal number, of imaginary parts over their step too."""
        smallest = FACTOR * float(np.finfo(working).tiny) * self.terms
        if isinstance(mode, Perturbation):
            smallest /= float(mode.steps(np, np.ones(1, working))[0])
        return smallest

    def _crossings(self, mode: Mode) -> Array:
        if not isinstance(mode, Perturbation):
            return np.zeros(len(self._parameters), int)
        with np.errstate(all="ignore"):
            return crossings(self._objective, mode, self._parameters, self._batch)


def _ratio(numerator: float, denominator: float) -> str:
    """Return a ratio as text, to two digits."""
    ratio = numerator / denominator if denominator > 0 else math.inf
    return f"{ratio:.2g}" if math.isfinite(ratio) else "without bound"
