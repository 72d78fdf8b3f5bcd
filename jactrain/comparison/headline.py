"""What a comparison found, in a few sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from jactrain.agreement.compare import Verdict
from jactrain.comparison.gradients import Row
from jactrain.comparison.measured import Measured, Timing
from jactrain.comparison.wording import digits, multiply_adds
from jactrain.modes.base import Exactness, Mode
from jactrain.modes.reverse import Reverse
from jactrain.modes.seeds import Division

LITERAL = "forward(seeds=parameters)"
_FIRST = (LITERAL, "forward", "reverse")  # the modes that are told of, if they were measured
_AFTER = {LITERAL: ", the recursion as it is first written,", "forward": ", factored,"}

_PRODUCTS = {
    "jvp": "JVP",
    "vjp": "VJP",
    "parameter_jvp": "parameter JVP",
    "parameter_vjp": "parameter VJP",
    "forward": "layer evaluation",
}
_LONGEST_REASON = 120  # characters
_NEAR = 1.25  # medians whose ratio is less, and that noise does not tell apart, are about the same
_ENOUGH = 5  # repeats
_ALIKE = 2.0  # times and multiply-adds whose ratios differ by less explain each other


def headline(reference: Mode, rows: Sequence[Row]) -> str:
    """Return what was found: what other exact modes cost, and why, and whether the modes agree."""
    wrong, counts = _disagreement(reference, rows), _counts(reference, rows)
    costs = _costs(reference, rows)
    return " ".join(filter(None, [wrong, counts, *costs] if wrong else [*costs, counts]))


def _disagreement(reference: Mode, rows: Sequence[Row]) -> str:
    """Return who disagrees, the first one with its reason."""
    wrong = [row for row in rows if row.verdict == Verdict.DISAGREE]
    if not wrong:
        return ""
    whole = wrong[0].comparison and wrong[0].comparison.whole
    by = "" if not whole or whole.relative_error is None else f" by {whole.relative_error:.1e} of it"
    others = f", and so {'does' if len(wrong) == 2 else 'do'} {len(wrong) - 1} more" if wrong[1:] else ""
    return f"{wrong[0].mode} disagrees with {reference.label}{by}{others}: {wrong[0].reason}."


def _counts(reference: Mode, rows: Sequence[Row]) -> str:
    """Return how many agree, and what became of the others, those that disagree apart."""
    by_verdict = {verdict: [row for row in rows if row.verdict == verdict] for verdict in Verdict}
    agreeing = by_verdict[Verdict.AGREE]
    estimates = [row for row in agreeing if row.exactness == Exactness.UNBIASED.value]
    failed = by_verdict[Verdict.FAILED]
    reasons = "; ".join(f"{row.mode}: {_short(row.reason)}" for row in failed)
    parts = [
        _part(len(agreeing) - len(estimates), ("mode agrees", "modes agree"), f" with {reference.label}"),
        _part(
            len(estimates),
            ("estimate agrees", "estimates agree"),
            f" with {reference.label if len(estimates) == len(agreeing) else 'it'} on average",
        ),
        _part(len(by_verdict[Verdict.NOT_COMPARABLE]), ("is", "are"), " biased and not judged"),
        _part(len(by_verdict[Verdict.UNDECIDED]), ("is", "are"), " undecided"),
        _part(len(failed), ("has", "have"), f" failed ({reasons})"),
        _part(len(by_verdict[Verdict.SKIPPED]), ("was", "were"), " skipped"),
    ]
    told = ", ".join(filter(None, parts))
    return f"{told}." if told else ""


def _part(count: int, forms: tuple[str, str], rest: str) -> str:
    return f"{count} {forms[count != 1]}{rest}" if count else ""


def _short(reason: str) -> str:
    return reason if len(reason) <= _LONGEST_REASON else f"{reason[: _LONGEST_REASON - 1]}…"


def _costs(reference: Mode, rows: Sequence[Row]) -> list[str]:
    """Return a sentence each for the literal recursion and forward, or for another exact mode."""
    own = next((row.took for row in rows if row.mode == reference.label), None)
    if not isinstance(own, Measured):
        return []
    others = {
        row.mode: row
        for row in rows
        if row.exactness == Exactness.EXACT.value
        and isinstance(row.took, Measured)
        and row.mode != reference.label
        and row.comparison is not None
    }
    told = [others[name] for name in _FIRST if name in others] or list(others.values())
    told = told[: 2 if told and told[0].mode == LITERAL else 1]
    return [_cost(row, own, alone=len(told) == 1) for row in told]


def _cost(row: Row, own: Measured, alone: bool) -> str:
    """Return what an exact mode takes beside the reference, and because of what.

    alone: whether no other sentence tells of another sort of forward.
    """
    took, name = row.took, own.plan.mode.label
    assert isinstance(took, Measured)  # noqa: S101 - chosen so
    subject = row.mode + ("" if alone and row.mode != LITERAL else _AFTER.get(row.mode, ""))
    whole = row.comparison and row.comparison.whole
    agrees = ""
    if row.verdict == Verdict.AGREE and whole and whole.relative_error is not None:
        agrees = f"agrees with {name} to {whole.relative_error:.0e} and "
    alike = _overlap(took.seconds, own.seconds)
    times = 1.0 if alike else took.seconds.median / own.seconds.median
    adds = took.multiply_adds / own.multiply_adds
    if alike and 1 / _NEAR <= took.seconds.median / own.seconds.median <= _NEAR:
        longer = f"takes about as long as {name}"
    elif alike:
        longer = f"takes a time that noise does not tell from that of {name}"
    elif times > 1:
        longer = f"takes about {digits(times, 2)} times as long" + ("" if agrees else f" as {name}")
    else:
        longer = (
            f"takes about {digits(times, 2)} of its time"
            if agrees
            else (f"takes about {digits(times, 2)} of the time of {name}")
        )
    same = took.multiply_adds == own.multiply_adds
    work = (
        "as many multiply-adds"
        if same
        else (
            f"{digits(adds, 3)} times the multiply-adds "
            f"({multiply_adds(took.multiply_adds)} against {multiply_adds(own.multiply_adds)})"
        )
    )
    return f"{subject} {agrees}{longer}, {_reason(times, adds, alike, work, took, own)}."


def _reason(times: float, adds: float, alike: bool, work: str, took: Measured, own: Measured) -> str:
    """Return what explains `times`, the ratio of the seconds, by `adds`, that of the multiply-adds."""
    name = own.plan.mode.label
    ours, theirs = _how(took), _how(own)
    difference = f": it {ours}, where {name} {theirs}" if ours != theirs else ""
    if alike and not 1 / _NEAR <= took.seconds.median / own.seconds.median <= _NEAR:
        return f"with {work}{difference}"  # what is not known has no reason
    if 1 / _ALIKE <= times / adds <= _ALIKE:
        # Little more work explains neither more time nor less.
        because = not alike and (times > 1) == (adds > 1) and took.multiply_adds != own.multiply_adds
        return f"{'because it takes' if because else 'with'} {work}{difference}"
    if times > adds:
        products = _products(took), _products(own)
        small = ""
        if products[0] > products[1]:
            small = f": its work is in {products[0]:,} small products, where {name} does {products[1]:,}"
        return f"though it takes only {work}{small}"
    return f"though it takes {work}{difference}"


def _overlap(first: Timing, second: Timing) -> bool:
    """Tell whether noise may be all that sets two timings apart.

    It is not where the medians are farther apart than half of both quartile distances together, nor where
    all repeats of one took longer than the median of the other: of five, that happens once in 32 times.
    """
    faster, slower = sorted((first, second))
    if slower.repeats >= _ENOUGH and slower.least > faster.median:
        return False
    return slower.median - faster.median <= (first.iqr + second.iqr) / 2


def _how(took: Measured) -> str:
    """Return what a mode does most of, as a verb with its object."""
    plan = took.plan.computed_by
    if isinstance(plan.decision.details, Division):
        count = sum(own.size for own in plan.decision.details.by_link)
        return f"pushes {count:,} tangent{'' if count == 1 else 's'} through the layers behind each one"
    if isinstance(plan.mode, Reverse):
        return "pulls one cotangent"
    counts = {name: getattr(took.work, name) for name in _PRODUCTS if name != "forward"}
    name = max(counts, key=lambda each: counts[each]) if any(counts.values()) else "forward"
    count = getattr(took.work, name)
    return f"applies {count:,} {_PRODUCTS[name]}{'' if count == 1 else 's'}"


def _products(took: Measured) -> int:
    """Return how many vectors the products were applied to, evaluations included."""
    return sum(count for name, count in asdict(took.work).items() if name != "multiply_adds")
