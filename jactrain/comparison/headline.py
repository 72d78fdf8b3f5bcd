"""What a comparison found, in a few sentences."""

from __future__ import annotations

from collections.abc import Sequence

from jactrain.agreement.compare import Verdict
from jactrain.comparison.gradients import Row
from jactrain.comparison.measured import Measured
from jactrain.linearization import Work
from jactrain.modes.base import Exactness, Mode
from jactrain.objective import Objective

_PRODUCTS = {
    "forward": "layer evaluation",
    "jvp": "JVP",
    "vjp": "VJP",
    "parameter_jvp": "parameter JVP",
    "parameter_vjp": "parameter VJP",
}


def headline(reference: Mode, rows: Sequence[Row], objective: Objective) -> str:
    """Return what was found: what another exact mode costs, and why, and whether the modes agree."""
    sentences = [_cost(reference, rows, objective), _agreement(reference, rows)]
    if any(row.verdict == Verdict.DISAGREE for row in rows):
        sentences.reverse()
    return " ".join(filter(None, sentences))


def _agreement(reference: Mode, rows: Sequence[Row]) -> str:
    """Return who disagrees, or else how many agree."""
    wrong = [row for row in rows if row.verdict == Verdict.DISAGREE]
    if wrong:
        whole = wrong[0].comparison and wrong[0].comparison.whole
        by = "" if not whole or whole.relative_error is None else f" by {whole.relative_error:.1e} of it"
        others = f", and so do {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return f"{wrong[0].mode} disagrees with {reference.label}{by}{others}: {wrong[0].reason}."
    agreeing = sum(row.verdict == Verdict.AGREE for row in rows)
    if not agreeing:
        return f"Nothing was decided by comparing with {reference.label}."
    modes = "mode agrees" if agreeing == 1 else "modes agree"
    return f"{agreeing} {modes} with {reference.label}, none disagrees."


def _cost(reference: Mode, rows: Sequence[Row], objective: Objective) -> str:
    """Return what the exact mode takes that differs most plainly from the reference, and because of what."""
    own = next((row.took for row in rows if row.mode == reference.label), None)
    others = [
        row
        for row in rows
        if row.exactness == Exactness.EXACT.value
        and isinstance(row.took, Measured)
        and row.mode != reference.label
        and row.comparison is not None
        and row.comparison.whole.relative_error is not None
    ]
    if not isinstance(own, Measured) or not others:
        return ""
    row = next((row for row in others if row.mode in ("forward", "reverse")), others[0])
    whole = row.comparison and row.comparison.whole
    if not isinstance(row.took, Measured) or not whole:
        return ""
    times = row.took.seconds.median / own.seconds.median
    longer = f"takes {times:.3g} times as long" if times >= 1 else f"takes {times:.3g} of its time"
    agrees = f"agrees with {reference.label} to {whole.relative_error:.0e} and "
    adds = f"{row.took.multiply_adds:.3g} multiply-adds against {own.multiply_adds:.3g}"
    return (
        f"{row.mode} {agrees if row.verdict == Verdict.AGREE else ''}{longer}, because for "
        f"{objective.network.size:,} parameters it applies {_most(row.took.work)} where {reference.label} "
        f"applies {_most(own.work)}: {adds}."
    )


def _most(work: Work) -> str:
    """Return the product, evaluations apart, that was applied most often, with its count."""
    counts = {name: getattr(work, name) for name in _PRODUCTS if name != "forward"}
    name = max(counts, key=lambda each: counts[each])
    if not counts[name]:
        name = "forward"
    count = getattr(work, name)
    return f"{count:,} {_PRODUCTS[name]}{'' if count == 1 else 's'}"
