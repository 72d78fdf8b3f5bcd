"""The contract of a mode: an order in which the chain's products are multiplied.

A mode plans first and differentiates after: the plan holds chunk widths and the predicted work, and
refuses a network, batch size or dtype other than it was made for. The work counted while a gradient is
computed equals the predicted.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import PlanError, UnsupportedError
from jactrain.layers.base import Product
from jactrain.linearization import Work
from jactrain.modes.memory import reuse_freed_memory
from jactrain.objective import Batch, Objective
from jactrain.registry import Component, Registry


class Exactness(StrEnum):
    """How a mode's gradient relates to the true one."""

    EXACT = "exact"  # equal up to rounding
    TRUNCATED = "truncated"  # a series cut off, with an error that the step size controls
    UNBIASED = "unbiased"  # right on average
    BIASED = "biased"  # only a direction


class Decision(NamedTuple):
    """What a mode decided for one network, batch size and dtype.

    multiply_adds: predicted, for one gradient; peak_bytes: predicted, of the arrays alive at once that the
    mode makes; details: the mode's own; note: what people should know of it.
    """

    multiply_adds: int
    peak_bytes: int
    details: Any = None
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """A mode's decision, with what it was made for, and refused for anything else."""

    mode: Mode
    objective: Objective
    examples: int
    dtype: np.dtype[Any]
    decision: Decision

    @property
    def multiply_adds(self) -> int:
        """The multiply-adds predicted for one gradient."""
        return self.decision.multiply_adds

    @property
    def peak_bytes(self) -> int:
        """The bytes predicted to be alive at once, of the arrays that the mode makes."""
        return self.decision.peak_bytes

    @property
    def note(self) -> str:
        """What people should know of the decision; may be empty."""
        return self.decision.note

    @property
    def computed_by(self) -> Plan:
        """The plan of the mode that computes the gradient: another's, if this one chose among modes."""
        return self.decision.details if isinstance(self.decision.details, Plan) else self

    def require(self, mode: Mode, objective: Objective, parameters: Array, batch: Batch) -> None:
        """Raise PlanError, listing what differs, unless the plan was made for these."""
        if (
            self.objective is objective
            and self.examples == len(batch.x)
            and self.dtype == parameters.dtype
            and (self.mode is mode or self.mode == mode)
        ):
            return
        differences = [
            f"{word} {planned}, not {came}"
            for word, planned, came in (
                ("mode", self.mode.label, mode.label),
                ("examples", self.examples, batch.examples),
                ("dtype", self.dtype, parameters.dtype),
            )
            if planned != came
        ]
        if self.objective is not objective:
            differences.append("another objective")
        raise PlanError(f"this plan was prepared for {'; '.join(differences)}; call `prepare` again")


class GradientResult(NamedTuple):
    """The objective's value, its gradient `(P,)` laid out like the parameters, and the evidence.

    work: the products applied. error_estimate: the estimated L2 norm of the gradient's error, a number
    or an array (), None for a mode that is exact up to rounding or gives no estimate.
    """

    value: Any
    gradient: Array
    work: Work
    error_estimate: Any = None


class Mode(Component, ABC):
    """Base of all modes. A mode knows the contract of layers and never one layer."""

    exactness: ClassVar[Exactness]
    uses: ClassVar[frozenset[Product]]
    # Whether a gradient is always the same array calls: nothing drawn, no value looked at.
    recordable: ClassVar[bool] = False
    # Options with which `differentiate` only computes, and which decide nothing: they may be traced, and
    # whether one is 0 may be asked.
    numbers: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Return how batches of `examples` examples with parameters of `dtype` are differentiated.

        Raises OptionError for an option that does not fit, such as a bound on memory.
        """

    @abstractmethod
    def differentiate(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        decision: Decision,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return value and gradient at `parameters` `(P,)`, as `decision` says for such a batch."""

    def prepare(self, objective: Objective, examples: int, dtype: Any) -> Plan:
        """Return the plan for batches of `examples` examples with parameters of `dtype`.

        Raises UnsupportedError, naming layer and product, if a layer lacks a product that is used, and
        OptionError for an option that does not fit.
        """
        self.require_products(objective)
        reuse_freed_memory()
        dtype = np.dtype(dtype)
        return Plan(self, objective, examples, dtype, self.decide(objective, examples, dtype))

    def value_and_gradient(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        plan: Plan,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return value and gradient of `objective` at `parameters` `(P,)`.

        `rng` is drawn from by random modes only. Raises PlanError for a plan made for something else.
        """
        plan.require(self, objective, parameters, batch)
        return self.differentiate(objective, parameters, batch, plan.decision, rng)

    def working_dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the dtype that a gradient is computed in, for parameters of `dtype`."""
        return dtype

    def step_in(self, dtype: np.dtype[Any]) -> float | None:
        """Return how far from the parameters an estimate takes values; None if it takes none, or unknown."""
        return None

    def with_step(self, step: float) -> Mode:
        """Return a mode that takes values `step` from the parameters; itself if it takes none."""
        return self

    def expected_error(self, objective: Objective) -> float | None:
        """Return the expected error of an estimate over the length of the gradient; None where unknown."""
        return None

    @property
    def label(self) -> str:
        """The mode's name, with the options that differ from their defaults."""
        options = self.model_dump(mode="json", exclude_defaults=True)
        inner = ", ".join(f"{name}={value}" for name, value in options.items())
        return f"{self.kind}({inner})" if inner else self.kind

    def require_products(self, objective: Objective) -> None:
        """Raise UnsupportedError if a layer lacks a product that this mode uses."""
        crossed = frozenset({Product.JVP, Product.VJP})
        for position, link in enumerate(objective.links):
            # Nothing is pushed or pulled through what lies in front of all parameters.
            behind = position > objective.network.first_parametric
            missing = sorted((self.uses if behind else self.uses - crossed) - link.products)
            if missing:
                raise UnsupportedError(
                    f"mode {self.kind} needs {', '.join(missing)} of every layer, but {link.name} "
                    f"({type(link.layer).__qualname__}) does not define it; define it, or choose "
                    "finite_difference, which needs forward alone"
                )


modes: Registry[Mode] = Registry("mode", "modes")
