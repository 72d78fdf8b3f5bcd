"""Finite differences: values of the loss alone, at perturbed parameters."""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from jactrain.arrays import Array, Namespace
from jactrain.modes.base import Exactness, modes
from jactrain.modes.perturbation import Perturbation


class Scheme(NamedTuple):
    """A difference quotient `Σ weight · f(θ + offset h) / h`, and the power of ε its step is."""

    offsets: tuple[float, ...]
    weights: tuple[float, ...]
    step_power: float


# Truncation O(h), O(h²), O(h⁴) balanced against rounding ε|f|/h: h = ε^{1/2}, ε^{1/3}, ε^{1/5}.
SCHEMES = {
    "forward": Scheme((1.0,), (1.0,), 1 / 2),
    "central": Scheme((1.0, -1.0), (0.5, -0.5), 1 / 3),
    "five_point": Scheme((1.0, -1.0, 2.0, -2.0), (2 / 3, -2 / 3, -1 / 12, 1 / 12), 1 / 5),
}


@modes.register("finite_difference")
class FiniteDifference(Perturbation):
    """Difference quotients of the loss, one parameter at a time, from `forward` alone.

    The step is `h = ε^q max(1, |θ_i|)`, `ε` the machine epsilon. Differences of float32 values keep about
    three digits: `dtype: float64` evaluates a float32 network with more.
    """

    scheme: Literal["forward", "central", "five_point"] = Field(
        "central", description="One, two or four values an entry; error O(h), O(h²), O(h⁴)."
    )

    exactness: ClassVar[Exactness] = Exactness.TRUNCATED

    @property
    def offsets(self) -> Array:
        """The scheme's."""
        return np.array(SCHEMES[self.scheme].offsets)

    def steps(self, xp: Namespace, parameters: Array) -> Array:
        """Return `h`, realised: what is added to a parameter is what is divided by."""
        epsilon = float(np.finfo(parameters.dtype).eps)
        step = epsilon ** SCHEMES[self.scheme].step_power * xp.maximum(1, abs(parameters))
        return (parameters + step) - parameters

    def derivatives(self, xp: Namespace, losses: Array, unmoved: Array, steps: Array) -> Array:
        """Return the quotients."""
        weights = np.asarray(SCHEMES[self.scheme].weights, steps.dtype)
        # Differences example by example, before the mean: less is cancelled than in their means.
        changes = (losses - unmoved).sum(-1)
        return weights @ changes / (losses.shape[-1] * steps)

    def error_estimate(self, value: Array, steps: Array, epsilon: float) -> Array:
        """Return twice the rounding `ε|f|/h` of every entry: truncation is chosen to be about as large."""
        rounding = epsilon * abs(value) / steps
        return 2 * np.sqrt((rounding * rounding).sum())
