"""Forward gradients by random tangents of activities instead of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt

from jactrain.arrays import Array
from jactrain.layers.base import Product
from jactrain.modes.base import Decision, Exactness, GradientResult, Mode, modes
from jactrain.modes.directions import draw
from jactrain.modes.memory import (
    MemorySize,
    evaluated_entries,
    memory_bound,
    require_within,
)
from jactrain.network import Link
from jactrain.objective import Batch, Objective


@modes.register("activity_perturbation")
class ActivityPerturbation(Mode):
    """Random tangents u at the outputs of every layer with parameters: `ȳ ≈ (∇f·u) u`, then `ȳ B`.

    Every example has tangents of its own. Unbiased, and the variance falls from the number of parameters to
    that of the outputs (Ren, Kornblith, Liao & Hinton 2023).
    """

    directions: PositiveInt = Field(1, description="Tangents of each activity, K.")
    distribution: Literal["gaussian", "rademacher"] = Field(
        "gaussian", description="Where tangents are drawn from."
    )
    memory: MemorySize | None = memory_bound()

    exactness: ClassVar[Exactness] = Exactness.UNBIASED
    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD, Product.JVP, Product.PARAMETER_VJP})

    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Predict `F`, `K Σ j` behind the first layer with parameters, and `Σ w`."""
        network = objective.network
        first = network.first_parametric
        parametric = [link for link in network.links if link.layout.size]
        unit = examples * dtype.itemsize
        fixed = network.kept_entries(0, len(network.links)) * unit + 2 * network.size * dtype.itemsize
        each = _entries_of_a_tangent(network.links[first:]) * unit
        peak = fixed + max(self.directions * each, evaluated_entries(objective) * unit)
        require_within(self.memory, peak, "raise it, or take fewer directions or smaller batches")
        tangent = sum(link.cost.jvp for link in network.links[first + 1 :]) + objective.loss_cost.jvp
        products = sum(link.cost.parameter_vjp for link in parametric)
        return Decision(
            multiply_adds=examples * (objective.forward_cost + self.directions * tangent + products),
            peak_bytes=peak,
        )

    def differentiate(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        decision: Decision,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the estimate."""
        point = objective.linearize(parameters, batch)
        tangents: dict[int, Array] = {}
        stack = None
        for position, link in enumerate(objective.links):
            if stack is not None:
                stack = point.jvp(position, stack)
            if link.layout.size:
                shape = (self.directions, batch.examples, *link.output_shape)
                tangents[position] = draw(rng, self.distribution, shape, parameters.dtype)
                stack = tangents[position] if stack is None else stack + tangents[position]
        slopes = point.loss_jvp(stack) / self.directions  # (K, N)
        bars = {}
        for position, tangent in tangents.items():
            y_bar = objective.xp.einsum("kn,kn...->n...", slopes, tangent)[None]
            bars[objective.links[position].name] = point.parameter_vjp(position, y_bar)
        gradient = objective.network.layout.flatten(objective.xp, bars)[0]
        return GradientResult(point.value, gradient, point.work)


def _entries_of_a_tangent(links: Sequence[Link]) -> int:
    """Return the entries per example alive while a tangent is pushed, and those that are drawn are kept."""
    drawn = most = 0
    for link in links:
        if link.layout.size:
            drawn += link.output_size
        # The old stack and the new one, or what is added to it.
        most = max(most, drawn + link.input_size + link.output_size)
    return most
