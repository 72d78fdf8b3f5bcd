"""Bias, variance and angle of an estimator, from repeated draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from jactrain.arrays import Array
from jactrain.modes.base import Mode
from jactrain.modes.gradients import Gradients
from jactrain.objective import Batch
from jactrain.training.experiment import Experiment, generators


@dataclass(frozen=True)
class Estimate:
    """How the draws `g_r` of a gradient `g` lie around it; None where g is zero or a draw is not finite.

    relative_bias: `‖mean g_r − g‖ / ‖g‖`, which for an unbiased estimator is about as large as
    bias_standard_error: `√(Σ var / R) / ‖g‖`; relative_variance: `Σ var / ‖g‖²`, of single draws, by the
    unbiased sample variance of every entry; cosine: the mean of those of the draws with g.
    """

    relative_bias: float | None = None
    bias_standard_error: float | None = None
    relative_variance: float | None = None
    cosine: float | None = None


def estimate(draw: Callable[[], Array], gradient: Array, draws: int) -> Estimate:
    """Return how `draws` calls of `draw` lie around `gradient` `(P,)`; one is enough if nothing is random."""
    reference = np.asarray(gradient, np.float64)
    length = float(np.linalg.norm(reference))
    if not (length > 0 and math.isfinite(length)):
        return Estimate()
    reference = reference / length
    # Of differences from the gradient, so that a small variance is not lost beside it.
    total, squares, cosines = np.zeros_like(reference), 0.0, []
    for _ in range(draws):
        drawn = np.asarray(draw(), np.float64) / length
        difference = drawn - reference
        total += difference
        squares += float(difference @ difference)
        own = float(np.linalg.norm(drawn))
        cosines.append(float(np.clip(drawn @ reference / own, -1, 1)) if own > 0 else math.nan)
    mean = total / draws
    bias = float(np.linalg.norm(mean))
    variance = max(0.0, squares - draws * bias * bias) / (draws - 1) if draws > 1 else 0.0
    return Estimate(
        finite(bias), finite(math.sqrt(variance / draws)), finite(variance), finite(float(np.mean(cosines)))
    )


def estimates_along(
    points: Mapping[int, Array],
    mode: Mode,
    reference: Mode,
    experiment: Experiment,
    batch: Batch,
    draws: int,
) -> dict[int, Estimate]:
    """Return how `draws` gradients of `batch` by `mode` lie around the reference's, at each of `points`.

    points: parameters `(P,)` by their step. A mode that draws nothing is asked once. Nothing is returned if
    it raises: it has trained, and that is what is told of it.
    """
    exact, own = Gradients(reference, experiment.objective), Gradients(mode, experiment.objective)
    rng = mode_generator(experiment.seed)
    found = {}
    try:
        with np.errstate(all="ignore"):
            for step, parameters in points.items():
                expected = exact(parameters, batch, rng).gradient
                drawing = partial(_drawn, own, parameters, batch, rng)
                found[step] = estimate(drawing, expected, 1 if mode.recordable else draws)
    except Exception:  # a mode from elsewhere may raise anything
        return {}
    return found


def mode_generator(seed: int) -> np.random.Generator:
    """Return a new generator for a mode's draws, the same for the same `seed`."""
    return generators(seed).mode


def _drawn(gradients: Gradients, parameters: Array, batch: Batch, rng: np.random.Generator) -> Array:
    return gradients(parameters, batch, rng).gradient


def finite(number: float | None) -> float | None:
    """Return `number` as JSON can hold it: None where it is not finite."""
    return None if number is None or not math.isfinite(number) else float(number)
