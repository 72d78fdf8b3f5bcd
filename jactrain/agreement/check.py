"""The whole check: every product of every layer, every mode against every other, and what would be caught."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jactrain.agreement.compare import Verdict
from jactrain.agreement.finding import Finding, Sensitivity, rank
from jactrain.agreement.laws import LAWS
from jactrain.agreement.pairs import Pair, compare_pairs
from jactrain.agreement.specimen import Specimen, survey
from jactrain.arrays import Array
from jactrain.layers.base import Product
from jactrain.modes.base import Mode
from jactrain.objective import Batch, Objective


@dataclass(frozen=True)
class Check:
    """What was found of the layers, the worst first; of the modes; and what would have been found."""

    layers: list[Finding]
    modes: list[Pair]
    sensitivity: list[Sensitivity]

    @property
    def verdict(self) -> Verdict:
        """`disagree` or `failed` if anything does; else `agree`, unless nothing was decided."""
        verdicts = {finding.verdict for finding in self.layers} | {pair.verdict for pair in self.modes}
        first = (Verdict.DISAGREE, Verdict.FAILED, Verdict.AGREE)
        return next((each for each in first if each in verdicts), Verdict.UNDECIDED)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "verdict": self.verdict.value,
            "layers": [finding.as_json() for finding in self.layers],
            "modes": [pair.as_json() for pair in self.modes],
            "sensitivity": [each.as_json() for each in self.sensitivity],
        }


def check(
    objective: Objective,
    parameters: Array,
    batch: Batch,
    modes: Sequence[Mode],
    rng: np.random.Generator,
    budget: float,
) -> Check:
    """Return the check of a network at `parameters` `(P,)` on a batch, in their dtype.

    modes: the first that is no estimator is what estimators are compared with. A mode predicted to take more
    than `budget` seconds is told as such, and not run.
    """
    found, wrong = survey(objective, parameters, batch, rng)
    return Check(
        check_layers(found, wrong),
        compare_pairs(objective, parameters, batch, modes, rng, budget),
        [sensitivity for specimen in found for sensitivity in specimen.sensitivities()],
    )


# What is compared with a product, and so wrong where that is.
_AFTER: dict[str, set[str]] = {
    Product.FORWARD: set(LAWS) - {Product.FORWARD},
    Product.PARAMETER_VJP: {"parameter_rows"},
}


def check_layers(found: Iterable[Specimen], broken: Sequence[Finding] = ()) -> list[Finding]:
    """Return the findings on all layers, the worst first.

    What is wrong only because something in front of it is, a layer within or `forward` itself, is undecided.
    """
    findings = [*broken, *(finding for specimen in found for finding in specimen.findings())]
    wrong = [finding for finding in findings if finding.verdict is Verdict.DISAGREE]

    def excused(finding: Finding) -> Finding:
        for cause in wrong:
            if cause.layer.startswith(f"{finding.layer}/"):
                reason = f"{cause.layer}, a layer within, is wrong"
                return replace(finding, verdict=Verdict.UNDECIDED, reason=reason)
            if cause.law == "analytic extension":  # what then follows is compared with differences
                continue
            if cause.layer == finding.layer and finding.product in _AFTER.get(cause.product, ()):
                reason = f"{cause.product}, which it is compared with, is wrong"
                return replace(finding, verdict=Verdict.UNDECIDED, reason=reason)
        return finding

    return sorted((excused(finding) if finding in wrong else finding for finding in findings), key=rank)
