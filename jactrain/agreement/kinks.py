"""Kinks that a difference quotient spans: units that lie on another smooth piece at its ends."""

from __future__ import annotations

import numpy as np

from jactrain.arrays import Array, ranges
from jactrain.losses.base import Loss
from jactrain.modes.perturbation import Perturbation
from jactrain.objective import Batch, Objective

_STACK_ENTRIES = 2**18  # of all units of a stack at once


def crossings(objective: Objective, mode: Perturbation, parameters: Array, batch: Batch) -> Array:
    """Return how many units, over the examples, an entry's difference carries over a kink: `(P,)` integers.

    Counted is where the loss is evaluated farthest from the parameters. A smooth network has none. A complex
    step carries over a kink what lies on it to the last bit.
    """
    if mode.dtype is not None:
        parameters, batch = parameters.astype(mode.dtype), batch.astype(mode.dtype)
    own = _pieces(objective, parameters[None], batch)
    counts = np.zeros(len(parameters), int)
    if own is None:
        return counts
    steps, offsets = mode.steps(np, parameters), mode.offsets
    width = max(1, _STACK_ENTRIES // own.size)
    is_complex = np.iscomplexobj(offsets)
    dtype = np.result_type(parameters.dtype, *([np.complex64] if is_complex else []))
    for offset in offsets if is_complex else np.unique([offsets.min(), offsets.max()]):
        for start, stop in ranges(len(parameters), width):
            moved = np.tile(parameters.astype(dtype), (stop - start, 1))
            moved[np.arange(stop - start), np.arange(start, stop)] += (offset * steps[start:stop]).astype(
                dtype
            )
            pieces = _pieces(objective, moved, batch)
            counts[start:stop] += (pieces != own).sum(axis=(1, 2))
    return counts


def within_a_step(
    objective: Objective, parameters: Array, batch: Batch, step: float, rng: np.random.Generator
) -> bool:
    """Return whether any unit has a kink within `step` of the parameters `(P,)`, in a random direction.

    Estimates from values on both sides of one then have another mean than any rule has slopes.
    """
    double, batch = parameters.astype(np.float64), batch.astype(np.float64)
    moves = step * rng.choice([-1.0, 1.0], len(double))
    below, above = (_pieces(objective, (double + side * moves)[None], batch) for side in (-1, 1))
    return below is not None and above is not None and not np.array_equal(below, above)


def _pieces(objective: Objective, parameters: Array, batch: Batch) -> Array | None:
    """Return the piece of every unit, `(K, N, units)`, for `parameters` `(K, P)`; None if all are smooth."""
    chain, params = objective.network.chain, objective.network.layout.views(parameters)
    x, found = batch.x[None], []
    pieces = chain.pieces(np, params, x, batch.noise)
    if pieces is not None:
        found.append(pieces)
    if type(objective.loss).pieces is Loss.pieces:  # smooth: the outputs need not be known
        return found[0] if found else None
    outputs, _ = chain.forward(np, params, x, batch.noise)
    own = objective.loss.pieces(np, outputs, batch.targets)
    stack = len(parameters)
    return np.concatenate([np.broadcast_to(each, (stack, *each.shape[1:])) for each in (*found, own)], axis=2)
