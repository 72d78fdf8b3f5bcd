"""What every way to differentiate a network would cost, predicted without running any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from jactrain.errors import UsageError
from jactrain.jacobian.chain import factors_of, suffix_factors_of
from jactrain.jacobian.plan import Order, ProductPlan, SuffixPlan, plan_product, plan_suffixes
from jactrain.layers.base import Product
from jactrain.modes.base import Exactness, Mode, Plan, modes
from jactrain.objective import Objective

# From here on, whoever configured a mode is told what it costs.
DEAR = 10

_ORDERS: tuple[Order, ...] = ("reverse", "forward", "mixed")


@dataclass(frozen=True)
class Prediction:
    """One way and its cost for a batch: multiply-adds, peak bytes, both None where it is `refused`.

    mode: as it is written; exactness: of a gradient; brackets: the order of multiplication, for a Jacobian.
    """

    mode: str
    multiply_adds: int | None
    peak_bytes: int | None
    exactness: str = Exactness.EXACT.value
    brackets: str = ""
    refused: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the fields that say something."""
        return {name: value for name, value in vars(self).items() if value != ""}


@dataclass(frozen=True)
class Explanation:
    """Predictions for the gradient of the loss, `J_θ f` and `J_x f`, each cheapest first."""

    gradient: list[Prediction]
    jacobian_parameters: list[Prediction]
    jacobian_inputs: list[Prediction]

    @property
    def recommended(self) -> dict[str, str]:
        """The cheapest exact way to each of the three."""
        return {
            "gradient": _best(self.gradient).mode,
            "jacobian_parameters": _best(self.jacobian_parameters).mode,
            "jacobian_inputs": _best(self.jacobian_inputs).mode,
        }


def explain(objective: Objective, examples: int, dtype: Any, configured: Mode | None = None) -> Explanation:
    """Return what every mode, the `configured` one too, would cost for batches of `examples`."""
    chosen = [modes.resolve(name) for name in modes.names() if name != "auto"]
    if configured is not None and configured not in chosen:
        chosen.append(configured)
    return Explanation(
        gradient=_sorted([_gradient(mode, objective, examples, dtype) for mode in chosen]),
        jacobian_parameters=_sorted(_jacobians(objective, examples, dtype, inputs=False)),
        jacobian_inputs=_sorted(_jacobians(objective, examples, dtype, inputs=True)),
    )


def notes_on(mode: Mode, objective: Objective, examples: int, dtype: Any) -> list[str]:
    """Return what the one who chose `mode` is to be told: what it decided, and if it is needlessly dear.

    Raises what the mode says if it cannot be planned.
    """
    plan = mode.prepare(objective, examples, dtype)
    notes = [plan.note] if plan.note else []
    best = _cheapest_exact(objective, examples, dtype)
    if best is not None and plan.multiply_adds > DEAR * best.multiply_adds:
        times = plan.multiply_adds / best.multiply_adds
        notes.append(
            f"you chose {mode.label} for a network with {objective.network.size:,} parameters and "
            f"{objective.network.output_shape[0]:,} outputs: a gradient takes {times:,.3g} times the "
            f"multiply-adds of {best.mode.label}"
        )
    return notes


def reason(explanation: Explanation, objective: Objective) -> list[str]:
    """Return one sentence for each of the three: which way to use, and why."""
    network = objective.network
    m, n = network.output_shape[0], network.links[0].input_size
    sentences = [
        f"Gradient: {_best(explanation.gradient).mode}, since one number, the loss, is differentiated in "
        f"{network.size:,} parameters: one cotangent crosses every layer once."
    ]
    for name, ways, columns in (
        ("J_θ f", explanation.jacobian_parameters, f"{network.size:,} parameters"),
        ("J_x f", explanation.jacobian_inputs, f"{n:,} inputs"),
    ):
        best = _best(ways)
        others = [way for way in ways if way.multiply_adds is not None and way.mode in ("reverse", "forward")]
        pure = min((way.multiply_adds or 0 for way in others), default=0)
        if best.mode == "mixed":
            saved = pure / max(best.multiply_adds or 1, 1)
            why = f"bracketed as {best.brackets} it takes {saved:.3g} times less than either pure mode"
        elif best.mode == "reverse":
            why = f"{m:,} cotangents, one an output, are fewer than what tangents would start at"
        else:
            why = f"tangents start at fewer numbers than the {m:,} outputs that cotangents start at"
        sentences.append(f"{name} ({m:,} outputs, {columns}): {best.mode}, since {why}.")
    return sentences


def _gradient(mode: Mode, objective: Objective, examples: int, dtype: Any) -> Prediction:
    try:
        plan = mode.prepare(objective, examples, dtype)
    except UsageError as error:
        return Prediction(mode.label, None, None, mode.exactness.value, refused=str(error))
    return Prediction(mode.label, plan.multiply_adds, plan.peak_bytes, mode.exactness.value)


def _cheapest_exact(objective: Objective, examples: int, dtype: Any) -> Plan | None:
    plans = []
    for name in modes.names():
        mode = modes.resolve(name)
        # One value a parameter is never cheapest, and takes a while to plan for many.
        if mode.exactness is Exactness.EXACT and mode.uses != {Product.FORWARD}:
            try:
                plans.append(mode.prepare(objective, examples, dtype))
            except UsageError:
                continue
    return min(plans, key=lambda plan: (plan.multiply_adds, plan.peak_bytes), default=None)


def _jacobians(objective: Objective, examples: int, dtype: Any, inputs: bool) -> list[Prediction]:
    network = objective.network
    itemsize = np.dtype(dtype).itemsize
    kept = network.kept_entries(0, len(network.links))
    run = sum(link.cost.forward for link in network.links)
    evaluated = max(link.input_size + 2 * link.output_size for link in network.links)
    found = []
    for order in _ORDERS:
        plan: ProductPlan | SuffixPlan
        if inputs:
            plan = plan_product(factors_of(network), order)
        else:
            plan = plan_suffixes(suffix_factors_of(network), order)
        if plan.multiply_adds == inf:
            found.append(
                Prediction(order, None, None, refused="a layer lacks the product that this order needs")
            )
            continue
        cost = examples * (run + int(plan.multiply_adds))
        peak = examples * itemsize * (kept + max(plan.entries, evaluated))
        found.append(Prediction(order, cost, peak, brackets=str(plan)))
    return found


def _sorted(ways: Sequence[Prediction]) -> list[Prediction]:
    """Return the ways by cost; of equals the exact first, what holds less, and the pure before mixed."""

    def rank(way: Prediction) -> tuple[float, bool, int, bool]:
        cost = inf if way.multiply_adds is None else way.multiply_adds
        return cost, way.exactness != Exactness.EXACT.value, way.peak_bytes or 0, way.mode == "mixed"

    return sorted(ways, key=rank)


def _best(ways: Sequence[Prediction]) -> Prediction:
    """Return the first exact way that is possible, of ways sorted by cost; else the first."""
    return next((way for way in ways if way.exactness == Exactness.EXACT.value and not way.refused), ways[0])
