import itertools
import math
from typing import Any

import pytest

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


@pytest.mark.parametrize("case", [WARMUP, WARM_COSINE], ids=str)
def test_a_warmup_rises_evenly_and_hands_over_without_a_jump(case: Any) -> None:
    schedule = schedules.resolve(case)
    rates = [schedule.rate(step / 8, 34) for step in range(33)]
    rises = [after - before for before, after in itertools.pairwise(rates)]
    assert rises == pytest.approx([(rates[-1] - rates[0]) / 32] * 32)
    assert schedule.rate(4 - 1e-9, 34) == pytest.approx(schedule.rate(4 + 1e-9, 34), rel=1e-8)
