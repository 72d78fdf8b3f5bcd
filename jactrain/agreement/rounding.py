"""How far rounding moves a gradient: measured by a random change after every operation on the way to it.

A computed sum of n terms is the exact one of terms moved by about `ε √n` of themselves (Higham & Mary 2019,
probabilistic backward error analysis). So what a relative change of *every* number does, measured with
changes of a few ε, says what changes of `ε √n` do: small-sample condition estimation (Kenney & Laub 1994).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jactrain.agreement.shaken import Shaker
from jactrain.arrays import Array
from jactrain.errors import UsageError
from jactrain.modes.base import Plan, modes
from jactrain.objective import Batch, Objective

# A computed number is off by at most this times `ε √terms` times what a change of all by 1 does: rounding is
# at most ε/2 a number, changes are uniform with a deviation of 1/√3, and four deviations leave 1 in 10 000.
FACTOR = 4.0
SAMPLES = 8
# Roundings of a number besides its sum: elementary functions are good to a few ε, a product is one rounding.
OPERATIONS = 4
# Of squares in sum: below it, some that matter may be 0.
_SMALL = 1e-250


def shaken_by(dtype: Any) -> float:
    """Return the relative change to shake by: a few ε of `dtype`.

    No more, so that a unit carried over a kink by it, a jump of any size, is one that rounding may carry over
    it, and is allowed for in full.
    """
    return 4 * float(np.finfo(dtype).eps)


def spread(function: Callable[[Shaker | None], Array], dtype: Any, rng: np.random.Generator) -> Array:
    """Return how far entries of an array move for a relative change of 1 in every number that it is made of.

    function: gives the array, float64, unshaken for None, else with its numbers shaken by the Shaker. Root
    mean square over SAMPLES, linearly scaled; of a `dtype`'s rounding it is `FACTOR ε √terms` times this.
    """
    by = shaken_by(dtype)
    unshaken = function(None)
    shaker = Shaker(rng, by)
    with np.errstate(all="ignore"):  # what overflows gives no bound, and is told so
        changes = np.stack([abs(function(shaker) - unshaken) for _ in range(SAMPLES)])
        largest = float(changes.max(initial=0.0)) or 1.0  # whose square may be more, or less, than there is
        found: Array = largest * np.sqrt(np.square(changes / largest).mean(0)) / by
    return np.where(np.isfinite(found), found, np.inf)


def norm(v: Array) -> float:
    """Return `‖v‖`, of real entries that may be so small that their squares are 0, or infinite."""
    v = np.asarray(v, np.float64)
    squares = float(np.vdot(v, v))
    if _SMALL < squares < math.inf:
        return math.sqrt(squares)
    largest = float(np.abs(v).max(initial=0.0))
    if not math.isfinite(largest):
        return largest
    return largest * float(np.linalg.norm(v / largest)) if largest > 0 else 0.0


def allowed(level: Array, dtype: Any, terms: int) -> float:
    """Return how far rounding in `dtype`, and in a float64 reference, moves what has the spread `level`."""
    single = np.finfo(dtype)
    epsilon = float(single.eps) + float(np.finfo(np.float64).eps)
    underflow = float(single.tiny) * math.sqrt(level.size)
    return FACTOR * math.sqrt(terms) * (epsilon * norm(level) + underflow)


def reason(dtype: Any, terms: int, amplified: str = "as amplified by the rule") -> str:
    """Return in words what `allowed` comes from."""
    return f"rounding: {FACTOR:g} ε √{terms} in {np.dtype(dtype)}, {amplified}"


class Spread(NamedTuple):
    """How far a relative change of 1 in every number moves gradient `(P,)` and losses `(N,)`."""

    gradient: Array
    losses: Array


def spread_of(
    objective: Objective, parameters: Array, batch: Batch, dtype: Any, rng: np.random.Generator
) -> Spread:
    """Return the spread of gradient and losses at `parameters` `(P,)`, for rounding in `dtype`.

    Computed in float64. A network whose layers admit no order of products has a gradient of unknown spread:
    infinite.
    """
    parameters, batch = parameters.astype(np.float64), batch.astype(np.float64)
    plan = products_plan(objective, batch.examples)

    def gradient(shaker: Shaker | None) -> Array:
        own, moved = _moved(parameters, batch, shaker)
        if plan is None:
            return np.full(parameters.shape, np.inf)
        return np.asarray(plan.mode.differentiate(objective, own, moved, plan.decision, rng).gradient)

    moved = spread(gradient, dtype, rng) if plan is not None else gradient(None)
    if moved.shape != parameters.shape:  # of rules that give another form, which is told elsewhere
        moved = np.full(parameters.shape, np.inf)
    return Spread(moved, losses_spread(objective, parameters, batch, dtype, rng))


def losses_spread(
    objective: Objective, parameters: Array, batch: Batch, dtype: Any, rng: np.random.Generator
) -> Array:
    """Return the spread of the examples' losses `(N,)` at `parameters` `(P,)`, all in float64."""

    def losses(shaker: Shaker | None) -> Array:
        own, moved = _moved(parameters, batch, shaker)
        outputs = objective.network.outputs(own, moved.x, moved.noise)
        return np.asarray(objective.loss.forward(np, outputs[None], batch.targets)[0][0])

    return spread(losses, dtype, rng)


def _moved(parameters: Array, batch: Batch, shaker: Shaker | None) -> tuple[Array, Batch]:
    if shaker is None:
        return parameters, batch
    return shaker.on(parameters), batch._replace(x=shaker.on(batch.x))


def products_plan(objective: Objective, examples: int) -> Plan | None:
    """Return the float64 plan of a mode that multiplies the layers' products; None if they admit none."""
    for name in ("reverse", "forward", "mixed"):
        try:
            return modes.resolve(name).prepare(objective, examples, np.float64)
        except UsageError:
            continue
    return None


def terms_of(objective: Objective, examples: int) -> int:
    """Return the roundings on the way to a number: a sum over inputs, outputs or examples, and more."""
    most = examples
    for link in objective.links:
        size = max(1, min(link.input_size, link.output_size))
        most = max(most, math.ceil(max(link.cost.forward, link.cost.jvp, link.cost.vjp) / size))
    return most + OPERATIONS
