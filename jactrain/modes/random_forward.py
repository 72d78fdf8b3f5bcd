"""Random forward gradients: directional derivatives along random directions."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import OptionError
from jactrain.layers.base import Product
from jactrain.modes.base import Decision, GradientResult, modes
from jactrain.modes.directions import Directional
from jactrain.modes.memory import (
    evaluated_entries,
    pushed_entries,
    stack_width,
)
from jactrain.objective import Batch, Linearization, Objective


@modes.register("random_forward")
class RandomForward(Directional):
    """The mean of `(∇f·v) v` over random directions v, one tangent through the network each.

    Unbiased, since `E[v vᵀ] = I`; its error, for Gaussian directions √((P+1)/K) times the gradient, is why
    networks are not trained so (Baydin et al. 2022). Orthogonal directions of length √P are the best K there
    are: g is the projection of the gradient, scaled.
    """

    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD, Product.JVP, Product.PARAMETER_JVP})

    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Divide the directions into stacks, and predict `F` and `K Σ (j + B θ̇)`."""
        network = objective.network
        whole = self.distribution == "orthogonal"
        if whole and self.directions > network.size:
            raise OptionError(
                f"{self.directions} orthogonal directions are more than the {network.size} parameters; "
                "lower directions, or draw them gaussian",
                "directions",
            )
        unit, vector = examples * dtype.itemsize, network.size * dtype.itemsize
        fixed = network.kept_entries(0, len(network.links)) * unit + 2 * vector
        # Orthogonal directions are drawn at once, in float64, with their factors.
        drawn = 3 * 8 * network.size * self.directions if whole else 0
        each = 2 * pushed_entries(objective, network.first_parametric) * unit + 3 * vector
        width = stack_width(self.memory, fixed + drawn, each, "raise it, or take smaller batches")
        widest = min(width, self.directions)
        behind = objective.links[network.first_parametric + 1 :]
        tangent = (
            sum(link.cost.jvp for link in behind)
            + sum(link.cost.parameter_jvp for link in objective.links if link.layout.size)
            + objective.loss_cost.jvp
        )
        return Decision(
            multiply_adds=examples * (objective.forward_cost + self.directions * tangent),
            peak_bytes=fixed + max(drawn + widest * each, evaluated_entries(objective) * unit),
            details=width,
        )

    def differentiate(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        decision: Decision,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the estimate, with its expected error."""
        point = objective.linearize(parameters, batch)
        slopes = partial(slopes_along, objective, point)
        total = self.summed(objective, rng, decision.details, parameters.dtype, slopes)
        return self.estimate(objective, point.value, total, point.work)


def slopes_along(objective: Objective, point: Linearization, tangents: Array) -> Array:
    """Return the derivatives `(K,)` of the objective along `tangents` `(K, P)` of the parameters."""
    stack = None
    for position, link in enumerate(objective.links):
        if stack is not None:
            stack = point.jvp(position, stack)
        if link.layout.size:
            own = point.parameter_jvp(position, tangents[:, link.part])
            stack = own if stack is None else stack + own
    return point.loss_jvp(stack).sum(1)
