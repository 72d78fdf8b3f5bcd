"""Feedback alignment: errors sent backwards through fixed random matrices."""

from __future__ import annotations

from abc import abstractmethod
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, NonNegativeInt

from jactrain.arrays import Array, Shape, Tree, leaves, map_tree, size_of
from jactrain.layers.base import Product
from jactrain.modes.base import Decision, Exactness, GradientResult, Mode, modes
from jactrain.modes.foreseen import Noting
from jactrain.modes.memory import (
    MemorySize,
    evaluated_entries,
    memory_bound,
    pulled_entries,
    require_within,
)
from jactrain.network import Link
from jactrain.objective import Batch, Linearization, Objective

_DRAWN = np.dtype(np.float64)  # whatever the dtype of the network


class Feedback(Mode):
    """Base of the modes that pull cotangents backwards with something fixed in the place of the weights.

    Biased: only the angle to the gradient means anything, and training is what makes it small.
    """

    seed: NonNegativeInt = Field(0, description="Seed of what is drawn once and stays fixed.")
    memory: MemorySize | None = memory_bound()

    exactness: ClassVar[Exactness] = Exactness.BIASED
    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD, Product.VJP, Product.PARAMETER_VJP})
    recordable: ClassVar[bool] = True

    @abstractmethod
    def feedback(self, objective: Objective, rng: np.random.Generator, dtype: Any) -> dict[int, Any]:
        """Return what is fixed, drawn from `rng`, for the positions of the links that need it."""

    @abstractmethod
    def feedback_shapes(self, objective: Objective) -> dict[int, Any]:
        """Return the shapes of what `feedback` returns."""

    @abstractmethod
    def cost(self, objective: Objective) -> int:
        """Return the multiply-adds per example of pulling the cotangents."""

    @abstractmethod
    def cotangents(
        self, objective: Objective, point: Linearization, feedback: dict[int, Any]
    ) -> dict[int, Array]:
        """Return cotangents `(1, N, *out)` at the outputs of all links with parameters, by position."""

    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Predict `F`, the pulls, and `Σ w`; what is fixed is drawn with the first gradient, before it."""
        network = objective.network
        parametric = [link for link in network.links if link.layout.size]
        per_example = objective.forward_cost + objective.loss_cost.vjp + self.cost(objective)
        per_example += sum(link.cost.parameter_vjp for link in parametric)
        entries = network.kept_entries(0, len(network.links))
        entries += sum(link.output_size for link in parametric)
        entries += max(
            pulled_entries(network.links[network.first_parametric :]), evaluated_entries(objective)
        )
        shapes = self.feedback_shapes(objective)
        fixed = [[size_of(shape) for _, shape in leaves(tree)] for tree in shapes.values()]
        # Drawn one link after another, and an array of it once more while it is scaled.
        drawing = max((sum(sizes) + max(sizes) for sizes in fixed), default=0) * _DRAWN.itemsize
        peak = sum(map(sum, fixed)) * dtype.itemsize
        peak += max((entries * examples + 2 * network.size) * dtype.itemsize, drawing)
        require_within(self.memory, peak, "raise it, or take smaller batches")
        return Decision(
            multiply_adds=per_example * examples,
            peak_bytes=peak,
            details=cache(lambda: self.feedback(objective, np.random.default_rng(self.seed), dtype)),
        )

    def differentiate(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        decision: Decision,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the value and the direction that stands for the gradient."""
        if isinstance(rng, Noting):  # nothing is computed yet
            like = partial(objective.xp.zeros, dtype=parameters.dtype)
            feedback = {at: map_tree(like, shapes) for at, shapes in self.feedback_shapes(objective).items()}
        else:
            feedback = decision.details()
        point = objective.linearize(parameters, batch)
        bars = {
            objective.links[position].name: point.parameter_vjp(position, y_bar)
            for position, y_bar in self.cotangents(objective, point, feedback).items()
        }
        gradient = objective.network.layout.flatten(objective.xp, bars)[0]
        return GradientResult(point.value, gradient, point.work)


@modes.register("feedback_alignment")
class FeedbackAlignment(Feedback):
    """Reverse mode, but `ȳ A_k` is taken with other, fixed parameters (Lillicrap et al. 2016).

    The fixed parameters are drawn as the initial ones are, by each layer's initializer.
    """

    def feedback(self, objective: Objective, rng: np.random.Generator, dtype: Any) -> dict[int, Tree]:
        """Return parameters `{(1, *p)}` for every link with parameters but the first."""
        return {
            position: map_tree(
                lambda leaf: leaf[None].astype(dtype), link.layer.initial_parameters(rng, link.input_shape)
            )
            for position, link in _fed(objective).items()
        }

    def feedback_shapes(self, objective: Objective) -> dict[int, Tree]:
        """Return the shapes `{(1, *p)}`."""
        return {
            position: map_tree(lambda shape: (1, *shape), link.layer.parameter_shapes(link.input_shape))
            for position, link in _fed(objective).items()
        }

    def cost(self, objective: Objective) -> int:
        """Return `Σ v` behind the first link with parameters."""
        return sum(link.cost.vjp for link in objective.links[objective.network.first_parametric + 1 :])

    def cotangents(
        self, objective: Objective, point: Linearization, feedback: dict[int, Any]
    ) -> dict[int, Array]:
        """Pull the slope of the loss through all links, by the fixed parameters."""
        found = {}
        y_bar = point.loss_vjp()
        for position in range(len(objective.links) - 1, objective.network.first_parametric, -1):
            if objective.links[position].layout.size:
                found[position] = y_bar
            y_bar = point.vjp(position, y_bar, feedback.get(position))
        return {**found, objective.network.first_parametric: y_bar}


@modes.register("direct_feedback_alignment")
class DirectFeedbackAlignment(Feedback):
    """The slope of the loss goes straight to every layer, through a fixed random matrix (Nøkland 2016).

    It arrives in front of the next layer with parameters, and is pulled from there by the layers without
    any. The last layer with parameters gets its own cotangent.
    """

    def feedback(self, objective: Objective, rng: np.random.Generator, dtype: Any) -> dict[int, Array]:
        """Return matrices `(m, n)`, to the inputs of every link with parameters but the first."""
        return {
            position: (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(dtype)
            for position, shape in self.feedback_shapes(objective).items()
        }

    def feedback_shapes(self, objective: Objective) -> dict[int, Shape]:
        """Return the shapes `(m, n)`."""
        m = objective.network.output_shape[0]
        return {position: (m, link.input_size) for position, link in _fed(objective).items()}

    def cost(self, objective: Objective) -> int:
        """Return `m n` for every matrix, and `v` for every link without parameters behind the first with."""
        behind = objective.links[objective.network.first_parametric + 1 :]
        m = objective.network.output_shape[0]
        return sum(m * link.input_size if link.layout.size else link.cost.vjp for link in behind)

    def cotangents(
        self, objective: Objective, point: Linearization, feedback: dict[int, Any]
    ) -> dict[int, Array]:
        """Send the slope in front of every link with parameters, and pull it to the one before that."""
        found = {}
        slope = y_bar = point.loss_vjp()
        for position in range(len(objective.links) - 1, objective.network.first_parametric, -1):
            link = objective.links[position]
            if link.layout.size:
                found[position] = y_bar
                y_bar = objective.xp.dot(slope[0], feedback[position]).reshape((1, -1, *link.input_shape))
                point.work.multiply_adds += point.examples * slope.shape[-1] * link.input_size
            else:
                y_bar = point.vjp(position, y_bar)
        return {**found, objective.network.first_parametric: y_bar}


def _fed(objective: Objective) -> dict[int, Link]:
    """Return the links that something fixed stands for, by position: those with parameters but the first."""
    first = objective.network.first_parametric
    return {
        position: link
        for position, link in enumerate(objective.links)
        if link.layout.size and position > first
    }
