"""The same gradient by several modes, compared with the one that trains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from jactrain.agreement.compare import Comparison, compare
from jactrain.arrays import Array
from jactrain.modes.base import Mode
from jactrain.modes.gradients import Gradients
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
    """Compares modes with a reference mode on the first examples of a batch.

    All of them get the same parameters, examples and noise. The reference is recorded and played back where
    the training's own gradient is, so that what is compared is what trains.
    """

    def __init__(
        self,
        objective: Objective,
        reference: Mode,
        modes: Sequence[Mode],
        examples: int,
        rng: np.random.Generator,
    ) -> None:
        self._objective = objective
        self._reference = reference
        self._modes = list(modes)
        self._examples = examples
        self._rng = rng
        self._gradients = {mode.label: Gradients(mode, objective) for mode in [reference, *modes]}

    def measure(self, parameters: Array, batch: Batch) -> list[Measurement]:
        """Return one measurement for each mode, at `parameters` `(P,)`."""
        count = min(self._examples, batch.examples)
        few = batch.first(count)
        expected = self._gradient(self._reference, parameters, few)
        layout = self._objective.network.layout
        return [
            Measurement(
                mode.label,
                self._reference.label,
                count,
                compare(self._gradient(mode, parameters, few), expected, layout),
            )
            for mode in self._modes
        ]

    def _gradient(self, mode: Mode, parameters: Array, batch: Batch) -> Array:
        return self._gradients[mode.label](parameters, batch, self._rng).gradient
