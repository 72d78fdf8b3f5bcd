"""Estimates of a gradient, judged by their standard error over repeated draws; biased ones by angle alone."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jactrain.agreement.compare import Agreement, Comparison, Verdict, compare, listed, unjudged
from jactrain.agreement.kinks import within_a_step
from jactrain.agreement.rounding import norm
from jactrain.arrays import Array
from jactrain.layers.base import Product
from jactrain.modes.base import Exactness, GradientResult, Mode
from jactrain.objective import Batch, Objective

DRAWS = 100
# Standard errors that a mean may be off by. Beyond them it is drawn anew, more often, before it is accused:
# few draws know their own deviation badly, and what is off by chance is not off again.
_SIGMAS = 5.0
_AGAIN = 8
# Of the gradient: where steps explain as much, it is not the slope at the parameters that is estimated.
_STEPS_TOO_LONG = 0.5


class _Drawn(NamedTuple):
    """Statistics of draws of an estimate, `(P,)` each, float64.

    error: the standard error of the mean; bias: what finite steps add to it; slopes: of every draw along the
    reference, over its squared length, `(draws, 1 + blocks)`: 1 on average.
    """

    mean: Array
    error: Array
    bias: Array
    slopes: Array
    result: GradientResult


def judge(
    mode: Mode,
    objective: Objective,
    parameters: Array,
    batch: Batch,
    reference: Array,
    rounding: Array,
    rng: np.random.Generator,
    draws: int = DRAWS,
) -> tuple[Comparison, GradientResult]:
    """Return how the mean of many gradients by an estimator compares with `reference` `(P,)`, and one.

    An unbiased one agrees if its mean, along the reference, is the reference but for `_SIGMAS` standard
    errors and what steps and rounding explain, over the whole vector and over each parameter. So its relative
    error is that along the reference, which a mean of draws shows far better than the rest; besides, it may
    be no farther off in all directions than these explain. rounding: of the entries `(P,)` of the reference
    and of the estimate, as `tolerance` knows it.
    """

    def drawn(count: int) -> _Drawn:
        return _draw(mode, objective, parameters, batch, reference, rng, count)

    if mode.exactness is Exactness.BIASED:
        once = drawn(1)
        return _biased(once, reference, objective), once.result
    several = drawn(draws)
    found = _judged(several, reference, rounding, objective, draws)
    if found.verdict is Verdict.DISAGREE:
        found = _judged(drawn(_AGAIN * draws), reference, rounding, objective, _AGAIN * draws)
    step = mode.step_in(parameters.dtype)
    wrong = found.verdict is Verdict.DISAGREE
    if wrong and step is not None and within_a_step(objective, parameters, batch, step, rng):
        whole = replace(found.whole, verdict=Verdict.UNDECIDED)
        found = Comparison(whole, found.blocks, f"units have kinks within a step; {found.reason}")
    return found, several.result


def _draw(
    mode: Mode,
    objective: Objective,
    parameters: Array,
    batch: Batch,
    reference: Array,
    rng: np.random.Generator,
    draws: int,
) -> _Drawn:
    again = copy.deepcopy(rng)
    plan = mode.prepare(objective, batch.examples, parameters.dtype)
    r = reference.astype(np.float64)
    parts = _parts(objective)
    squares = np.array([r[part] @ r[part] for part in parts])
    mean, spread = np.zeros(len(r)), np.zeros(len(r))
    slopes = np.empty((draws, len(parts)))
    for number in range(draws):
        result = mode.value_and_gradient(objective, parameters, batch, plan, rng)
        g = result.gradient.astype(np.float64)
        change = g - mean
        mean = mean + change / (number + 1)  # Welford (1962)
        spread = spread + change * (g - mean)
        slopes[number] = np.array([g[part] @ r[part] for part in parts]) / squares
    error = np.sqrt(spread / max(1, draws - 1) / draws)
    bias = np.zeros(len(r))
    if mode.uses == {Product.FORWARD}:
        bias = mean - _mean_of_short_steps(mode, objective, parameters, batch, again, draws)
    return _Drawn(mean, error, bias, slopes, result)


def _mean_of_short_steps(
    mode: Mode, objective: Objective, parameters: Array, batch: Batch, rng: np.random.Generator, draws: int
) -> Array:
    """Return the mean of the same draws in float64, with short steps: what differs is due to the steps."""
    parameters, batch = parameters.astype(np.float64), batch.astype(np.float64)
    short = mode.with_step(math.sqrt(float(np.finfo(np.float64).eps)))
    plan = short.prepare(objective, batch.examples, np.float64)
    total = np.zeros(len(parameters))
    for _ in range(draws):
        total += short.value_and_gradient(objective, parameters, batch, plan, rng).gradient
    return total / draws


def _parts(objective: Objective) -> list[slice]:
    """Return where the whole vector lies, and each parameter in it."""
    return [slice(0, objective.network.size), *objective.network.layout.slices]


def _judged(drawn: _Drawn, reference: Array, rounding: Array, objective: Objective, draws: int) -> Comparison:
    figures = compare(drawn.mean, reference, objective.network.layout)
    means = drawn.slopes.mean(0)
    errors = drawn.slopes.std(0, ddof=1) / math.sqrt(draws)
    whole, *blocks = [
        _verdict(agreement, drawn, reference.astype(np.float64), rounding, part, mean, error)
        for agreement, part, mean, error in zip(
            [figures.whole, *figures.blocks.values()], _parts(objective), means, errors, strict=True
        )
    ]
    by_name = dict(zip(figures.blocks, blocks, strict=True))
    explained = (norm(drawn.bias) + norm(rounding)) / max(norm(reference), float(np.finfo(float).tiny))
    reason = (
        f"the mean of {draws} draws is {means[0]:.3g} ± {errors[0]:.2g} of the gradient along it; allowed "
        f"are {_SIGMAS:g} standard errors, and {explained:.1e} for steps and rounding"
    )
    wrong = [name for name, block in by_name.items() if block.verdict is Verdict.DISAGREE]
    if explained >= _STEPS_TOO_LONG:
        whole = replace(whole, verdict=Verdict.UNDECIDED)
        reason = f"its steps are too long for this loss: {reason}"
    elif wrong:
        whole = replace(whole, verdict=Verdict.DISAGREE)
        reason = f"{listed(wrong)} off by more than chance explains; over the whole vector {reason}"
    return Comparison(whole, by_name, reason)


def _verdict(
    agreement: Agreement,
    drawn: _Drawn,
    reference: Array,
    rounding: Array,
    part: slice,
    mean: float,
    of_mean: float,
) -> Agreement:
    """Return the figures of one part of the vector with what is allowed and the verdict.

    mean, of_mean: of the slopes along the reference, and its standard error.
    """
    length = norm(reference[part])
    if not (length > 0 and math.isfinite(mean) and math.isfinite(of_mean)):
        return replace(agreement, verdict=Verdict.UNDECIDED)
    error, explained = drawn.error[part], norm(drawn.bias[part]) + norm(rounding[part])
    along, allowed = abs(mean - 1), _SIGMAS * of_mean + explained / length
    # ‖mean - r‖² is a sum of at most this many independent squares, whose root spreads by 1/√(2 n) of itself;
    # twice that, since entries of one draw come together, and a few large draws make the sum.
    squares = float((error**2).sum()) ** 2 / max(float((error**4).sum()), np.finfo(float).tiny)
    farthest = 2 * norm(error) * (1 + _SIGMAS / math.sqrt(max(1.0, squares))) + explained
    verdict = Verdict.of(along, allowed, 1.0)
    if norm(drawn.mean[part] - reference[part]) > farthest:
        verdict = Verdict.DISAGREE
    finite = allowed if math.isfinite(allowed) else None
    return replace(agreement, relative_error=along, allowed=finite, verdict=verdict)


def _biased(drawn: _Drawn, reference: Array, objective: Objective) -> Comparison:
    figures = compare(drawn.mean, reference, objective.network.layout)
    cosine = figures.whole.cosine
    if cosine is None:
        return unjudged(figures, "a biased estimate, without an angle here")
    return unjudged(figures, f"a biased estimate: only its angle means something, of cosine {cosine:.3g}")
