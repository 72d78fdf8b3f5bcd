"""Rounds alternate, quartiles are quartiles, and one subject's threads are no one else's."""

import numpy  # noqa: F401 - with its BLAS, whose threads are looked at
import pytest
from threadpoolctl import threadpool_info

from benchmarks.timing import Subject, alternate, spread


def blas_threads() -> int:
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


def test_every_round_runs_every_subject_once_in_an_order_of_its_own() -> None:
    ran: list[str] = []
    names = ("a", "b", "c")
    times = alternate({name: Subject(lambda name=name: ran.append(name)) for name in names}, rounds=30)
    first, *rounds = ("".join(ran[start : start + 3]) for start in range(0, len(ran), 3))
    assert first == "abc"  # to warm up
    assert set(rounds) == {"abc", "acb", "bac", "bca", "cab", "cba"}
    assert [len(times[name].rounds) for name in names] == [30, 30, 30]


def test_a_first_run_that_is_over_is_not_repeated() -> None:
    ran: list[str] = []
    times = alternate({"a": Subject(lambda: ran.append("a"), first=7.0)}, rounds=2)
    assert ran == ["a", "a"]
    assert times["a"].first == 7


def test_a_subject_can_tell_its_seconds_and_time_is_that_of_a_step() -> None:
    times = alternate({"a": Subject(lambda: 6.0, steps=3, tells=True)}, rounds=1)
    assert times["a"].rounds == [2]


def test_the_threads_of_a_subject_are_given_back() -> None:
    before, seen = blas_threads(), []
    alternate({"one": Subject(lambda: seen.append(blas_threads()), threads=1)}, rounds=1)
    assert seen == [1, 1]
    assert blas_threads() == before


@pytest.mark.parametrize(
    ("numbers", "expected"), [([1, 2, 3, 4, 5], (3, 2, 4)), ([7], (7, 7, 7)), ([1, 3], (2, 1.5, 2.5))]
)
def test_spread(numbers: list[float], expected: tuple[float, float, float]) -> None:
    assert spread(numbers) == expected
