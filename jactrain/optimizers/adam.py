"""Adam."""

from __future__ import annotations

import math

from jactrain.arrays import Array, Namespace, logarithm
from jactrain.optimizers.base import Averaging, Epsilon, Optimizer, State, divisor, optimizers
from jactrain.optimizers.schedules import LearningRate, constant_by_default


@optimizers.register("adam")
class Adam(Optimizer):
    """Running mean of the gradient over its root mean square (Kingma & Ba 2015, algorithm 1).

    `m ← β₁ m + (1 - β₁) g`, `v ← β₂ v + (1 - β₂) g²`, and at step `t`, counted from 1,
    `θ ← θ - η m / (1 - β₁ᵗ) / (√(v / (1 - β₂ᵗ)) + ε)`.
    """

    entrywise = True
    numbers = frozenset({"weight_decay", "beta1", "beta2"})

    learning_rate: LearningRate = constant_by_default(0.001)
    beta1: Averaging = 0.9
    beta2: Averaging = 0.999
    epsilon: Epsilon = 1e-8

    def initial_state(self, xp: Namespace, parameters: Array) -> State:
        """Return moments of 0 and the number of steps done, `(1,)`.

        The number has the dtype of the parameters; where float32 stops counting, at 2²⁴ steps, the
        corrections are 1 for any β up to 0.999 999.
        """
        return {
            "first_moment": xp.zeros_like(parameters),
            "second_moment": xp.zeros_like(parameters),
            "steps": xp.zeros(1, dtype=parameters.dtype),
        }

    def update(
        self, xp: Namespace, state: State, parameters: Array, gradient: Array, learning_rate: Array
    ) -> tuple[Array, State]:
        """Return `θ - η m̂ / (√v̂ + ε)`."""
        steps = state["steps"] + 1.0
        first = self.beta1 * state["first_moment"] + (1.0 - self.beta1) * gradient
        second = self.beta2 * state["second_moment"] + (1.0 - self.beta2) * (gradient * gradient)
        rate = learning_rate / _correction(xp, self.beta1, steps)
        root = divisor(xp, second / _correction(xp, self.beta2, steps), self.epsilon)
        return parameters - rate * first / root, {
            "first_moment": first,
            "second_moment": second,
            "steps": steps,
        }


def _correction(xp: Namespace, beta: float, steps: Array) -> Array:
    """Return `1 - βᵗ`, `(1,)`; by `expm1`, as in float32 the difference would lose half its digits."""
    return -xp.expm1(steps * (logarithm(beta) if beta else -math.inf))
