"""The cheapest bracketing of the chain, layers and loss together."""

from __future__ import annotations

from math import inf
from typing import Any, ClassVar, NoReturn

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import UnsupportedError
from jactrain.jacobian.accumulate import accumulate_suffixes
from jactrain.jacobian.chain import Factor, suffix_factors_of
from jactrain.jacobian.suffix_plan import SuffixPlan, plan_suffixes
from jactrain.layers.base import Product
from jactrain.modes.base import Decision, Exactness, GradientResult, Mode, modes
from jactrain.modes.memory import (
    MemorySize,
    evaluated_entries,
    memory_bound,
    pulled_entries,
    require_within,
)
from jactrain.objective import Batch, Linearization, Objective


@modes.register("mixed")
class Mixed(Mode):
    """The order of multiplication that the planner finds cheapest, by the products that the layers have.

    The loss is the last factor of the chain. It has one output, so the cheapest order is reverse mode's as
    long as all layers have a vjp; where one has none, tangents cross it, and cotangents the others.
    """

    memory: MemorySize | None = memory_bound()

    exactness: ClassVar[Exactness] = Exactness.EXACT
    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD, Product.PARAMETER_VJP})
    recordable: ClassVar[bool] = True

    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Plan the suffixes of the chain, and predict `F`, the plan, and `Σ w`."""
        network = objective.network
        factors = chain_with_loss(objective)
        plan = plan_suffixes(factors)
        if plan.multiply_adds == inf:
            self._refuse(objective)
        products = sum(link.cost.parameter_vjp for link in network.links if link.layout.size)
        pulled = pulled_entries(network.links[network.first_parametric :])
        entries = network.kept_entries(0, len(network.links))
        entries += max(plan.entries, pulled, evaluated_entries(objective))
        peak = (entries * examples + 2 * network.size) * dtype.itemsize
        require_within(
            self.memory, peak, "raise it, take smaller batches, or reverse with checkpoints: revolve"
        )
        return Decision(
            multiply_adds=examples * (objective.forward_cost + int(plan.multiply_adds) + products),
            peak_bytes=peak,
            details=plan,
        )

    def _refuse(self, objective: Objective) -> NoReturn:
        for link in objective.links[objective.network.first_parametric + 1 :]:
            if not link.products & {Product.JVP, Product.VJP}:
                raise UnsupportedError(
                    f"mode {self.kind} needs jvp or vjp of every layer behind the first with parameters, but "
                    f"{link.name} ({type(link.layer).__qualname__}) defines neither; define one, or choose "
                    "finite_difference, which needs forward alone"
                )
        raise UnsupportedError(
            f"mode {self.kind} crosses what lies between two layers with parameters from one side, but one "
            "layer there has no vjp and another no jvp; define one of them, or choose finite_difference"
        )

    def differentiate(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        decision: Decision,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the exact gradient."""
        point = objective.linearize(parameters, batch)
        chosen: SuffixPlan = decision.details
        found = accumulate_suffixes(_ChainWithLoss(point), chain_with_loss(objective), chosen.suffixes)
        parametric = [position for position, link in enumerate(objective.links) if link.layout.size]
        bars = {}
        for k, position in enumerate(parametric):
            link = objective.links[position]
            y_bar = found[k][0].transpose(1, 0, 2).reshape((1, batch.examples, *link.output_shape))
            bars[link.name] = point.parameter_vjp(position, y_bar)
        gradient = objective.network.layout.flatten(objective.xp, bars)[0]
        return GradientResult(point.value, gradient, point.work)


def chain_with_loss(objective: Objective) -> tuple[Factor, ...]:
    """Return the chain from the first parameters' output to the loss, whose suffixes make the gradient."""
    links, m = len(objective.links), objective.network.output_shape[0]
    cost = objective.loss_cost
    loss = Factor(m, 1, jvp=cost.jvp, vjp=cost.vjp, start=links, stop=links + 1)
    return (*suffix_factors_of(objective.network), loss)


class _ChainWithLoss:
    """A linearization whose last factor is the loss."""

    def __init__(self, point: Linearization) -> None:
        self._point = point
        self._links = len(point.network.links)
        self.inputs = point.inputs
        self.examples = point.examples
        self.work = point.work

    def shape_in_front(self, position: int) -> tuple[int, ...]:
        return (1,) if position > self._links else self._point.shape_in_front(position)

    def jvp(self, position: int, x_dot: Array) -> Array:
        return (
            self._point.loss_jvp(x_dot)[..., None]
            if position == self._links
            else self._point.jvp(position, x_dot)
        )

    def vjp(self, position: int, y_bar: Array) -> Array:
        if position == self._links:
            return self._point.loss_vjp()  # what is pulled through the last factor is the identity
        return self._point.vjp(position, y_bar)
