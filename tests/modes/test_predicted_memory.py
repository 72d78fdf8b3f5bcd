"""Predicted memory, counted by hand for small networks; `test_memory` holds it against what is measured."""

import numpy as np
import pytest
from cases import NetworkCase

from jactrain.errors import MemoryBoundError, UsageError
from jactrain.modes import modes
from jactrain.modes.memory import bytes_of, require_within, rounded, stack_width, text_of


def linear(units):
    return {"linear": {"units": units}}


# Three examples, 66 parameters. Kept are 7 entries an example: what tanh gives and the next layer takes.
# Running tanh, or pulling through it, takes 21: both ends, and one more between.
NARROW = NetworkCase("narrow", [linear(7), "tanh", linear(3)], (5,), "mean_squared_error", 3)
# Two examples, 18 parameters, nothing kept. The loss has 6 arrays of 6 entries at once: 36.
LOSS = NetworkCase("loss", [linear(6)], (2,), "huber", 2)
# Two examples, 31 parameters. Kept are the 8 entries behind gelu, and 3 behind relu. Running gelu takes 24,
# the links behind it 14.
FRONT = NetworkCase("front", ["gelu", linear(3), "relu", linear(1)], (8,), "mean_squared_error", 2)
# Two examples, 47 parameters. Kept are 6 entries of the normalisation, and 5 behind it; running it takes 15,
# and so does pushing a tangent through it, which is several operations.
NORMAL = NetworkCase("normal", [linear(5), "layer_norm", linear(2)], (4,), "mean_squared_error", 2)
# Two examples, 111 parameters. Kept are 4 entries in front of the block, 9 within and 4 behind. Running the
# block takes 4 + 4 + 4 + 9, pulling through it as much; a tangent in it 4 + 4 + 4, and 9 twice.
INNER = {"residual": {"network": [linear(9), linear(4)]}}
BLOCK = NetworkCase("block", [linear(4), INNER, linear(2)], (3,), "mean_squared_error", 2)

ENTRIES = [
    # Residuals, the widest step, and the gradient twice.
    (NARROW, "reverse", 3 * (7 + 21) + 2 * 66),
    (LOSS, "reverse", 2 * 36 + 2 * 18),
    (FRONT, "reverse", 2 * 24 + 2 * 31),  # residuals and products behind gelu, 3 + 14, are less than gelu
    (NARROW, {"reverse": {"checkpoints": "sqrt"}}, 3 * (7 + 21) + 2 * 66),
    # Two arrays are kept; one, a residual and 21 when tanh is pulled through.
    (NARROW, {"reverse": {"checkpoints": "revolve"}}, 3 * (7 + 7 + 21) + 2 * 66),
    (NARROW, "mixed", 3 * (7 + 21) + 2 * 66),
    (LOSS, "mixed", 2 * 36 + 2 * 18),
    (FRONT, "mixed", 2 * (11 + 24) + 2 * 31),
    # A cotangent at each layer with parameters, besides, and what is fixed for all but the first.
    (NARROW, "feedback_alignment", 3 * (7 + 7 + 3 + 21) + 2 * 66 + 24),
    (NARROW, "direct_feedback_alignment", 3 * (7 + 7 + 3 + 21) + 2 * 66 + 3 * 7),
    (LOSS, "direct_feedback_alignment", 2 * (6 + 36) + 2 * 18),
    (FRONT, "feedback_alignment", 2 * (11 + 3 + 1 + 24) + 2 * 31 + 4),
    # Ten single entries, which the last layer makes 3 of, twice; six that the loss takes 6 for, twice.
    (NARROW, "forward", 3 * (7 + 10 * 2 * 3) + 2 * 66),
    (LOSS, "forward", 2 * 6 * 2 * 6 + 2 * 18),
    (FRONT, "forward", 2 * (11 + 24) + 2 * 31),  # more than four tangents take
    # Tangents of 7 entries, twice, and the rows of two identities.
    (NARROW, {"forward": {"seeds": "parameters"}}, 3 * (7 + 66 * 14) + 42 * 42 + 24 * 24 + 2 * 66),
    # All outputs, four vectors, and two values at once for each entry of the largest parameter.
    (NARROW, "finite_difference", 3 * 17 + 4 * 66 + 35 * 2 * 3 * 21),
    (LOSS, "finite_difference", 2 * 6 + 4 * 18 + 12 * 2 * 2 * 36),
    (FRONT, "finite_difference", 2 * 15 + 4 * 31 + 24 * 2 * 2 * 14),
    (FRONT, {"finite_difference": {"scheme": "forward"}}, 2 * 15 + 4 * 31 + 24 * 2 * 14),
    (FRONT, "complex_step", 2 * 15 + 4 * 31 + 24 * 2 * 2 * 14),  # one value, of two numbers
    # A tangent, the next one, their sum with three vectors of parameters.
    (NARROW, "random_forward", 3 * 7 + 2 * 66 + 3 * 2 * 14 + 3 * 66),
    (NARROW, {"random_forward": {"directions": 3}}, 3 * 7 + 2 * 66 + 3 * (3 * 2 * 14 + 3 * 66)),
    (LOSS, "random_forward", 2 * 18 + 2 * 2 * 12 + 3 * 18),
    (FRONT, "random_forward", 2 * 11 + 2 * 31 + 2 * 2 * 6 + 3 * 31),
    # Tangents drawn so far, the stack and the next one: 7 + 7 + 7 behind tanh.
    (NARROW, {"activity_perturbation": {"directions": 4}}, 3 * (7 + 4 * 21) + 2 * 66),
    (LOSS, "activity_perturbation", 2 * 36 + 2 * 18),
    (FRONT, {"activity_perturbation": {"directions": 4}}, 2 * (11 + 4 * (3 + 8 + 3)) + 2 * 31),
    # Direction, step and both networks; values of both, or all of these again.
    (NARROW, "spsa", 66 + 6 * 66),
    (NARROW, {"spsa": {"directions": 3}}, 66 + 3 * 6 * 66),
    (LOSS, "spsa", 18 + 4 * 18 + 2 * 2 * 36),
    (FRONT, "spsa", 31 + 4 * 31 + 2 * 2 * 24),
    (NORMAL, "forward", 2 * (11 + 12 * 15) + 2 * 47),
    (NORMAL, "random_forward", 2 * 11 + 2 * 47 + 2 * 2 * 15 + 3 * 47),
    (BLOCK, "reverse", 2 * (17 + 21) + 2 * 111),
    (BLOCK, "forward", 2 * (17 + 10 * 30) + 2 * 111),
    (BLOCK, "random_forward", 2 * 17 + 2 * 111 + 2 * 2 * 30 + 3 * 111),
    (BLOCK, {"activity_perturbation": {"directions": 4}}, 2 * (17 + 4 * 16) + 2 * 111),
    (BLOCK, "feedback_alignment", 2 * (17 + 4 + 4 + 2 + 21) + 2 * 111 + 85 + 10),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize(
    ("case", "mode", "entries"), ENTRIES, ids=lambda value: getattr(value, "name", str(value))
)
def test_the_predicted_memory_is_what_is_counted_by_hand(case, mode, entries, dtype):
    plan = modes.resolve(mode).prepare(case.objective(), case.examples, dtype)
    assert plan.peak_bytes == entries * np.dtype(dtype).itemsize


def test_orthogonal_directions_are_drawn_in_float64_with_their_factors():
    mode = modes.resolve({"random_forward": {"directions": 3, "distribution": "orthogonal"}})
    for dtype in (np.float32, np.float64):
        plan = mode.prepare(NARROW.objective(), 3, dtype)
        others = 3 * 7 + 2 * 66 + 3 * (3 * 2 * 14 + 3 * 66)
        assert plan.peak_bytes == others * np.dtype(dtype).itemsize + 3 * 3 * 66 * 8


@pytest.mark.parametrize(
    "kind",
    sorted(modes.names()),
)
def test_a_bound_is_kept_or_refused_with_what_would_do(kind):
    for case in (NARROW, LOSS, FRONT):
        objective = case.objective()
        with pytest.raises(MemoryBoundError) as error:
            modes.resolve({kind: {"memory": 100}}).prepare(objective, case.examples, np.float64)
        needed = error.value.needed
        assert f"takes {rounded(needed)} at least, but the bound is 100 B; raise it" in str(error.value)
        plan = modes.resolve({kind: {"memory": needed}}).prepare(objective, case.examples, np.float64)
        assert plan.peak_bytes <= needed
        with pytest.raises(UsageError):
            modes.resolve({kind: {"memory": needed - 1}}).prepare(objective, case.examples, np.float64)


def test_forward_mode_streams_where_the_residuals_do_not_fit_and_counts_every_run():
    case = NetworkCase("deep", [linear(6), *["tanh", "relu", linear(6)] * 12], (6,), "mean_squared_error", 40)
    objective, batch, parameters = case.objective(), case.batch(np.float64), case.parameters(np.float64)
    kept = 24 * 6 * 40 * 8
    free = modes.resolve("forward")
    expected = free.value_and_gradient(
        objective, parameters, batch, free.prepare(objective, 40, np.float64), None
    )
    with pytest.raises(MemoryBoundError) as error:
        modes.resolve({"forward": {"memory": 1}}).prepare(objective, 40, np.float64)
    needed = error.value.needed
    for bound, streamed in ((needed, True), (needed + 2000, True), (4 * kept, False)):
        mode = modes.resolve({"forward": {"memory": bound}})
        plan = mode.prepare(objective, 40, np.float64)
        assert plan.decision.details.streamed == streamed
        assert plan.peak_bytes <= bound
        result = mode.value_and_gradient(objective, parameters, batch, plan, None)
        np.testing.assert_allclose(result.gradient, expected.gradient, rtol=1e-12)
        assert result.work.multiply_adds == plan.multiply_adds


def test_forward_mode_does_not_stream_where_that_takes_more():
    objective = LOSS.objective()
    for bound in (8 * (2 * 18 + 2 * 36), 8 * (2 * 18 + 2 * 2 * 36)):
        plan = modes.resolve({"forward": {"memory": bound}}).prepare(objective, 2, np.float64)
        assert not plan.decision.details.streamed
        assert plan.peak_bytes <= bound


def test_revolve_keeps_as_many_arrays_as_fit_and_so_runs_as_little_again_as_is_possible():
    case = NetworkCase("deep", [linear(6), *["tanh", linear(6)] * 8], (6,), "mean_squared_error", 40)
    objective = case.objective()
    free = modes.resolve("reverse").prepare(objective, 40, np.float64)

    def planned(bound):
        mode = modes.resolve({"reverse": {"checkpoints": "revolve", "memory": bound}})
        return mode.prepare(objective, 40, np.float64)

    with pytest.raises(MemoryBoundError) as error:
        planned(1)
    plans = {bound: planned(bound) for bound in range(error.value.needed, free.peak_bytes + 960, 960)}
    possible = {(plan.peak_bytes, plan.multiply_adds) for plan in plans.values()}
    assert len(possible) >= 4
    for bound, plan in plans.items():
        assert plan.peak_bytes <= bound
        assert plan.multiply_adds == min(cost for peak, cost in possible if peak <= bound)
    assert plans[max(plans)].multiply_adds == free.multiply_adds


# ----------------------------------------------------------------------------------- bounds, in words


@pytest.mark.parametrize(
    ("written", "size"),
    [("1B", 1), ("64MiB", 64 * 2**20), ("1.5 GiB", 3 * 2**29), ("0.5KiB", 512), ("7 KiB", 7168), (12, 12)],
)
def test_a_size_is_read(written, size):
    assert bytes_of(written) == size
    assert modes.resolve({"reverse": {"memory": written}}).memory == size


@pytest.mark.parametrize("written", ["64", "64MB", "-1B", "1e3B", "1  KiB", "KiB", "1KiB "])
def test_what_is_no_size_is_refused(written):
    with pytest.raises(ValueError, match="a number and B, KiB, MiB or GiB, such as 64MiB"):
        bytes_of(written)


def test_more_than_can_be_addressed_is_refused():
    assert bytes_of(2**63 - 1) == 2**63 - 1
    for size in (2**63, "8589934592GiB", "9" * 400 + "GiB"):
        with pytest.raises(ValueError, match="at most 8589934591GiB"):
            bytes_of(size)


@pytest.mark.parametrize(
    ("size", "exact", "told"),
    [
        (1, "1B", "1 B"),
        (999, "999B", "999 B"),
        (1000, "1000B", "0.977 KiB"),
        (1536, "1536B", "1.5 KiB"),
        (2**20, "1MiB", "1 MiB"),
        (3 * 2**29, "1536MiB", "1.5 GiB"),
        (2**40, "1024GiB", "1.02e+03 GiB"),
        (0, "0GiB", "0 B"),
    ],
)
def test_sizes_are_written_exactly_for_files_and_to_three_digits_for_people(size, exact, told):
    assert text_of(size) == exact
    assert rounded(size) == told


def test_stacks_fill_the_cache_or_the_bound_and_are_of_one_vector_at_least():
    cache = 3 * 2**19
    assert stack_width(None, 10**9, 1000, "") == cache // 1000
    assert stack_width(None, 0, 2 * cache, "") == 1
    assert stack_width(10_500, 500, 1000, "") == 10
    assert stack_width(10_499, 500, 1000, "") == 9
    assert stack_width(10**9, 500, 1000, "") == cache // 1000
    assert stack_width(1500, 500, 1000, "") == 1
    with pytest.raises(
        MemoryBoundError, match=r"takes 1\.46 KiB at least, but the bound is .*; do less"
    ) as e:
        stack_width(1499, 500, 1000, "do less")
    assert e.value.needed == 1500
    require_within(None, 10**12, "")
    require_within(10, 10, "")
