"""The whole comparison of modes on one configuration: what `comparison.json` holds."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from jactrain.comparison.gradients import Row, Unknown, compare_gradients
from jactrain.comparison.headline import headline
from jactrain.comparison.measured import Measured
from jactrain.comparison.scaling import compare_scaling
from jactrain.comparison.training import Progress, compare_training
from jactrain.config.build import build
from jactrain.config.models import Config
from jactrain.config.resolved import resolved_yaml
from jactrain.modes.base import Mode
from jactrain.objective import Batch
from jactrain.runs.provenance import provenance

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Asked:
    """What is to be compared.

    modes: those beside the reference; examples: of the batch, None for the configuration's; seeds: to train
    with, 0 for no training; along: `width`, `depth` or `outputs` to grow the network by, None for not;
    sizes: None for some that fit; budget_seconds: of each mode, for its gradients, training, and growth each.
    """

    modes: Sequence[Mode | Unknown]
    examples: int | None = None
    seeds: int = 0
    along: str | None = None
    sizes: Sequence[int] | None = None
    budget_seconds: float = 30.0


def compare_modes(config: Config, asked: Asked, progress: Progress | None = None) -> dict[str, Any]:
    """Return the comparison that `asked` describes, as comparison.json holds it.

    All modes get the same initial parameters, examples and noise. Raises ConfigurationError for a
    configuration that cannot be built, and UsageError for a network that no exact mode can differentiate or
    that cannot grow.
    """
    experiment = build(config.model_copy(update={"agreement": None}))
    objective, part = experiment.objective, experiment.training
    count = min(asked.examples or config.training.batch_size, len(part.x))
    noise = experiment.network.draw_noise(np.random.default_rng(config.seed), count, experiment.dtype)
    batch = Batch(part.x[:count], part.targets[:count], noise)
    parameters = experiment.initial_parameters
    reference, rows = compare_gradients(
        asked.modes, config.mode, objective, parameters, batch, config.seed, asked.budget_seconds
    )
    known = [mode for mode in asked.modes if isinstance(mode, Mode)]
    training = scaling = None
    if asked.seeds:
        seeds = range(config.seed, config.seed + asked.seeds)
        training = compare_training(config, known, seeds, asked.budget_seconds, progress)
    if asked.along is not None:
        scaling = compare_scaling(config, known, asked.along, asked.sizes, asked.budget_seconds)
    return {
        "kind": "comparison",
        "schema_version": SCHEMA_VERSION,
        "name": config.name,
        "command": " ".join(["jactrain", *sys.argv[1:]]),
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "headline": headline(reference, rows, objective),
        "configuration": resolved_yaml(config),
        "environment": provenance(config.seed, Path.cwd()),
        "examples": count,
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
