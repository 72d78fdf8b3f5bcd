"""Reverse mode: back-propagation, from the loss to the inputs."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from jactrain.arrays import Array
from jactrain.layers.base import Product
from jactrain.modes.base import Exactness, GradientResult, Mode, Plan, modes
from jactrain.modes.memory import reuse_freed_memory
from jactrain.objective import Batch, Objective


@modes.register("reverse")
class Reverse(Mode):
    """Pull one cotangent from the loss to the inputs: the cheapest gradient, keeping every residual.

    `ȳ` starts as the slope of the loss; for `k = l..1`: block k is `ȳ B_k`, then `ȳ ← ȳ A_k`
    (Linnainmaa 1970; Rumelhart, Hinton & Williams 1986).
    """

    exactness: ClassVar[Exactness] = Exactness.EXACT
    recordable: ClassVar[bool] = True
    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD, Product.VJP, Product.PARAMETER_VJP})

    def prepare(self, objective: Objective, examples: int, dtype: Any) -> Plan:
        """Predict `Σ F + v + w`, where cotangents stop at the first layer with parameters."""
        self.require_products(objective)
        reuse_freed_memory()
        dtype = np.dtype(dtype)
        links = objective.links
        first = objective.network.first_parametric
        per_example = (
            objective.forward_cost
            + objective.loss_cost.vjp
            + sum(link.cost.parameter_vjp for link in links if link.layout.size)
            + sum(link.cost.vjp for link in links[first + 1 :])
        )
        kept = sum(link.input_size + link.output_size for link in links)
        return Plan(
            mode=self,
            objective=objective,
            examples=examples,
            dtype=dtype,
            multiply_adds=per_example * examples,
            peak_bytes=(kept * examples + 2 * objective.network.size) * dtype.itemsize,
        )

    def value_and_gradient(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        plan: Plan,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the exact gradient."""
        plan.require(self, objective, parameters, batch)
        point = objective.linearize(parameters, batch)
        first = objective.network.first_parametric
        bars = {}
        y_bar = point.loss_vjp()
        for position in range(len(objective.links) - 1, first - 1, -1):
            link = objective.links[position]
            if link.layout.size:
                bars[link.name] = point.parameter_vjp(position, y_bar)
            if position > first:
                y_bar = point.vjp(position, y_bar)
        gradient = objective.network.layout.flatten(objective.xp, bars)[0]
        return GradientResult(point.value, gradient, point.work)
