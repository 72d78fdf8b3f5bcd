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


def error_of(xp: Namespace, gradient: Array, variance: float) -> float | None:
    """Return the expected L2 error of an unbiased estimate `g` with `E‖g - ∇‖² = variance ‖∇‖²`.

    From the estimate's own length, as `E‖g‖² = (1 + variance) ‖∇‖²`; None while it is traced.
    """
    return float(np.linalg.norm(gradient) * np.sqrt(variance / (1 + variance))) if xp is np else None
