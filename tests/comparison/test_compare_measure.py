"""What a gradient takes, and how long it will take, by each mode."""

import json
import tracemalloc
from functools import partial
from time import process_time

import numpy as np
import pytest
from cases import NetworkCase

from jactrain.comparison.measure import measure, measure_side_by_side
from jactrain.comparison.measured import Measured, NotMeasured
from jactrain.comparison.prediction import measured_rate, predicted_seconds
from jactrain.config.build import build
from jactrain.errors import MemoryBoundError
from jactrain.modes import modes
from jactrain.objective import Batch

NEW = partial(np.random.default_rng, 0)
SMALL = NetworkCase(
    "compared", [{"linear": {"units": 8}}, "tanh", {"linear": {"units": 3}}], (5,), "huber", 16
)
WIDE = [{"linear": {"units": 256}}, "tanh", {"linear": {"units": 10}}]
PHOTOGRAPHS = NetworkCase("784-256-10", WIDE, (784,), "cross_entropy", 2)
KINDS = [
    *modes.names(),
    {"forward": {"seeds": "parameters"}},
    {"random_forward": {"directions": 16}},
    {"spsa": {"directions": 16}},
]


def problem(case, dtype=np.float64):
    return case.objective(), case.parameters(dtype), case.batch(dtype)


def first_batch(config):
    experiment = build(config)
    count, part = config.training.batch_size, experiment.training
    return experiment.objective, experiment.initial_parameters, Batch(part.x[:count], part.targets[:count])


def test_what_is_measured_is_the_gradient_its_work_and_its_memory() -> None:
    objective, parameters, batch = problem(SMALL)
    found = measure(modes.resolve("forward"), objective, parameters, batch, NEW, 10)
    reverse = measure(modes.resolve("reverse"), objective, parameters, batch, NEW, 10)
    np.testing.assert_allclose(found.gradient, reverse.gradient, rtol=1e-12, atol=1e-15)
    assert found.multiply_adds == found.plan.multiply_adds > reverse.multiply_adds
    assert found.work.jvp > 0 == reverse.work.jvp
    assert 5 <= found.seconds.repeats <= 50
    assert 0 < found.seconds.median < 0.1
    assert found.seconds.iqr >= 0
    assert found.peak_bytes > found.gradient.nbytes


def test_the_same_generator_gives_the_same_first_gradient_and_leaves_tracing_as_it_was() -> None:
    mode = modes.resolve("random_forward")
    gradients = [measure(mode, *problem(SMALL), NEW, 1).gradient for _ in range(2)]
    np.testing.assert_array_equal(*gradients)
    assert not tracemalloc.is_tracing()


def test_memory_is_seen_beside_what_was_traced_before() -> None:
    tracemalloc.start()
    try:
        held = np.ones(10**6)
        found = measure(modes.resolve("reverse"), *problem(SMALL), NEW, 0.01)
        assert tracemalloc.is_tracing()
    finally:
        tracemalloc.stop()
    assert found.peak_bytes < held.nbytes / 10


def test_modes_side_by_side_are_rows_whatever_becomes_of_them() -> None:
    chosen = [modes.resolve(kind) for kind in ("reverse", {"reverse": {"memory": 10}}, "complex_step")]
    fine, refused, _ = measure_side_by_side(chosen, *problem(SMALL), NEW, 5)
    assert isinstance(fine, Measured)
    assert isinstance(refused, NotMeasured)
    assert (refused.verdict, refused.plan) == ("skipped", None)
    assert "but the bound is 10 B; raise it" in refused.reason
    assert set(fine.as_json()) == set(refused.as_json())
    json.dumps([found.as_json() for found in (fine, refused)], allow_nan=False)
    with pytest.raises(MemoryBoundError):
        measure(chosen[1], *problem(SMALL), NEW, 5)


def test_a_mode_that_raises_while_it_runs_is_a_row_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(modes.get("spsa"), "differentiate", broken)
    failed, fine = measure_side_by_side(
        [modes.resolve("spsa"), modes.resolve("reverse")], *problem(SMALL), NEW, 1
    )
    assert isinstance(failed, NotMeasured)
    assert failed.reason == "ZeroDivisionError: by design"
    assert isinstance(fine, Measured)


def test_a_mode_over_the_budget_is_skipped_before_it_has_run_to_its_end() -> None:
    literal = modes.resolve({"forward": {"seeds": "parameters"}})
    start = process_time()  # the clock on the wall also counts what else the machine does
    (found,) = measure_side_by_side([literal], *problem(PHOTOGRAPHS, np.float32), NEW, 1e-3)
    spent = process_time() - start
    assert isinstance(found, NotMeasured)
    assert spent < found.predicted_seconds / 2
    assert found.verdict == "skipped"
    assert found.predicted_seconds > 3
    assert found.reason == (
        f"a gradient is predicted to take {found.predicted_seconds:.3g} s, over the 0.001 s that the budget "
        "has for it; raise "
        "the budget to have it run"
    )
    assert found.as_json()["multiply_adds"] == {"predicted": found.plan.multiply_adds, "counted": None}


def require_prediction(objective, parameters, batch, kind, slice_seconds) -> None:
    """Hold that a gradient takes what is predicted, within a factor of 3."""
    mode = modes.resolve(kind)
    plan = mode.prepare(objective, batch.examples, parameters.dtype)
    for _ in range(4):  # another process may have had the machine for a while
        rate = measured_rate(plan, parameters, batch, NEW(), slice_seconds)
        took = measure(mode, objective, parameters, batch, NEW, 0.05).seconds.median
        ratio = predicted_seconds(plan, rate) / took
        if 1 / 3 <= ratio <= 3:
            return
    pytest.fail(f"predicted {ratio:.3g} times what {mode.label} takes")


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("name", ["iris", "digits"])
def test_seconds_are_predicted_within_a_factor_of_3(shipped, name: str, kind) -> None:
    require_prediction(*first_batch(shipped(name, "agreement=null")), kind, 0.02)


@pytest.mark.parametrize("kind", ["reverse", "forward", "finite_difference", "random_forward", "spsa"])
def test_seconds_of_a_larger_network_are_predicted_within_a_factor_of_3(kind) -> None:
    require_prediction(*problem(PHOTOGRAPHS, np.float32), kind, 0.05)


def test_a_pause_before_the_first_product_is_counted_once() -> None:
    # All directions are drawn, and made orthogonal, before any is pushed.
    kind = {"random_forward": {"directions": 12, "distribution": "orthogonal"}}
    require_prediction(*problem(PHOTOGRAPHS, np.float32), kind, 1e-3)
