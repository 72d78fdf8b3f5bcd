import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from jactrain.agreement.compare import Agreement, Comparison, Entry, Verdict, compare
from jactrain.network import Layout

LAYOUT = Layout({"linear_1": {"weight": (2, 3), "bias": (3,)}, "scale_1": {"factor": (1,)}})
REFERENCE = np.array([1.0, -2.0, 3.0, 0.5, -0.25, 4.0, 0.0, 1.5, -1.0, 2.0])


def whole(g: object, r: object = REFERENCE) -> Agreement:
    return compare(np.asarray(g), np.asarray(r), LAYOUT).whole


@pytest.mark.parametrize("size", [1.0, 5e-324, 1e-300, 1e-160, 1e160, 2e306])
@pytest.mark.parametrize("factor", [1.0, 2.0, 0.5, -1.0])
def test_a_multiple_has_these_figures_at_any_size(size: float, factor: float) -> None:
    r = 8 * REFERENCE * size  # whole multiples, so that the smallest numbers have halves
    agreement = whole(factor * r, r)
    assert agreement.relative_error == pytest.approx(abs(factor - 1), rel=1e-12)
    assert agreement.norm_ratio == pytest.approx(abs(factor), rel=1e-12)
    assert agreement.cosine == pytest.approx(math.copysign(1, factor), abs=1e-12)


def test_equal_vectors_agree_exactly() -> None:
    agreement = whole(REFERENCE)
    assert (agreement.relative_error, agreement.norm_ratio) == (0, 1)
    assert agreement.cosine == pytest.approx(1, abs=1e-15)
    assert agreement.cosine <= 1


def test_parallel_vectors_of_very_unlike_size_have_cosine_1() -> None:
    agreement = whole(REFERENCE * 1e-200)
    assert agreement.cosine == pytest.approx(1)
    assert agreement.norm_ratio == pytest.approx(1e-200)
    assert whole(REFERENCE * 1e200, REFERENCE * 1e-200).norm_ratio is None


def test_perpendicular_vectors_have_cosine_0() -> None:
    g, r = np.zeros(10), np.zeros(10)
    g[0], r[1] = 3.0, 4.0
    agreement = whole(g, r)
    assert agreement.cosine == 0
    assert agreement.relative_error == pytest.approx(5 / 4)
    assert agreement.norm_ratio == pytest.approx(3 / 4)


def test_zero_vectors_have_only_the_figures_that_are_defined() -> None:
    zero = np.zeros(10)
    figures = [
        (agreement.relative_error, agreement.cosine, agreement.norm_ratio)
        for agreement in (whole(zero, zero), whole(zero, REFERENCE), whole(REFERENCE, zero))
    ]
    assert figures == [(0, None, None), (1, None, 0), (None, None, None)]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", ["gradient", "reference", "both"])
def test_what_is_not_finite_has_no_figures_and_is_the_worst_entry(value: float, side: str) -> None:
    g, r = REFERENCE.copy(), REFERENCE.copy()
    if side != "reference":
        g[7] = value
    if side != "gradient":
        r[7] = value
    comparison = compare(g, r, LAYOUT)
    agreement = comparison.whole
    assert (agreement.relative_error, agreement.cosine, agreement.norm_ratio) == (None, None, None)
    assert (agreement.worst.parameter, agreement.worst.index) == ("linear_1/bias", (1,))
    assert comparison.blocks["linear_1/weight"].relative_error == 0
    written = json.dumps(comparison.as_json(), allow_nan=False)
    assert json.loads(written)["worst"]["value" if side == "gradient" else "reference"] is None


@pytest.mark.parametrize(
    ("position", "name", "index"),
    [
        (0, "linear_1/weight", (0, 0)),
        (4, "linear_1/weight", (1, 1)),
        (6, "linear_1/bias", (0,)),
        (9, "scale_1/factor", (0,)),
    ],
)
def test_the_worst_entry_is_located(position: int, name: str, index: tuple[int, ...]) -> None:
    g = REFERENCE + 1e-9
    g[position] += 1
    comparison = compare(g, REFERENCE, LAYOUT)
    expected = Entry(name, index, g[position], REFERENCE[position])
    assert comparison.whole.worst == comparison.blocks[name].worst == expected


def test_blocks_are_compared_on_their_own() -> None:
    g = REFERENCE.copy()
    g[6:9] *= 3
    blocks = compare(g, REFERENCE, LAYOUT).blocks
    assert [blocks[name].norm_ratio for name in LAYOUT.names] == pytest.approx([1, 3, 1], rel=1e-12)
    assert blocks["linear_1/bias"].relative_error == pytest.approx(2)


def test_the_comparison_is_made_in_float64() -> None:
    r = REFERENCE.astype(np.float32)
    agreement = whole(r.astype(np.float64) * (1 + 1e-10), r)
    assert agreement.relative_error == pytest.approx(1e-10, rel=1e-5)


@pytest.mark.parametrize("verdict", [*Verdict, None])
def test_a_mode_is_wrong_that_disagrees_or_failed(verdict: Verdict | None) -> None:
    entry = Entry("linear_1/bias", (0,), 1.0, 2.0)
    comparison = Comparison(Agreement(0.5, 1.0, 0.5, entry, verdict=verdict), {})
    assert comparison.is_wrong is (verdict in {Verdict.DISAGREE, Verdict.FAILED})


numbers = arrays.arrays(np.float64, 10, elements=st.floats(allow_nan=False, allow_infinity=False))


@given(numbers, numbers)
def test_figures_are_finite_and_in_range_for_all_finite_vectors(g: np.ndarray, r: np.ndarray) -> None:
    agreement = whole(g, r)
    assert agreement.cosine is None or -1 <= agreement.cosine <= 1
    for figure in (agreement.relative_error, agreement.norm_ratio):
        assert figure is None or figure >= 0
    if np.array_equal(g, r):
        assert agreement.relative_error == 0
    json.dumps(compare(g, r, LAYOUT).as_json(), allow_nan=False)
