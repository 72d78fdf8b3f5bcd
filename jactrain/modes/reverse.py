"""Reverse mode: back-propagation, from the loss to the inputs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from jactrain.arrays import Array
from jactrain.layers.base import Product
from jactrain.modes import checkpoints as schedules
from jactrain.modes.base import Decision, Exactness, GradientResult, Mode, modes
from jactrain.modes.memory import (
    MemorySize,
    crossed_entries,
    evaluated_entries,
    memory_bound,
    pulled_entries,
    require_within,
)
from jactrain.objective import Batch, Linearization, Objective


@modes.register("reverse")
class Reverse(Mode):
    """Pull one cotangent from the loss to the inputs: the cheapest gradient.

    `ȳ` starts as the slope of the loss; for `k = l..1`: block k is `ȳ B_k`, then `ȳ ← ȳ A_k`
    (Linnainmaa 1970; Rumelhart, Hinton & Williams 1986). The residuals of all layers are kept, or layers are
    run again from checkpoints.
    """

    checkpoints: Literal["none", "sqrt", "revolve"] = Field(
        "none",
        description="What is kept to run layers again from: nothing, so that all residuals are kept; "
        "about √l of l arrays, for one more forward pass; or as many as memory admits, else few, by the "
        "optimal binomial schedule.",
    )
    memory: MemorySize | None = memory_bound()

    exactness: ClassVar[Exactness] = Exactness.EXACT
    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD, Product.VJP, Product.PARAMETER_VJP})
    recordable: ClassVar[bool] = True

    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Choose what to keep, and predict `Σ F + v + w`; `ȳ` stops at the first layer with parameters."""
        links, first = objective.links, objective.network.first_parametric
        unit = examples * dtype.itemsize
        actions = self._actions(objective, unit, dtype.itemsize)
        peak = _peak_bytes(objective, actions, unit, dtype.itemsize)
        advice = "" if self.checkpoints == "revolve" else ", or set checkpoints: revolve"
        require_within(self.memory, peak, f"raise it, or take smaller batches{advice}")
        runs = sum(
            link.cost.forward
            for action in actions
            if not isinstance(action, schedules.Keep)
            for link in links[first + action.start : first + action.stop]
        )
        per_example = (
            sum(link.cost.forward for link in links[:first])
            + runs
            + objective.loss_cost.forward
            + objective.loss_cost.vjp
            + sum(link.cost.parameter_vjp for link in links if link.layout.size)
            + sum(link.cost.vjp for link in links[first + 1 :])
        )
        return Decision(
            multiply_adds=per_example * examples,
            peak_bytes=peak,
            details=actions,
        )

    def _actions(self, objective: Objective, unit: int, itemsize: int) -> tuple[schedules.Action, ...]:
        """Return the schedule, counted from the first link with parameters."""
        count = len(objective.links) - objective.network.first_parametric
        if self.checkpoints == "none":
            return tuple(schedules.at_once(count))
        if self.checkpoints == "sqrt":
            return tuple(schedules.in_segments(count, schedules.square_root(count)))
        if self.memory is None:
            return tuple(schedules.revolve(count, min(count.bit_length(), count - 1)))
        if _peak_bytes(objective, schedules.at_once(count), unit, itemsize) <= self.memory:
            return tuple(schedules.at_once(count))
        # The most arrays that fit: memory grows with their number.
        fewest, beyond = 0, count
        while beyond - fewest > 1:
            slots = (fewest + beyond) // 2
            peak = _peak_bytes(objective, schedules.revolve(count, slots), unit, itemsize)
            fewest, beyond = (slots, beyond) if peak <= self.memory else (fewest, slots)
        return tuple(schedules.revolve(count, fewest))

    def differentiate(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        decision: Decision,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the exact gradient."""
        point = objective.begin(parameters, batch)
        first = objective.network.first_parametric
        x = point.inputs
        for position in range(first):
            x = point.forward(position, x, keep=False)
        kept = [(first, x)]
        y_bar = None
        bars: dict[str, Any] = {}
        for action in decision.details:
            if isinstance(action, schedules.Keep):
                kept.append((first + action.position, x))
                continue
            start, stop = first + action.start, first + action.stop
            reversing = isinstance(action, schedules.Reverse)
            if kept[-1][0] == start:
                x = kept.pop()[1] if reversing else kept[-1][1]
            for position in range(start, stop):
                x = point.forward(position, x, keep=reversing)
            if reversing:
                if y_bar is None:
                    point.finish(x)
                    y_bar = point.loss_vjp()
                y_bar = _pull(objective, point, start, stop, y_bar, bars)
        gradient = objective.network.layout.flatten(objective.xp, bars)[0]
        return GradientResult(point.value, gradient, point.work)


def _peak_bytes(objective: Objective, actions: Iterable[schedules.Action], unit: int, itemsize: int) -> int:
    """Return the most bytes alive while `actions` are done: arrays kept, residuals, and the gradient twice.

    `unit` is the bytes of one entry of every example.
    """
    links, first = objective.links, objective.network.first_parametric
    kept: list[schedules.Keep] = []
    held, most = 0, crossed_entries(links[:first])
    for action in actions:
        if isinstance(action, schedules.Keep):
            kept.append(action)
            held += links[first + action.position].input_size
            continue
        start, stop = first + action.start, first + action.stop
        most = max(most, held + crossed_entries(links[start:stop]))
        working = evaluated_entries(objective, start) if stop == len(links) else 0
        if isinstance(action, schedules.Reverse):
            residuals = objective.network.kept_entries(start, stop)
            most = max(most, held + residuals + max(working, pulled_entries(links[start:stop])))
            if kept and kept[-1].position == action.start:
                held -= links[start].input_size
                kept.pop()
    return most * unit + 2 * objective.network.size * itemsize


def _pull(
    objective: Objective, point: Linearization, start: int, stop: int, y_bar: Array, bars: dict[str, Any]
) -> Array:
    """Pull `y_bar` from behind link `stop - 1` to in front of `start`, adding the links' blocks to `bars`."""
    first = objective.network.first_parametric
    for position in range(stop - 1, start - 1, -1):
        link = objective.links[position]
        if link.layout.size:
            bars[link.name] = point.parameter_vjp(position, y_bar)
        if position > first:
            y_bar = point.vjp(position, y_bar)
        point.forget(position)
    return y_bar
