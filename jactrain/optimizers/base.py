"""The contract of an optimizer: `initial_state` and `step`, on the flat vector of all parameters.

With `P` parameters in the network::

    parameters, gradient    (P,)                        left as they are
    state                   {name: (P,) or (1,)}        all that the next step has to know, for a checkpoint
    learning_rate           a Python float, or an array () of the parameters' dtype

A step is `step(xp, state, parameters, gradient, learning_rate) -> parameters, state`: a pure function of
a few whole-vector operations, in the dtype of the parameters. It takes the rate as a number, so that
the one who counts the steps asks the schedule: `optimizer.learning_rate.rate(epoch, epochs)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import reduce
from typing import Annotated, Any, ClassVar, TypeAlias

import numpy as np
from pydantic import Field

from jactrain.arrays import Array, Namespace
from jactrain.errors import UnsupportedError
from jactrain.optimizers.schedules import LearningRate
from jactrain.registry import Component, Registry

State: TypeAlias = dict[str, Array]

WeightDecay = Annotated[float, Field(ge=0, description="Pull of the parameters towards 0, λ.")]
Momentum = Annotated[
    float, Field(ge=0, lt=1, description="Share of the last update kept in the next, μ; 0 for none.")
]
Epsilon = Annotated[float, Field(gt=0, description="Added to a root that is divided by, ε.")]
Averaging = Annotated[float, Field(ge=0, lt=1, description="Share of a running average kept each step.")]


class Optimizer(Component, ABC):
    """Base of all optimizers: clips the gradient, then adds the decay, then asks for the `update`.

    The decay is `λθ` added to the gradient. If `decoupled`, the parameters shrink by `1 - ηλ` instead,
    whatever the gradient is scaled by (Loshchilov & Hutter 2019).
    """

    decoupled: ClassVar[bool] = False
    # Whether `update` treats every entry by itself, so that parts of the vector can be updated apart, and
    # leaves no entry finite whose gradient is not.
    entrywise: ClassVar[bool] = False
    # Options with which a step only computes, so that they may be traced; whether one is 0 may be asked.
    numbers: ClassVar[frozenset[str]] = frozenset({"weight_decay"})

    learning_rate: LearningRate
    weight_decay: WeightDecay = 0.0
    clip_norm: float | None = Field(
        None, gt=0, description="Largest Euclidean norm of the whole gradient; longer ones are scaled to it."
    )

    def updates_by_parts(self) -> bool:
        """Return whether parts of the vector can be updated apart.

        Only where the class that defines `update` is `entrywise`, and a step is the base's: a subclass that
        does more is given the whole.
        """
        cls = type(self)
        owner = next(one for one in cls.__mro__ if "update" in vars(one))
        own = (cls.step, cls.clip, cls.step_clipped)
        plain = own == (Optimizer.step, Optimizer.clip, Optimizer.step_clipped)
        return plain and bool(vars(owner).get("entrywise", False))

    def require_form(self, dtype: Any) -> None:
        """Raise UnsupportedError unless a step gives parameters and a state of the form that it was given."""
        vector = np.ones(3, dtype)
        state = self.initial_state(np, vector)
        with np.errstate(all="ignore"):  # options as large as no dtype has; forms are what is looked at
            moved, after = self.step(np, state, vector, vector, np.asarray(0.5, dtype))
        forms = [
            {
                name: (np.shape(array), np.asarray(array).dtype)
                for name, array in {**one, "parameters": whole}.items()
            }
            for whole, one in ((vector, state), (moved, after))
        ]
        if forms[0] != forms[1]:
            raise UnsupportedError(
                f"optimizer {self.kind} is given {_told(forms[0])} and gives {_told(forms[1])} back; a step "
                "returns arrays of the same names, shapes and dtypes"
            )

    @abstractmethod
    def initial_state(self, xp: Namespace, parameters: Array) -> State:
        """Return the state before the first step: arrays `(P,)` or `(1,)` in the dtype of `parameters`."""

    @abstractmethod
    def update(
        self, xp: Namespace, state: State, parameters: Array, gradient: Array, learning_rate: Array
    ) -> tuple[Array, State]:
        """Return the next parameters `(P,)` and state, from a gradient clipped and decayed already."""

    def step(
        self, xp: Namespace, state: State, parameters: Array, gradient: Array, learning_rate: Array
    ) -> tuple[Array, State]:
        """Return the parameters `(P,)` and the state after one step along the finite `gradient` `(P,)`."""
        (clipped,) = self.clip(xp, [gradient])
        return self.step_clipped(xp, state, parameters, clipped, learning_rate)

    def clip(self, xp: Namespace, parts: Sequence[Array]) -> Sequence[Array]:
        """Return the parts of one gradient, scaled together to `clip_norm` if they are longer."""
        return parts if self.clip_norm is None else _clipped(xp, parts, self.clip_norm)

    def step_clipped(
        self, xp: Namespace, state: State, parameters: Array, gradient: Array, learning_rate: Array
    ) -> tuple[Array, State]:
        """Return what `step` does, for a gradient that was clipped; parts of it, if `entrywise`."""
        if self.weight_decay:
            if self.decoupled:
                parameters = parameters * (1.0 - learning_rate * self.weight_decay)
            else:
                gradient = gradient + self.weight_decay * parameters
        return self.update(xp, state, parameters, gradient, learning_rate)


optimizers: Registry[Optimizer] = Registry("optimizer", "optimizers")


def divisor(xp: Namespace, square: Array, epsilon: float) -> Array:
    """Return `√square + ε`, never 0: an epsilon below the dtype's smallest normal number is taken as that."""
    return xp.sqrt(square) + max(epsilon, float(xp.finfo(square.dtype).tiny))


def _told(forms: dict[str, Any]) -> str:
    return ", ".join(f"{name} {dtype} {shape}" for name, (shape, dtype) in sorted(forms.items()))


def _clipped(xp: Namespace, parts: Sequence[Array], norm: float) -> list[Array]:
    """Return `g min(1, norm / ‖g‖)` (Pascanu et al. 2013, algorithm 1), the same bits if not longer.

    The largest entry is divided out before squaring: float32 squares overflow from 2e19 on. A norm beyond
    the dtype's normal numbers is taken as the nearest of them.
    """
    numbers = xp.finfo(parts[0].dtype)
    norm = min(max(norm, float(numbers.tiny)), float(numbers.max))
    largest = reduce(xp.maximum, [xp.max(xp.abs(part), initial=norm) for part in parts])
    allowed = norm / largest
    squares = [xp.dot(scaled, scaled) for scaled in (part / largest for part in parts)]
    factor = allowed / xp.maximum(xp.sqrt(reduce(xp.add, squares)), allowed)
    return [part * factor for part in parts]
