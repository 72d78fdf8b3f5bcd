"""How far rounding moves a gradient: measured by shaking every number that is kept on the way to it.

A computed sum of n terms is the exact one of terms moved by about `ε √n` of themselves (Higham & Mary 2019,
probabilistic backward error analysis). So what a relative change of *every* number does, measured with
changes large enough to be seen, says what changes of `ε √n` do: small-sample condition estimation (Kenney &
Laub 1994), link by link.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, TypeVar

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import UsageError
from jactrain.layers.base import Layer
from jactrain.modes.base import Plan, modes
from jactrain.network import Network
from jactrain.objective import Batch, Objective
from jactrain.registry import Component

C = TypeVar("C", bound=Component)

# A computed number is off by at most this times `ε √terms` times what a change of all by 1 does: rounding is
# at most ε/2 a number, changes are uniform with a deviation of 1/√3, and four deviations leave 1 in 10 000.
FACTOR = 4.0
SAMPLES = 8
# Roundings of a rule besides its sums: a handful of operations, elementary functions good to a few ε.
OPERATIONS = 16


class Shaker:
    """Changes every entry of the arrays it is given by a uniformly random part of `by` of itself."""

    def __init__(self, rng: np.random.Generator, by: float) -> None:
        self._rng = rng
        self._by = by

    def __call__(self, value: Any) -> Any:
        """Return `value` with its arrays shaken, in whatever lists, tuples and mappings they are."""
        if isinstance(value, np.ndarray):
            if value.dtype.kind not in "fc":  # places and truth values stay
                return value
            return value * (1 + self._rng.uniform(-self._by, self._by, value.shape))
        if isinstance(value, list):
            return [self(part) for part in value]
        if isinstance(value, tuple):
            parts = [self(part) for part in value]
            return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
        if isinstance(value, dict):
            return {name: self(part) for name, part in value.items()}
        return value


class Switch:
    """Shakes what it is given by the shaker that is on; nothing while it is None."""

    def __init__(self) -> None:
        self.shaker: Shaker | None = None

    def __call__(self, value: Any) -> Any:
        """Return `value`, shaken if a shaker is on."""
        return value if self.shaker is None else self.shaker(value)


def shaken_by(dtype: Any) -> float:
    """Return the relative change to shake by: a few ε of `dtype`, and large beside those of float64.

    Numbers that rounding in `dtype` might carry over a kink are then carried over it.
    """
    return max(4 * float(np.finfo(dtype).eps), 2.0**-40)


def spread(function: Callable[[Shaker | None], Array], dtype: Any, rng: np.random.Generator) -> Array:
    """Return how far entries of an array move for a relative change of 1 in every number that it is made of.

    function: gives the array, float64, unshaken for None, else with its numbers shaken by the Shaker. Root
    mean square over SAMPLES, linearly scaled; of a `dtype`'s rounding it is `FACTOR ε √terms` times this.
    """
    by = shaken_by(dtype)
    unshaken = function(None)
    squares: Array = 0.0
    with np.errstate(all="ignore"):  # what overflows gives no bound, and is told so
        for _ in range(SAMPLES):
            change = function(Shaker(rng, by)) - unshaken
            squares = squares + np.square(abs(change))
        found: Array = np.sqrt(squares / SAMPLES) / by
    return np.where(np.isfinite(found), found, np.inf)


def allowed(level: Array, dtype: Any, terms: int) -> float:
    """Return how far rounding in `dtype`, and in a float64 reference, moves what has the spread `level`."""
    single = np.finfo(dtype)
    epsilon = float(single.eps) + float(np.finfo(np.float64).eps)
    underflow = float(single.tiny) * math.sqrt(level.size)
    return FACTOR * math.sqrt(terms) * (epsilon * float(np.linalg.norm(level)) + underflow)


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
    switch = Switch()
    chain = [shaking(link.layer, switch) for link in objective.links]
    shaken = Objective(Network(chain, objective.network.input_shape), shaking(objective.loss, switch))
    plan = products_plan(shaken, batch.examples)

    def gradient(shaker: Shaker | None) -> Array:
        switch.shaker = shaker
        if plan is None:
            return np.full(parameters.shape, np.inf)
        moved = batch._replace(x=switch(batch.x))
        return plan.mode.differentiate(shaken, switch(parameters), moved, plan.decision, rng).gradient

    def losses(shaker: Shaker | None) -> Array:
        switch.shaker = shaker
        outputs = shaken.network.outputs(switch(parameters), switch(batch.x), batch.noise)
        return shaken.loss.forward(np, outputs[None], batch.targets)[0][0]

    moved = spread(gradient, dtype, rng) if plan is not None else gradient(None)
    if moved.shape != parameters.shape:  # of rules that give another form, which is told elsewhere
        moved = np.full(parameters.shape, np.inf)
    return Spread(moved, spread(losses, dtype, rng))


_RULES = ("forward", "jvp", "vjp", "parameter_jvp", "parameter_vjp", "single_jvp")


def shaking(component: C, switch: Switch) -> C:
    """Return a layer or loss like `component`, all of whose results pass through `switch`, residuals too.

    Of a layer that is made of layers, theirs do.
    """
    fields = {name: getattr(component, name) for name in type(component).model_fields}
    inner = {name: value for name, value in fields.items() if _holds_layers(value)}
    if inner:
        within = {name: [shaking(layer, switch) for layer in value] for name, value in inner.items()}
        copy = type(component)(**{**fields, **within})
    else:
        copy = component.model_copy()
    copy.__class__ = _shaking_kind(type(component))
    copy.__dict__["_switch"] = switch  # no option: models are frozen
    return copy


def _holds_layers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, Layer) for each in value)


@cache
def _shaking_kind(kind: type[Any]) -> type[Any]:
    def shaken(right: Callable[..., Any]) -> Callable[..., Any]:
        def rule(self: Any, *arguments: Any, **options: Any) -> Any:
            return self.__dict__["_switch"](right(self, *arguments, **options))

        return rule

    # A product that the kind lacks stays one that it lacks.
    own = {
        name: shaken(getattr(kind, name))
        for name in _RULES
        if hasattr(kind, name) and getattr(kind, name) is not getattr(Layer, name, None)
    }
    return type(kind.__name__, (kind,), {"__doc__": kind.__doc__, **own})


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
