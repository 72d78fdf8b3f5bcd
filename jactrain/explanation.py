"""What every way to differentiate a network would cost, predicted without running any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from jactrain.errors import UsageError
from jactrain.jacobian.chain import factors_of, suffix_factors_of
from jactrain.jacobian.planning import Order
from jactrain.jacobian.product_plan import ProductPlan, plan_product
from jactrain.jacobian.suffix_plan import SuffixPlan, plan_suffixes
from jactrain.layers.base import Product
from jactrain.modes.base import Exactness, Mode, Plan, modes
from jactrain.objective import Objective

# From here on, whoever configured a mode is told what it costs.
DEAR = 10

_ORDERS: tuple[Order, ...] = ("reverse", "forward", "mixed")


@dataclass(frozen=True)
class Prediction:
    """One way and its cost for a batch: multiply-adds, peak bytes, both None where it is `refused`.

    mode: as it is written; exactness: of a gradient; expected_error: of an estimate, over the length of the
    gradient; brackets: the order of multiplication, for a Jacobian.
    """

    mode: str
    multiply_adds: int | None
    peak_bytes: int | None
    exactness: str = Exactness.EXACT.value
    expected_error: float | None = None
    brackets: str = ""
    refused: str = ""

    @property
    def estimates(self) -> bool:
        """Whether a gradient is an estimate."""
        return self.exactness in (Exactness.UNBIASED.value, Exactness.BIASED.value)

    def as_json(self) -> dict[str, Any]:
        """Return the fields that say something."""
        fields = {name: value for name, value in vars(self).items() if value != ""}
        if self.expected_error is None:
            del fields["expected_error"]
        return fields


@dataclass(frozen=True)
class Explanation:
    """Predictions for the gradient of the loss, `J_θ f` and `J_x f`, each cheapest first."""

    gradient: list[Prediction]
    jacobian_parameters: list[Prediction]
    jacobian_inputs: list[Prediction]

    @property
    def recommended(self) -> dict[str, str | None]:
        """The cheapest exact way to each of the three; None where the layers admit none."""
        three = {
            "gradient": self.gradient,
            "jacobian_parameters": self.jacobian_parameters,
            "jacobian_inputs": self.jacobian_inputs,
        }
        return {name: None if (best := _best(ways)) is None else best.mode for name, ways in three.items()}


def explain(objective: Objective, examples: int, dtype: Any, configured: Mode | None = None) -> Explanation:
    """Return what every mode, the `configured` one too, would cost for batches of `examples`."""
    chosen = [modes.resolve(name) for name in modes.names() if name != "auto"]
    literal = modes.resolve({"forward": {"seeds": "parameters"}})  # the recursion as it is first written
    for mode in (literal, configured):
        if mode is not None and mode not in chosen:
            chosen.append(mode)
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
        times, outputs = plan.multiply_adds / best.multiply_adds, objective.network.output_shape[0]
        notes.append(
            f"you chose {mode.label} for a network with {objective.network.size:,} parameters and "
            f"{outputs:,} output{'' if outputs == 1 else 's'}: a gradient takes {times:,.3g} times the "
            f"multiply-adds of {best.mode.label}"
        )
    return notes


def reason(explanation: Explanation, objective: Objective) -> list[str]:
    """Return for each of the three which way to use, and why; for the gradient, why not forward too."""
    network = objective.network
    m, n = network.output_shape[0], network.links[0].input_size
    sentences = [_reason_for_gradient(explanation, objective)]
    for name, ways, columns in (
        ("J_θ f", explanation.jacobian_parameters, f"{network.size:,} parameters"),
        ("J_x f", explanation.jacobian_inputs, f"{n:,} inputs"),
    ):
        sentences.append(f"{name} ({m:,} × {columns}): {_reason_for_jacobian(ways, m)}")
    return sentences


def _reason_for_gradient(explanation: Explanation, objective: Objective) -> str:
    best = _best(explanation.gradient)
    if best is None or best.multiply_adds is None:
        return "Gradient: the layers admit no exact way; define the products that are missing."
    costs = {way.mode: way.multiply_adds for way in explanation.gradient if way.multiply_adds}
    size = objective.network.size
    text = f"Gradient: {best.mode}"
    if best.mode == "reverse":
        text += (
            f", since one number, the loss, is differentiated in {size:,} parameters: one cotangent crosses "
            "every layer once."
        )
    else:
        text += ", the cheapest of those that this network's layers admit."
    pushed = sum(min(link.output_size, link.layout.size) for link in objective.links if link.layout.size)
    for mode, tangents in (("forward", pushed), ("forward(seeds=parameters)", size)):
        if mode in costs and best.mode != mode:
            times = costs[mode] / max(best.multiply_adds, 1)
            text += (
                f" {mode} pushes {tangents:,} tangents through the layers behind: {times:,.3g} times that."
            )
    return text


def _reason_for_jacobian(ways: Sequence[Prediction], outputs: int) -> str:
    best = _best(ways)
    if best is None or best.multiply_adds is None:
        return "the layers admit no order; define the products that are missing."
    pure = {way.mode: way.multiply_adds for way in ways if way.multiply_adds and way.mode != "mixed"}
    if not pure:
        return f"{best.mode}, since the layers admit neither pure order."
    if len(set(pure.values())) == 1 and best.mode != "mixed":
        return f"{best.mode}; all orders cost the same."
    if best.mode == "mixed":
        saved = min(pure.values()) / max(best.multiply_adds, 1)
        return (
            f"mixed, since bracketed as {best.brackets} it takes {saved:.3g} times less than the better pure "
            "mode; · multiplies two matrices, | leaves them two."
        )
    if len(pure) == 1:
        return f"{best.mode}, since the layers do not admit the other."
    if best.mode == "reverse":
        return (
            f"reverse, since rows are pulled from {outputs:,} outputs, columns pushed from all before them."
        )
    return f"forward, since columns are pushed from fewer numbers than the {outputs:,} outputs have rows."


def _gradient(mode: Mode, objective: Objective, examples: int, dtype: Any) -> Prediction:
    try:
        plan = mode.prepare(objective, examples, dtype)
    except UsageError as error:
        return Prediction(mode.label, None, None, mode.exactness.value, refused=str(error))
    return Prediction(
        mode.label,
        plan.multiply_adds,
        plan.peak_bytes,
        mode.exactness.value,
        mode.expected_error(objective),
    )


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
    """Return the ways by cost, estimates last; of equals the exact first, what holds less, the pure."""

    def rank(way: Prediction) -> tuple[bool, float, bool, bool, int]:
        cost = inf if way.multiply_adds is None else way.multiply_adds
        truncated = way.exactness != Exactness.EXACT.value
        return way.estimates, cost, truncated, way.mode == "mixed", way.peak_bytes or 0

    return sorted(ways, key=rank)


def _best(ways: Sequence[Prediction]) -> Prediction | None:
    """Return the first exact way that is possible, of ways sorted by cost."""
    return next((way for way in ways if way.exactness == Exactness.EXACT.value and not way.refused), None)
