"""Simultaneous perturbation: differences of the loss along random directions."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt

from jactrain.arrays import Array
from jactrain.errors import OptionError
from jactrain.layers.base import Product
from jactrain.linearization import Work
from jactrain.modes.base import Decision, GradientResult, modes
from jactrain.modes.directions import Directional
from jactrain.modes.memory import (
    evaluated_entries,
    stack_width,
)
from jactrain.objective import Batch, Objective


@modes.register("spsa")
class SPSA(Directional):
    """The mean of `(f(θ + hv) - f(θ - hv)) / 2h · v` over random directions v, from `forward` alone.

    Unbiased but for `O(h²)` and rounding: simultaneous perturbation stochastic approximation (Spall 1992),
    the gradient of zeroth-order training (MeZO, Malladi et al. 2023).
    """

    directions: PositiveInt = Field(1, description="Directions of one gradient, K, two values each.")
    distribution: Literal["rademacher", "gaussian"] = Field(
        "rademacher", description="Where directions are drawn from."
    )
    step: float | None = Field(
        None, gt=0, description="How far to go along a direction, h; the cube root of ε if left out."
    )

    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD})
    numbers: ClassVar[frozenset[str]] = frozenset({"step"})

    def step_in(self, dtype: np.dtype[Any]) -> float:
        """Return the step, the cube root of ε if it was left out."""
        return self.step or float(np.finfo(dtype).eps) ** (1 / 3)

    def with_step(self, step: float) -> SPSA:
        """Return this mode with another step."""
        return self.model_copy(update={"step": step})

    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Divide the directions into stacks, and predict `2 K F`, and `F` for the value."""
        # The divisor of the differences: twice the step, times the examples.
        if self.step is not None and 2 * self.step * examples > float(np.finfo(dtype).max):
            raise OptionError(
                f"a step of {self.step:g} for {examples} examples is beyond {dtype}; lower it", "step"
            )
        if self.step is not None and dtype.type(1) + dtype.type(self.step) == 1:
            raise OptionError(
                f"a step of {self.step:g} moves no parameter of size 1 in {dtype}; take a larger one", "step"
            )
        network = objective.network
        fixed = network.size * dtype.itemsize
        unit = examples * dtype.itemsize
        vector = network.size * dtype.itemsize
        working = 2 * max(network.kept_entries(0, len(network.links)), evaluated_entries(objective)) * unit
        # A direction, the step along it, both networks, and these again where they are put together.
        each = max(6 * vector, 4 * vector + working)
        width = stack_width(self.memory, fixed, each, "raise it, or take smaller batches")
        stacks = 1 + -(-self.directions // width)  # one for the value, and as many as are begun
        return Decision(
            multiply_adds=examples * objective.stack_cost(1 + 2 * self.directions, stacks),
            peak_bytes=fixed + min(width, self.directions) * each,
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
        """Return the estimate, with the error that its variance makes expect."""
        work = Work()
        value = objective.losses(parameters[None], batch, work)[0].sum() / batch.examples
        step = objective.xp.ones((), parameters.dtype) * self.step_in(parameters.dtype)

        def slopes(directions: Array) -> Array:
            moves = step * directions
            around = objective.xp.concatenate([parameters + moves, parameters - moves])
            plus, minus = objective.losses(around, batch, work).reshape(2, len(directions), batch.examples)
            # Differences example by example, before the mean: less is cancelled than in their means.
            return (plus - minus).sum(1) / (2 * step * batch.examples)

        total = self.summed(objective, rng, decision.details, parameters.dtype, slopes)
        return self.estimate(objective, value, total, work)
