"""Memory of one gradient of a network of 1,000 layers, as Python's allocator counts it."""

from __future__ import annotations

import tracemalloc
from typing import NamedTuple

import numpy as np

from jactrain.layers import layers
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.network import Network
from jactrain.objective import Batch, Objective

LAYERS, WIDTH, EXAMPLES = 1000, 32, 512
SHARE = 20  # of plain reverse mode's peak, the bound is this part
_SMOKE_LAYERS, _SMOKE_EXAMPLES, _SMOKE_SHARE = 100, 512, 4


class Peak(NamedTuple):
    """The bytes alive at once, and the relative difference to plain reverse mode's gradient."""

    bytes: int
    difference: float


def peaks(smoke: bool) -> dict[str, Peak]:
    """Return the peak of each mode: reverse without a bound, then others within a part of what it took.

    Every 50th layer is linear, the others are tanh: seeds enough, and residuals everywhere.
    """
    count, examples = (_SMOKE_LAYERS, _SMOKE_EXAMPLES) if smoke else (LAYERS, EXAMPLES)
    chain = [
        layers.get("linear")(units=WIDTH) if position % 50 == 0 else layers.get("tanh")()
        for position in range(count)
    ]
    objective = Objective(Network(chain, (WIDTH,)), losses.get("mean_squared_error")())
    rng = np.random.default_rng(0)
    parameters = objective.network.initial_parameters(rng)
    batch = Batch(rng.standard_normal((examples, WIDTH)), rng.standard_normal((examples, WIDTH)))
    found: dict[str, Peak] = {}
    plain = None
    bound = 0
    for name in ("reverse", "reverse, revolve", "forward"):
        options = {} if plain is None else {"memory": bound}
        if name == "reverse, revolve":
            options["checkpoints"] = "revolve"
        mode = modes.get(name.split(",")[0])(**options)
        plan = mode.prepare(objective, examples, np.float64)
        tracemalloc.start()
        gradient = mode.value_and_gradient(objective, parameters, batch, plan, rng).gradient
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if plain is None:
            plain, bound = gradient, peak // (_SMOKE_SHARE if smoke else SHARE)
        found[name] = Peak(peak, float(np.linalg.norm(gradient - plain) / np.linalg.norm(plain)))
    return found
