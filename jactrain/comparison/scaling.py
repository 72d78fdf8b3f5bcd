"""How the cost of every mode grows with the network, measured beside what is predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from jactrain.agreement.reference import distinct, reference_of
from jactrain.comparison.crossovers import crossover, multiply_adds_of, seconds_of
from jactrain.comparison.estimators import mode_generator
from jactrain.comparison.measure import measure_side_by_side
from jactrain.comparison.measured import Measured, NotMeasured
from jactrain.comparison.prediction import measured_rate, predicted_seconds
from jactrain.comparison.sizes import CHANGES, Problem, problem
from jactrain.comparison.trends import exponent
from jactrain.config.build import check
from jactrain.config.models import Config
from jactrain.data.base import Outline
from jactrain.errors import UsageError
from jactrain.modes.base import Mode

_DOUBLINGS = 5
_STARTS = {"width": (64, 32, 16, 8), "depth": (16, 8, 4, 2, 1), "outputs": (32, 16, 8, 4, 2)}
# Gradients that a mode is measured by: traced, warmed up, and repeated.
_GRADIENTS = 7

_Found = Measured | NotMeasured


def compare_scaling(
    config: Config,
    modes: Sequence[Mode],
    along: str,
    sizes: Sequence[int] | None,
    budget_seconds: float,
) -> dict[str, Any]:
    """Return how the cost of a gradient by each of `modes` grows: the value `scaling` of comparison.json.

    along: `width`, `depth` or `outputs`, as `sizes.problem` says. sizes: None for five doublings, starting
    as high as what all modes are predicted to take allows, which `fitted` then says. Batches are the
    configuration's in size and random in content, and nothing is trained. `budget_seconds` is each mode's
    for all sizes together, in equal shares; a mode whose gradient is predicted to take more at a size has a
    point without seconds there, and the reason. The reference, which need not be listed, comes first.

    Raises UsageError for a network that cannot grow so, and ConfigurationError for one that is wrong.
    """
    if along not in CHANGES:
        raise UsageError(f"a network grows along {', '.join(CHANGES)}, not {along!r}")
    config = config.model_copy(update={"agreement": None})
    outline = check(config).outline
    smallest = problem(config, outline, along, min(sizes) if sizes else _STARTS[along][-1])
    reference = reference_of(
        config.mode, smallest.objective, smallest.batch.examples, smallest.parameters.dtype
    )
    compared = distinct([reference, *modes])
    chosen = sorted(set(sizes)) if sizes else _fitting(config, outline, compared, along, budget_seconds)
    share = budget_seconds / len(chosen)
    found: dict[int, list[_Found]] = {}
    parameters: dict[int, int] = {}
    for size in chosen:
        grown = problem(config, outline, along, size)
        parameters[size] = grown.objective.network.size
        found[size] = measure_side_by_side(compared, *grown, partial(mode_generator, config.seed), share)
    rows = [
        _row(mode, {size: found[size][index] for size in chosen}, parameters)
        for index, mode in enumerate(compared)
    ]
    return {
        "along": along,
        "sizes": chosen,
        "examples": config.training.batch_size,
        "fitted": not sizes,
        "modes": rows,
        "crossovers": [crossover(along, rows[0], row) for row in rows[1:]],
    }


def _fitting(config: Config, outline: Outline, modes: Sequence[Mode], along: str, budget: float) -> list[int]:
    """Return the highest of the default sizes whose greatest every mode can be measured at, or the lowest."""
    share = budget / _DOUBLINGS
    for start in _STARTS[along]:
        sizes = [start * 2**doubling for doubling in range(_DOUBLINGS)]
        if all(
            _GRADIENTS * seconds <= share
            for seconds in _expected(problem(config, outline, along, sizes[-1]), modes)
        ):
            break
    return sizes


def _expected(grown: Problem, modes: Sequence[Mode]) -> Iterator[float]:
    """Yield the predicted seconds of a gradient by each mode that can run at all."""
    objective, parameters, batch = grown
    for mode in modes:
        try:
            plan = mode.prepare(objective, batch.examples, parameters.dtype)
            yield predicted_seconds(plan, measured_rate(plan, parameters, batch, mode_generator(0)))
        except Exception:  # noqa: S112 - it gets its reason when it is measured
            continue


def _row(mode: Mode, own: dict[int, _Found], parameters: dict[int, int]) -> dict[str, Any]:
    points = [
        {
            "size": size,
            "parameters": parameters[size],
            "seconds": found.as_json()["seconds"],
            "multiply_adds": found.plan.multiply_adds if found.plan else None,
            "peak_bytes": found.as_json()["peak_bytes"],
            "reason": found.reason if isinstance(found, NotMeasured) else "",
        }
        for size, found in own.items()
    ]
    row = {"mode": mode.label, "points": points}
    measured, predicted = (
        exponent({size: cost.value for size, cost in costs.items()})
        for costs in (seconds_of(row), multiply_adds_of(row))
    )
    return {**row, "exponent": {"measured": measured, "predicted": predicted}}
