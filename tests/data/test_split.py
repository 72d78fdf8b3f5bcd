"""What is kept for validation."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jactrain.data.base import Classification, Dataset, Regression
from jactrain.data.preparation import most_kept, split
from jactrain.errors import DataError

fractions = st.floats(0, 1, exclude_min=True, exclude_max=True)
seeds = st.integers(0, 2**32 - 1)


def numbers(count: int) -> Dataset:
    """Return `count` examples for regression, each its own number."""
    x = np.arange(float(count))[:, None]
    return Dataset(x, x.copy(), Regression(("y",)))


def of_classes(sizes: list[int]) -> Dataset:
    """Return a class of each size, in order, each example its own number."""
    y = np.repeat(np.arange(len(sizes)), sizes)
    return Dataset(np.arange(float(len(y)))[:, None], y, Classification(tuple(map(str, range(len(sizes))))))


def parts(dataset: Dataset, fraction: float, seed: int = 0) -> tuple[Dataset, Dataset]:
    training, validation = split(dataset, fraction, np.random.default_rng(seed))
    assert validation is not None
    return training, validation


@given(st.integers(2, 300), fractions, seeds)
def test_each_example_is_in_one_part(count: int, fraction: float, seed: int) -> None:
    training, validation = parts(numbers(count), fraction, seed)
    assert sorted([*training.x[:, 0], *validation.x[:, 0]]) == list(range(count))


@given(st.integers(2, 300), fractions, seeds)
def test_both_parts_have_an_example_and_the_nearest_number_is_kept(
    count: int, fraction: float, seed: int
) -> None:
    training, validation = parts(numbers(count), fraction, seed)
    assert len(validation.x) == most_kept(count, fraction) == min(max(round(fraction * count), 1), count - 1)
    assert len(training.x) >= 1


@given(st.lists(st.integers(2, 40), min_size=2, max_size=8), fractions, seeds)
def test_each_class_gives_its_share_up_to_less_than_one_example(
    sizes: list[int], fraction: float, seed: int
) -> None:
    training, validation = parts(of_classes(sizes), fraction, seed)
    given_by_each = np.bincount(validation.y, minlength=len(sizes))
    assert (np.abs(given_by_each - fraction * np.array(sizes)) < 1 + 1e-9).all()
    assert set(training.y.tolist()) == set(range(len(sizes)))


@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=8).filter(lambda sizes: max(sizes) > 1), fractions, seeds
)
def test_a_class_never_gives_its_last_example(sizes: list[int], fraction: float, seed: int) -> None:
    training, validation = parts(of_classes(sizes), fraction, seed)
    assert set(validation.y.tolist()) <= set(training.y.tolist())
    assert 1 <= len(validation.x) <= most_kept(sum(sizes), fraction)


def test_inputs_and_targets_stay_together() -> None:
    for part in parts(numbers(50), 0.3):
        assert np.array_equal(part.x, part.y)


def test_the_total_is_the_nearest_number_where_classes_allow() -> None:
    _, validation = parts(of_classes([50, 50, 50]), 0.25)
    assert len(validation.x) == 38


@pytest.mark.parametrize("dataset", [numbers(60), of_classes([30, 30])], ids=["regression", "classification"])
def test_both_parts_are_shuffled(dataset: Dataset) -> None:
    for part in parts(dataset, 0.5):
        assert not np.array_equal(part.x[:, 0], np.sort(part.x[:, 0]))
        assert not np.array_equal(part.x[:, 0] >= 30, np.sort(part.x[:, 0] >= 30))


def test_one_seed_gives_one_split_and_another_another() -> None:
    first, again, other = (parts(numbers(30), 0.3, seed)[1].x.tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_fraction_zero_keeps_nothing_and_draws_nothing() -> None:
    rng, dataset = np.random.default_rng(0), numbers(3)
    training, validation = split(dataset, 0.0, rng)
    assert training is dataset
    assert validation is None
    assert rng.random() == np.random.default_rng(0).random()
    assert most_kept(3, 0.0) == 0


@pytest.mark.parametrize("fraction", [-0.1, 1.0, 2.0, float("nan")])
def test_another_fraction_is_refused(fraction: float) -> None:
    with pytest.raises(DataError, match="the validation fraction is at least 0 and less than 1, not"):
        split(numbers(3), fraction, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (numbers(1), "0.5 of 1 examples leaves none for validation; add examples, or set validation: 0"),
        (numbers(0), "0.5 of 0 examples leaves none for validation; add examples"),
        (
            of_classes([1, 1]),
            "0.5 of 2 examples leaves none for validation, and a class keeps its only example",
        ),
    ],
)
def test_too_few_examples_to_split_are_refused(dataset: Dataset, message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(dataset, 0.5, np.random.default_rng(0))


def test_the_dataset_is_left_as_it_is() -> None:
    dataset: Any = of_classes([5, 5])
    before = dataset.x.copy()
    split(dataset, 0.5, np.random.default_rng(0))
    assert np.array_equal(dataset.x, before)
