"""RMSprop."""

from __future__ import annotations

from jactrain.arrays import Array, Namespace
from jactrain.optimizers.base import Averaging, Epsilon, Momentum, Optimizer, State, divisor, optimizers
from jactrain.optimizers.schedules import LearningRate, constant_by_default


@optimizers.register("rmsprop")
class RMSprop(Optimizer):
    """Gradient descent, each entry divided by its running root mean square (Tieleman & Hinton 2012).

    `s ← ρ s + (1 - ρ) g²` and `d = g / (√s + ε)`; then `θ ← θ - η d`, or with momentum `v ← μ v + d` and
    `θ ← θ - η v`.
    """

    entrywise = True
    numbers = frozenset({"weight_decay", "decay", "momentum"})

    learning_rate: LearningRate = constant_by_default(0.01)
    decay: Averaging = 0.99
    epsilon: Epsilon = 1e-8
    momentum: Momentum = 0.0

    def initial_state(self, xp: Namespace, parameters: Array) -> State:
        """Return a mean square of 0, with momentum a velocity of 0 too."""
        names = ("mean_square", "velocity") if self.momentum else ("mean_square",)
        return {name: xp.zeros_like(parameters) for name in names}

    def update(
        self, xp: Namespace, state: State, parameters: Array, gradient: Array, learning_rate: Array
    ) -> tuple[Array, State]:
        """Return `θ - η d`, or the same along the velocity."""
        mean_square = self.decay * state["mean_square"] + (1.0 - self.decay) * (gradient * gradient)
        direction = gradient / divisor(xp, mean_square, self.epsilon)
        if not self.momentum:
            return parameters - learning_rate * direction, {"mean_square": mean_square}
        velocity = self.momentum * state["velocity"] + direction
        return parameters - learning_rate * velocity, {"mean_square": mean_square, "velocity": velocity}
