"""Random directions in parameter space, and how far estimates along them are from the gradient."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np

from jactrain.arrays import Array, Namespace

Distribution: TypeAlias = Literal["gaussian", "rademacher", "orthogonal"]


def draw(rng: np.random.Generator, distribution: str, shape: tuple[int, ...], dtype: Any) -> Array:
    """Return random numbers of mean 0 and variance 1, the same in every dtype, and however they are divided.

    `orthogonal` takes a shape `(K, P)`, K <= P, and returns orthogonal rows of length √P, of a uniformly
    random orientation.
    """
    if distribution == "rademacher":
        return np.where(rng.random(shape) < 0.5, -1.0, 1.0).astype(dtype)
    numbers = rng.standard_normal(shape)
    if distribution == "orthogonal":
        q, r = np.linalg.qr(numbers.T)
        # The signs make the orientation uniform (Mezzadri 2007, §5).
        numbers = (q * np.sign(np.diag(r))).T * np.sqrt(shape[1])
    return numbers.astype(dtype)


def relative_variance(distribution: str, size: int, directions: int) -> float:
    """Return `E‖g - ∇‖² / ‖∇‖²` of the mean of `(∇·v) v` over `directions` directions v of `size` entries.

    `(P + 1)/K` for Gaussian, `(P - 1)/K` for Rademacher, `P/K - 1` for orthogonal directions.
    """
    if distribution == "orthogonal":
        return size / directions - 1
    return (size + (1 if distribution == "gaussian" else -1)) / directions


def error_of(xp: Namespace, gradient: Array, variance: float) -> float | None:
    """Return the expected L2 error of an unbiased estimate `g` with `E‖g - ∇‖² = variance ‖∇‖²`.

    From the estimate's own length, as `E‖g‖² = (1 + variance) ‖∇‖²`; None while it is traced.
    """
    return float(np.linalg.norm(gradient) * np.sqrt(variance / (1 + variance))) if xp is np else None
