"""Adam with decoupled weight decay."""

from __future__ import annotations

from jactrain.optimizers.adam import Adam
from jactrain.optimizers.base import WeightDecay, optimizers


@optimizers.register("adamw")
class AdamW(Adam):
    """Adam that decays the parameters, not the gradient (Loshchilov & Hutter 2019, algorithm 2).

    `θ ← (1 - ηλ) θ`, then Adam's step. The decay follows the rate and its schedule.
    """

    decoupled = True
    weight_decay: WeightDecay = 0.01
