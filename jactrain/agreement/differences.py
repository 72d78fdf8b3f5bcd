"""The noise floor of finite differences, entry by entry, from further step sizes and from rounding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jactrain.agreement.rounding import FACTOR
from jactrain.arrays import Array, ranges
from jactrain.modes.finite_difference import SCHEMES, FiniteDifference
from jactrain.objective import Batch, Objective

_DOUBLE = float(np.finfo(np.float64).eps)
_STACK_ENTRIES = 2**18  # of the widest layer, of a stack at once


class Floor(NamedTuple):
    """How far every entry's difference quotient may be off, `(P,)` each, float64: infinite where unknown."""

    truncation: Array
    rounding: Array


def noise_floor(
    mode: FiniteDifference,
    objective: Objective,
    parameters: Array,
    batch: Batch,
    gradient: Array,
    losses: Array,
) -> Floor:
    """Return the noise floor of `gradient` `(P,)`, computed by `mode` from values alone.

    losses: how far rounding moves the examples' losses, `(N,)`, relative to ε. Values a step away are off by
    that, and a quotient by its share `Σ |weight| / h`; besides, `θ + h` is rounded, to `ε^{1-q}` of a step
    `h = ε^q`. Truncation is measured in float64 whatever the network's dtype.
    """
    scheme, working = SCHEMES[mode.scheme], np.dtype(mode.dtype or parameters.dtype)
    epsilon = float(np.finfo(working).eps)
    steps = mode.steps(np, parameters.astype(working)).astype(np.float64)
    of_mean = epsilon * float(np.linalg.norm(losses)) / batch.examples
    rounding = of_mean * sum(abs(weight) for weight in scheme.weights) / steps
    rounding += FACTOR * epsilon ** (1 - scheme.step_power) * abs(gradient.astype(np.float64))
    double = _Values(objective, parameters.astype(np.float64), batch.astype(np.float64))
    truncation = _truncation(mode.scheme, working, double, steps, of_mean * _DOUBLE / epsilon)
    return Floor(np.where(np.isfinite(truncation), truncation, np.inf), rounding)


def _truncation(
    scheme: str, working: np.dtype[np.floating], values: _Values, steps: Array, noise: float
) -> Array:
    """Return an estimate of the truncation of every entry, `(P,)`; `noise` is what moves values in float64.

    Where the step is far above the best one of central differences in float64, these are the measure; else
    quotients of twice the step are.
    """
    quotient = values.quotient(scheme, steps)
    if scheme != "five_point" and working == np.float64:
        return values.doubt(scheme, steps)
    short = _DOUBLE ** (1 / 3) * np.maximum(1, abs(values.parameters))
    measure = values.quotient("central", short)
    doubt = values.doubt("central", short) + noise / short
    measured = abs(quotient - measure) + doubt
    if working != np.float64:
        return measured
    # Five points in float64 are better than what they would be measured by, if they agree with it.
    return np.where(abs(quotient - measure) <= 2 * doubt, values.doubt(scheme, steps), measured)


class _Values:
    """Changes of the objective as single parameters are moved, in float64; each distance evaluated once."""

    def __init__(self, objective: Objective, parameters: Array, batch: Batch) -> None:
        self.parameters = parameters
        self._objective = objective
        self._batch = batch
        self._point = objective.evaluate(parameters, batch)
        self._known: dict[bytes, Array] = {}

    def change(self, moves: Array) -> Array:
        """Return the changes of the objective as each parameter alone moves by its `moves` `(P,)`."""
        key = moves.tobytes()
        if key not in self._known:
            self._known[key] = self._evaluated(moves)
        return self._known[key]

    def quotient(self, scheme: str, steps: Array) -> Array:
        """Return the scheme's difference quotients `(P,)` with `steps` `(P,)`."""
        offsets, weights, _ = SCHEMES[scheme]
        terms = (
            weight * self.change(offset * steps) for offset, weight in zip(offsets, weights, strict=True)
        )
        return sum(terms, np.zeros(len(steps))) / steps

    def doubt(self, scheme: str, steps: Array) -> Array:
        """Return `2 |q(h) - q(2h)| + |bend|` of every entry, `(P,)`, q the scheme's quotient.

        The bend is what second differences `D(h) = (f(+h) - 2 f + f(-h)) / h` have beyond those of a smooth
        function, `D(2h) - 2 D(h) = O(h³)`: it is not small where a kink lies next to the parameter, which
        quotients of both steps may feel alike. Together the two are at least the error for one kink, wherever
        it lies.
        """
        twice = 2 * abs(self.quotient(scheme, steps) - self.quotient(scheme, 2 * steps))
        bend = self._second(2 * steps) - 2 * self._second(steps)
        if scheme == "five_point":  # of the next order, as the scheme is
            bend = (self._second(4 * steps) - 2 * self._second(2 * steps) - 8 * bend) / 7
        return twice + abs(bend)

    def _second(self, steps: Array) -> Array:
        return (self.change(steps) + self.change(-steps)) / steps

    def _evaluated(self, moves: Array) -> Array:
        objective, examples, point = self._objective, self._batch.examples, self._point
        widest = max(max(link.input_size, link.output_size) for link in objective.links)
        changes = []
        for position, link in enumerate(objective.links):
            own = moves[link.part]
            for path, part in zip(link.layout.paths, link.layout.slices, strict=True):
                count = part.stop - part.start
                for start, stop in ranges(count, max(1, _STACK_ENTRIES // (widest * examples))):
                    some = own[part][start:stop]
                    losses = point.perturbed(position, path, np.arange(start, stop), some)
                    changes.append((losses - point.losses).sum(-1) / examples)
        return np.concatenate(changes)
