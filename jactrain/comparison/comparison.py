"""The whole comparison of modes on one configuration: what `comparison.json` holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jactrain.comparison.gradients import Row, Unknown, compare_gradients
from jactrain.comparison.headline import headline
from jactrain.comparison.measured import Measured
from jactrain.comparison.scaling import compare_scaling
from jactrain.comparison.training import Progress, compare_training
from jactrain.config.build import build
from jactrain.config.models import Config
from jactrain.config.resolved import resolved_yaml
from jactrain.modes.base import Mode
from jactrain.runs.provenance import provenance

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Request:
    """What is to be compared.

    modes: those beside the reference; examples: of the batch, None for the configuration's; seeds: to train
    with, 0 for no training; along: `width`, `depth` or `outputs` to grow the network by, None for not;
    sizes: None for some that fit; budget_seconds: of each mode, for its gradients, training, and growth each;
    command: the shell's line that asks.
    """

    modes: Sequence[Mode | Unknown]
    examples: int | None = None
    seeds: int = 0
    along: str | None = None
    sizes: Sequence[int] | None = None
    budget_seconds: float = 30.0
    command: str = ""


def compare_modes(config: Config, request: Request, progress: Progress | None = None) -> dict[str, Any]:
    """Return the comparison that `request` describes, as comparison.json holds it.

    All modes get the same initial parameters, examples and noise. Raises ConfigurationError for a
    configuration that cannot be built, and UsageError for a network that no exact mode can differentiate or
    that cannot grow.
    """
    experiment = build(config.model_copy(update={"agreement": None}))
    objective = experiment.objective
    batch = experiment.first_batch(request.examples or config.training.batch_size)
    parameters = experiment.initial_parameters
    reference, rows = compare_gradients(
        request.modes, config.mode, objective, parameters, batch, config.seed, request.budget_seconds
    )
    known = [mode for mode in request.modes if isinstance(mode, Mode)]
    training = scaling = None
    if request.seeds:
        seeds = range(config.seed, config.seed + request.seeds)
        training = compare_training(config, known, seeds, request.budget_seconds, progress)
    if request.along is not None:
        scaling = compare_scaling(config, known, request.along, request.sizes, request.budget_seconds)
    return {
        "kind": "comparison",
        "schema_version": SCHEMA_VERSION,
        "name": config.name,
        "command": request.command,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "headline": headline(reference, rows),
        "configuration": resolved_yaml(config),
        "environment": provenance(config.seed, Path.cwd()),
        "examples": batch.examples,
        "dtype": config.dtype,
        "parameters": objective.network.size,
        "outputs": objective.network.output_shape[0],
        "reference": reference.label,
        "modes": _with_times(rows),
        "training": training,
        "scaling": scaling,
    }


def _with_times(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the rows as plain values, each with its time relative to the fastest."""
    medians = [row.took.seconds.median for row in rows if isinstance(row.took, Measured)]
    fastest = min(medians, default=0.0)
    plain = []
    for row in rows:
        times = None
        if isinstance(row.took, Measured) and fastest > 0:
            times = row.took.seconds.median / fastest
        plain.append({**row.as_json(), "times_fastest": times})
    return plain
