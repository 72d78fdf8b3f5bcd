"""Stochastic gradient descent."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from jactrain.arrays import Array, Namespace
from jactrain.optimizers.base import Momentum, Optimizer, State, optimizers
from jactrain.optimizers.schedules import LearningRate, constant_by_default


@optimizers.register("sgd")
class SGD(Optimizer):
    """Stochastic gradient descent, plain or with (Nesterov) momentum (Sutskever et al. 2013).

    With momentum, `v ← μ v + g` and `θ ← θ - η v`; Nesterov's looks ahead, `θ ← θ - η (g + μ v)`. The
    rate multiplies the whole velocity, so that a change of rate acts at once.
    """

    entrywise = True
    numbers = frozenset({"weight_decay", "momentum"})

    learning_rate: LearningRate = constant_by_default(0.01)
    momentum: Momentum = 0.0
    nesterov: bool = Field(False, description="Look ahead along the velocity.")

    @field_validator("nesterov")
    @classmethod
    def _needs_momentum(cls, nesterov: bool, info: ValidationInfo) -> bool:
        if nesterov and info.data.get("momentum") == 0:
            raise ValueError("nesterov needs a momentum greater than 0; set momentum: 0.9, for example")
        return nesterov

    def initial_state(self, xp: Namespace, parameters: Array) -> State:
        """Return a velocity of 0, or nothing without momentum."""
        return {"velocity": xp.zeros_like(parameters)} if self.momentum else {}

    def update(
        self, xp: Namespace, state: State, parameters: Array, gradient: Array, learning_rate: Array
    ) -> tuple[Array, State]:
        """Return `θ - η g`, or the same along the velocity."""
        if not self.momentum:
            return parameters - learning_rate * gradient, state
        velocity = self.momentum * state["velocity"] + gradient
        direction = gradient + self.momentum * velocity if self.nesterov else velocity
        return parameters - learning_rate * direction, {"velocity": velocity}
