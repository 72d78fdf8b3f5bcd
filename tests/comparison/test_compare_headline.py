"""What a comparison found, in sentences, from rows made by hand."""

import numpy as np
import pytest
from cases import NetworkCase

from jactrain.agreement.compare import Agreement, Comparison, Entry, Verdict
from jactrain.comparison.gradients import Row
from jactrain.comparison.headline import headline
from jactrain.comparison.measured import Measured, NotMeasured, Timing
from jactrain.comparison.wording import digits, multiply_adds
from jactrain.linearization import Work
from jactrain.modes import modes
from jactrain.modes.base import GradientResult

CASE = NetworkCase("told", [{"linear": {"units": 8}}, "tanh", {"linear": {"units": 3}}], (5,), "huber", 4)
OBJECTIVE = CASE.objective()
REVERSE = modes.resolve("reverse")
LITERAL = {"forward": {"seeds": "parameters"}}
WORK = {
    "reverse": Work(forward=3, vjp=2, parameter_vjp=2),
    "forward": Work(forward=3, jvp=20, parameter_vjp=2),
    "complex_step": Work(forward=4000),
}


def row(
    kind, seconds=1.0, adds=1000, iqr=0.0, verdict=Verdict.AGREE, error=2e-7, reason="of rounding", least=0.0
):
    """Return the row of a mode that took `seconds` and so many multiply-adds."""
    mode = modes.resolve(kind)
    work = WORK.get(mode.kind, Work())
    work = Work(work.forward, work.jvp, work.vjp, work.parameter_jvp, work.parameter_vjp, adds)
    plan = mode.prepare(OBJECTIVE, 4, np.float64)
    result = GradientResult(0.0, np.zeros(1), work)
    whole = Agreement(error, 1.0, 1.0, Entry("linear_1/weight", (0, 0), 1.0, 1.0), verdict=verdict)
    took = Measured(plan, seconds, Timing(seconds, iqr, 9, least), 0, result)
    return Row(mode.label, mode.exactness.value, verdict, reason, Comparison(whole, {}), took)


def refused(kind, verdict, reason):
    return Row(kind, "exact", verdict, reason, took=NotMeasured(verdict, reason))


def told(*others, reference="reverse"):
    return headline(modes.resolve(reference), [row(reference, verdict="reference"), *others])


def test_as_many_times_the_work_is_the_reason_for_as_many_times_the_seconds() -> None:
    assert told(row("forward", seconds=4.234, adds=3210)) == (
        "forward agrees with reverse to 2e-07 and takes about 4.2 times as long, because it takes 3.21 times "
        "the multiply-adds (3,210 against 1,000): it pushes 11 tangents through the layers behind each one, "
        "where reverse pulls one cotangent. 1 mode agrees with reverse."
    )


def test_more_time_than_work_is_small_products() -> None:
    assert told(row("forward", seconds=4.2, adds=1070)).startswith(
        "forward agrees with reverse to 2e-07 and takes about 4.2 times as long, though it takes only 1.07 "
        "times the multiply-adds (1,070 against 1,000): its work is in 25 small products, where reverse does "
        "7. "
    )
    # Without more products there is nothing to blame.
    assert "multiply-adds (1,070 against 1,000). " in told(
        row({"reverse": {"checkpoints": "sqrt"}}, 4.2, 1070)
    )


def test_less_time_than_work_is_no_reason() -> None:
    dear = told(row(LITERAL, 1234, 10**7))
    assert "and takes about 1,200 times as long, though it takes 10,000 times the multiply-adds (1e7" in dear
    assert ": it pushes 75 tangents through the layers behind each one, where reverse pulls one" in dear


def test_medians_that_cannot_be_told_apart_give_no_ratio() -> None:
    alike = told(row("forward", seconds=1.5, adds=1200, iqr=1.2))
    noisy = "and takes a time that noise does not tell from that of reverse, with 1.2 times the multiply-adds"
    assert noisy in alike
    for adds in (200, 3000):  # neither less work nor more explains what is not known
        unknown = told(row("forward", seconds=2.0, adds=adds, iqr=4.0))
        assert f"of reverse, with {adds / 1000:g} times the multiply-adds" in unknown
    sure = told(row("forward", seconds=1.5, adds=1200, iqr=1.2, least=1.1))
    assert "and takes about 1.5 times as long, because" in sure
    near = told(row("forward", seconds=1.2, adds=1200, iqr=1.2))
    assert "and takes about as long as reverse, with 1.2 times the multiply-adds (1,200 against" in near
    assert "and takes about 1.5 times as long, because" in told(row("forward", 1.5, 1200, iqr=0.9))
    assert "takes about as long as reverse, with as many multiply-adds" in told(row("mixed", 1.1, 1000, 0.5))


def test_less_time_is_a_part_of_the_reference_s() -> None:
    assert told(row("reverse", 0.25, 300), reference="forward").startswith(
        "reverse agrees with forward to 2e-07 and takes about 0.25 of its time, because it takes 0.3 times "
        "the multiply-adds (300 against 1,000): it pulls one cotangent, where forward pushes 11 tangents "
    )


def test_the_literal_recursion_comes_first_and_the_factored_one_second() -> None:
    found = told(row("complex_step"), row("forward", 4, 4000), row(LITERAL, 70, 65_432))
    first, second, _ = found.split(". ", maxsplit=2)
    assert first.startswith(
        "forward(seeds=parameters), the recursion as it is first written, agrees with reverse to 2e-07 and "
        "takes about 70 times as long, because it takes 65.4 times the multiply-adds (6.54e4 against 1,000): "
        "it pushes 75 tangents through the layers behind each one"
    )
    assert second.startswith("forward, factored, agrees with reverse to 2e-07 and takes about 4 times")


def test_without_forward_another_exact_mode_is_told_of() -> None:
    found = told(row("spsa"), row("complex_step", 400, 400_000))
    assert found.startswith("complex_step agrees with reverse to 2e-07 and takes about 400 times as long")
    assert ": it applies 4,000 layer evaluations, where reverse pulls one cotangent. " in found


def test_what_became_of_every_mode_is_counted() -> None:
    found = told(
        row("forward"),
        row("mixed"),
        row("spsa"),
        row("random_forward"),
        row("feedback_alignment", verdict=Verdict.NOT_COMPARABLE),
        row("finite_difference", verdict=Verdict.UNDECIDED),
        refused("broken", Verdict.FAILED, "ZeroDivisionError: by design"),
        refused("dear", Verdict.SKIPPED, "too long"),
        refused("dearer", Verdict.SKIPPED, "too long"),
    )
    assert found.endswith(
        "2 modes agree with reverse, 2 estimates agree with it on average, 1 is biased and not judged, "
        "1 is undecided, 1 has failed (broken: ZeroDivisionError: by design), 2 were skipped."
    )
    assert "none disagrees" not in found


def test_estimates_alone_name_the_reference() -> None:
    assert told(row("spsa")) == "1 estimate agrees with reverse on average."
    assert told() == ""


def test_a_disagreement_comes_first_with_its_reason() -> None:
    wrong = {"verdict": Verdict.DISAGREE, "error": 0.25, "reason": "linear_1/weight is off"}
    found = told(row("mixed"), row("forward", **wrong), row("complex_step", **wrong))
    assert found.startswith(
        "forward disagrees with reverse by 2.5e-01 of it, and so does 1 more: linear_1/weight is off. "
        "1 mode agrees with reverse. forward takes about as long as reverse, with as many multiply-adds"
    )


def test_a_reference_that_was_not_measured_has_no_costs() -> None:
    rows = [refused("reverse", Verdict.FAILED, "x" * 500), row("forward", verdict=Verdict.UNDECIDED)]
    found = headline(REVERSE, rows)
    assert found.startswith("1 is undecided, 1 has failed (reverse: xxx")
    assert found.endswith("x…).")
    assert len(found) < 200


@pytest.mark.parametrize(
    ("value", "count", "shown"),
    [(3.84, 2, "3.8"), (4.0, 2, "4"), (419.6, 2, "420"), (12345.0, 3, "12,300"), (0.01234, 2, "0.012")],
)
def test_digits_are_significant_and_written_out(value, count, shown) -> None:
    assert digits(value, count) == shown


def test_multiply_adds_are_powers_of_ten_from_ten_thousand_on() -> None:
    shown = [multiply_adds(n) for n in (0, 9_999, 10_000, 658_048, 1_307_963_648)]
    assert shown == ["0", "9,999", "1e4", "6.58e5", "1.31e9"]
