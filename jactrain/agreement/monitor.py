"""The same gradient by several modes, compared with the one that trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jactrain.agreement.compare import Comparison, compare, failed, unjudged
from jactrain.agreement.reference import distinct, reason_of, reference_of, require_form
from jactrain.agreement.tolerance import Tolerance
from jactrain.arrays import Array
from jactrain.errors import UsageError
from jactrain.modes.base import Exactness, GradientResult, Mode
from jactrain.modes.gradients import GradientFunction, Gradients
from jactrain.objective import Batch, Objective


@dataclass(frozen=True)
class Measurement:
    """One mode's gradient compared with the reference mode's, at one point."""

    mode: str
    reference: str
    examples: int
    comparison: Comparison

    def as_json(self) -> dict[str, Any]:
        """Return the measurement as plain values."""
        return {
            "mode": self.mode,
            "reference": self.reference,
            "examples": self.examples,
            **self.comparison.as_json(),
        }


class AgreementMonitor:
    """Compares modes with a reference on the first examples of a batch, and judges them.

    All of them get the same parameters, examples and noise. The reference is the mode that trains, recorded
    or compiled where the training's own gradient is, so that what is compared is what trains. A mode that
    trains without being exact is compared itself, with an exact one.
    """

    def __init__(
        self,
        objective: Objective,
        training: Mode,
        modes: Sequence[Mode],
        examples: int,
        rng: np.random.Generator,
        trained_by: GradientFunction | None = None,
    ) -> None:
        """Compare `modes` with `training` on `examples` examples.

        trained_by: the gradient of `training` as the training computes it; NumPy's if left out.
        """
        self._objective = objective
        self._training = training
        self._modes = distinct([*([] if training.exactness is Exactness.EXACT else [training]), *modes])
        self._examples = examples
        self._rng = rng
        self._gradients: dict[str, GradientFunction] = {}
        if trained_by is not None:
            self._gradients[training.label] = trained_by

    def measure(self, parameters: Array, batch: Batch) -> list[Measurement]:
        """Return one measurement for each mode, at `parameters` `(P,)`."""
        few = batch.first(min(self._examples, batch.examples))
        reference = self._reference(few, parameters)
        # Shaken alike at every step: what is allowed does not depend on when it is asked.
        tolerance = Tolerance(self._objective, parameters, few, np.random.default_rng(0))
        expected = self._gradient(reference, parameters, few)
        return [
            Measurement(mode.label, reference.label, few.examples, comparison)
            for mode in self._modes
            if mode != reference
            for comparison in [self._attempted(mode, parameters, few, reference, expected, tolerance)]
        ]

    def _attempted(
        self,
        mode: Mode,
        parameters: Array,
        batch: Batch,
        reference: Mode,
        expected: GradientResult,
        tolerance: Tolerance,
    ) -> Comparison:
        """Return the comparison of one mode; that it raised is one, too, and does not end the training."""
        try:
            result = self._gradient(mode, parameters, batch)
            require_form(result, parameters)
            return self._compared(mode, result, reference, expected, tolerance)
        except Exception as error:  # a mode or rule from elsewhere may raise anything
            return failed(expected.gradient, self._objective.network.layout, f"raised {reason_of(error)}")

    def _reference(self, batch: Batch, parameters: Array) -> Mode:
        try:
            return reference_of(self._training, self._objective, batch.examples, parameters.dtype)
        except UsageError:  # no order of products, nor complex steps: differences of the losses are left
            return self._training

    def _compared(
        self,
        mode: Mode,
        result: GradientResult,
        reference: Mode,
        expected: GradientResult,
        tolerance: Tolerance,
    ) -> Comparison:
        layout = self._objective.network.layout
        if mode.exactness in (Exactness.UNBIASED, Exactness.BIASED):
            return unjudged(
                compare(result.gradient, expected.gradient, layout), _reason(mode, self._objective)
            )
        uncertainty = tolerance.of(mode, result).with_other(tolerance.of(reference, expected))
        return compare(result.gradient, expected.gradient, layout, uncertainty)

    def _gradient(self, mode: Mode, parameters: Array, batch: Batch) -> GradientResult:
        if mode.label not in self._gradients:
            self._gradients[mode.label] = Gradients(mode, self._objective)
        return self._gradients[mode.label](parameters, batch, self._rng)


def _reason(mode: Mode, objective: Objective) -> str:
    expected = mode.expected_error(objective)
    if mode.exactness is Exactness.BIASED:
        return "a biased estimate: only its angle means something"
    if expected is None:
        return "one draw of an estimate, which no single one equals"
    return f"one draw of an estimate, which is off by {expected:.3g} times the gradient on average"
