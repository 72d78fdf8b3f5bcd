import itertools
import math
from typing import Any

import pytest
from pydantic import ValidationError

from jactrain.optimizers import schedules

STEP = {"step": {"initial": 0.8, "every": 10, "factor": 0.5}}
EXPONENTIAL = {"exponential": {"initial": 0.8, "decay": 0.9}}
COSINE = {"cosine": {"initial": 0.8, "final": 0.2}}
WARMUP = {"linear_warmup": {"epochs": 4, "then": 0.8}}
WARM_COSINE = {"linear_warmup": {"epochs": 4, "then": COSINE, "start": 0.5}}

CASES: list[Any] = [{"constant": {"value": 0.8}}, STEP, EXPONENTIAL, COSINE, WARMUP, WARM_COSINE]

# schedule, epoch, epochs, rate
POINTS: list[tuple[Any, float, float, float]] = [
    ({"constant": {"value": 0.8}}, 7.5, 20, 0.8),
    (STEP, 0, 30, 0.8),
    (STEP, 9.999, 30, 0.8),
    (STEP, 10, 30, 0.4),
    (STEP, 29.5, 30, 0.2),
    ({"step": {"initial": 0.8, "every": 10}}, 10, 30, 0.08),
    ({"step": {"initial": 0.8, "every": 0.2, "factor": 0.5}}, 3 / 5, 30, 0.1),  # 0.6 / 0.2 is below 3
    ({"step": {"initial": 0.8, "every": 0.1, "factor": 0.5}}, 0.3, 30, 0.1),
    ({"linear_warmup": {"epochs": 100, "then": {"step": {"initial": 0.8, "every": 0.3}}}}, 100.3, 200, 0.08),
    (EXPONENTIAL, 0, 30, 0.8),
    (EXPONENTIAL, 1, 30, 0.72),
    (EXPONENTIAL, 0.5, 30, 0.8 * math.sqrt(0.9)),
    (COSINE, 0, 30, 0.8),
    (COSINE, 10, 30, 0.65),  # cos(π / 3) = 1/2
    (COSINE, 15, 30, 0.5),
    (COSINE, 30, 30, 0.2),
    (COSINE, 31, 30, 0.2),
    ({"cosine": {"initial": 0.8}}, 30, 30, 0.0),
    (WARMUP, 0, 30, 0.008),
    (WARMUP, 2, 30, 0.404),  # halfway from 1 % to all
    (WARMUP, 4, 30, 0.8),
    (WARMUP, 20, 30, 0.8),
    (WARMUP, 2, 2, 0.404),  # the training ends within the rise
    (WARMUP, 4, 4, 0.8),
    (WARM_COSINE, 0, 34, 0.4),
    (WARM_COSINE, 4, 34, 0.8),
    (WARM_COSINE, 19, 34, 0.5),  # halfway of what the rise left
    (WARM_COSINE, 34, 34, 0.2),
    (WARM_COSINE, 4, 4, 0.8),
]


@pytest.mark.parametrize(("schedule", "epoch", "epochs", "rate"), POINTS)
def test_a_schedule_passes_through_its_named_points(
    schedule: Any, epoch: float, epochs: float, rate: float
) -> None:
    assert schedules.resolve(schedule).rate(epoch, epochs) == pytest.approx(rate, rel=1e-12, abs=1e-300)


def test_every_schedule_stands_in_the_table() -> None:
    assert {next(iter(case)) for case in CASES} == set(schedules.names())


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("epochs", [1, 3, 40])
def test_no_step_of_a_training_has_a_rate_of_zero(case: Any, epochs: int) -> None:
    schedule = schedules.resolve(case)
    rates = [schedule.rate(step / 7, epochs) for step in range(7 * epochs)]
    assert all(type(rate) is float and 0 < rate <= 0.8 for rate in rates)


@pytest.mark.parametrize("steps", [3, 5, 7, 10, 30, 49, 93])
def test_drops_come_at_their_own_step_whatever_the_fraction_of_an_epoch(steps: int) -> None:
    for between in range(1, steps + 1):
        schedule = schedules.resolve({"step": {"initial": 1.0, "every": between / steps, "factor": 0.5}})
        for step in range(5 * steps):
            assert schedule.rate(step / steps, 5) == 0.5 ** (step // between)


def test_drops_closer_than_any_step_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"greater than or equal to 0\.000001"):
        schedules.resolve({"step": {"initial": 0.8, "every": 1e-320}})
    assert schedules.resolve({"step": {"initial": 0.8, "every": 1e-6}}).rate(1e6, 1e6) == 0.0


@pytest.mark.parametrize("case", [WARMUP, WARM_COSINE], ids=str)
def test_a_warmup_rises_evenly_and_hands_over_without_a_jump(case: Any) -> None:
    schedule = schedules.resolve(case)
    rates = [schedule.rate(step / 8, 34) for step in range(33)]
    rises = [after - before for before, after in itertools.pairwise(rates)]
    assert rises == pytest.approx([(rates[-1] - rates[0]) / 32] * 32)
    assert schedule.rate(4 - 1e-9, 34) == pytest.approx(schedule.rate(4 + 1e-9, 34), rel=1e-8)
