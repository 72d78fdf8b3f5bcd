"""Random directions in parameter space, and how far estimates along them are from the gradient."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field, PositiveInt

from jactrain.arrays import Array, in_pieces, ranges
from jactrain.linearization import Work
from jactrain.modes.base import Exactness, GradientResult, Mode
from jactrain.modes.foreseen import Randomness, Request, drawn_from
from jactrain.modes.memory import MemorySize, memory_bound
from jactrain.objective import Objective

Distribution: TypeAlias = Literal["gaussian", "rademacher", "orthogonal"]


def draw(rng: np.random.Generator, distribution: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return random numbers of mean 0 and variance 1, the same in every dtype, and however they are divided.

    `orthogonal` takes a shape `(K, P)`, K <= P, and returns orthogonal rows of length √P, of a uniformly
    random orientation.
    """
    call = partial(_drawn, distribution=distribution, shape=shape, dtype=dtype)
    return drawn_from(rng, Request(call, shape, np.dtype(dtype)))


def _drawn(rng: np.random.Generator, distribution: str, shape: tuple[int, ...], dtype: Any) -> Array:
    if distribution == "rademacher":
        return np.where(rng.random(shape) < 0.5, -1.0, 1.0).astype(dtype)
    numbers = rng.standard_normal(shape)
    if distribution == "orthogonal":
        numbers = _orthonormal(_orthonormal(numbers)) * np.sqrt(shape[1])  # again, for the last digits
    return numbers.astype(dtype)


def _orthonormal(rows: Array) -> Array:
    """Return the orthonormal rows nearest to `rows`, `(V Vᵀ)^{-1/2} V`.

    Of Gaussian rows their orientation is uniformly random (Chikuse 2003, theorem 2.4.3), and products of
    matrices take a quarter of the time of a QR factorisation.
    """
    values, vectors = np.linalg.eigh(rows @ rows.T)
    return (vectors / np.sqrt(values)) @ vectors.T @ rows


def relative_variance(distribution: str, size: int, directions: int) -> float:
    """Return `E‖g - ∇‖² / ‖∇‖²` of the mean of `(∇·v) v` over `directions` directions v of `size` entries.

    `(P + 1)/K` for Gaussian, `(P - 1)/K` for Rademacher, `P/K - 1` for orthogonal directions.
    """
    if distribution == "orthogonal":
        return size / directions - 1
    return (size + (1 if distribution == "gaussian" else -1)) / directions


class Directional(Mode):
    """Base of the modes whose gradient is the mean of `(slope along v) v` over random directions v."""

    directions: PositiveInt = Field(1, description="Directions of one gradient, K.")
    distribution: Distribution = Field("gaussian", description="Where directions are drawn from.")
    memory: MemorySize | None = memory_bound()

    exactness: ClassVar[Exactness] = Exactness.UNBIASED

    def summed(
        self, objective: Objective, rng: Randomness, width: int, dtype: Any, slopes: Callable[[Array], Array]
    ) -> Array:
        """Return the sum `(P,)` of `(slope along v) v` over the directions v, `width` of them at a time.

        slopes: of directions `(K, P)`, the slopes `(K,)`. Traced, all are drawn at once, and the program does
        not grow with how many there are.
        """
        xp, size = objective.xp, objective.network.size
        drawn = partial(draw, rng, self.distribution, dtype=dtype)
        if xp is not np:
            every = xp.asarray(drawn((self.directions, size)))
            return in_pieces(xp, lambda numbers: slopes(every[numbers]), self.directions, width) @ every
        whole: Array | None = drawn((self.directions, size)) if self.distribution == "orthogonal" else None
        total: Array = 0
        for start, stop in ranges(self.directions, width):
            own = drawn((stop - start, size)) if whole is None else whole[start:stop]
            total = total + slopes(own) @ own
        return total

    def expected_error(self, objective: Objective) -> float:
        """Return the root of the relative variance."""
        return math.sqrt(relative_variance(self.distribution, objective.network.size, self.directions))

    def estimate(self, objective: Objective, value: Array, total: Array, work: Work) -> GradientResult:
        """Return the result for the sum `total` of `(slope along v) v`, with the error to expect of it.

        From the estimate's own length, as `E‖g‖² = (1 + variance) ‖∇‖²`; no error while it is traced.
        """
        gradient = total / self.directions
        if objective.xp is not np:
            return GradientResult(value, gradient, work)
        expected = self.expected_error(objective)
        error = float(np.linalg.norm(gradient)) * expected / math.hypot(1, expected)
        return GradientResult(value, gradient, work, error)
