"""The cheapest exact mode for a network, a batch and a bound on memory."""

from __future__ import annotations

from math import inf
from typing import Any, ClassVar

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import UsageError
from jactrain.layers.base import Product
from jactrain.modes.base import Decision, Exactness, GradientResult, Mode, Plan, modes
from jactrain.modes.memory import MemorySize, memory_bound, rounded
from jactrain.objective import Batch, Objective


@modes.register("auto")
class Auto(Mode):
    """Whichever exact mode is predicted to take the fewest multiply-adds within the bound on memory."""

    memory: MemorySize | None = memory_bound()

    exactness: ClassVar[Exactness] = Exactness.EXACT
    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD})

    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Return the plan of the cheapest; if none is possible, raise what the least demanding one says."""
        plans: list[Plan] = []
        refusals: list[UsageError] = []
        for mode in self._candidates():
            try:
                plans.append(mode.prepare(objective, examples, dtype))
            except UsageError as error:
                refusals.append(error)
        if not plans:
            # The least that a mode could do with, or what keeps the first one from being used at all.
            raise min(refusals, key=lambda error: getattr(error, "needed", inf))
        best = min(plans, key=lambda plan: plan.multiply_adds)
        return Decision(
            multiply_adds=best.multiply_adds,
            peak_bytes=best.peak_bytes,
            details=best,
            note=_told(best, plans),
        )

    def differentiate(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        decision: Decision,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the exact gradient, by the mode that was chosen."""
        chosen: Plan = decision.details
        return chosen.mode.value_and_gradient(objective, parameters, batch, chosen, rng)

    def _candidates(self) -> list[Mode]:
        """Return every other exact mode with this one's bound, reverse mode with its checkpoints too."""
        kinds = [modes.get(name) for name in modes.names()]
        plain = [kind for kind in kinds if kind.exactness is Exactness.EXACT and kind is not type(self)]
        choices: list[tuple[type[Mode], dict[str, Any]]] = [(kind, {}) for kind in plain]
        reverse = modes.get("reverse")
        choices.sort(key=lambda choice: choice[0] is not reverse)  # first among equals
        choices += [(reverse, {"checkpoints": kept}) for kept in ("sqrt", "revolve")]
        bound = {} if self.memory is None else {"memory": self.memory}
        return [
            kind(**options, **(bound if "memory" in kind.model_fields else {})) for kind, options in choices
        ]


def _told(best: Plan, plans: list[Plan]) -> str:
    """Return what was chosen, and how much more the others would cost."""
    others = ", ".join(
        f"{plan.mode.label} {plan.multiply_adds / best.multiply_adds:.3g} times"
        for plan in sorted(plans, key=lambda plan: plan.multiply_adds)
        if plan is not best
    )
    told = (
        f"auto chose {best.mode.label}: {best.multiply_adds:,} multiply-adds and about "
        f"{rounded(best.peak_bytes)} a gradient"
    )
    return f"{told}; of that, {others}" if others else told
