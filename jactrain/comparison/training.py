"""Every mode trains from the same start with the same batches, and is compared with the reference."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jactrain.agreement.reference import distinct, reason_of, reference_of
from jactrain.comparison.estimators import Estimate, estimates_along, finite, mode_generator
from jactrain.comparison.measured import too_long, verdict_on
from jactrain.comparison.prediction import measured_rate, predicted_seconds
from jactrain.comparison.trajectory import Trajectory, metric_of, trained
from jactrain.config.build import build
from jactrain.config.models import Config
from jactrain.errors import UsageError
from jactrain.modes.base import Exactness, Mode
from jactrain.objective import Batch
from jactrain.training.experiment import Experiment

# Label of the mode, seed, epochs done, and how many there are.
Progress = Callable[[str, int, int, int], None]

GROWN = "its loss has grown; all modes train with the configuration's learning rate"
_DRAWS, _POINTS = 50, 5


def compare_training(
    config: Config,
    modes: Sequence[Mode],
    seeds: Sequence[int],
    budget_seconds: float,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Return how `config` trains by each of `modes`: the value `training` of comparison.json.

    For each seed all have the same split, initial parameters, order of batches and noise, and train all
    epochs: early stopping is off. The reference, which need not be listed, is the configuration's mode if it
    is exact, else reverse; it comes first. A mode that the network does not admit, or whose training over
    all seeds is predicted to take more than `budget_seconds`, is skipped; one that raises has failed; one
    whose loss is no longer finite has diverged, and keeps the epochs before; one whose loss is higher at the
    end has that as its reason. Bias and variance of estimators are those of fifty draws, fewer if the budget
    is short. Nothing else changes from one call to the next but the seconds.

    Raises ConfigurationError for a configuration that cannot be built, and UsageError without a seed.
    """
    if not seeds:
        raise UsageError("no seed is given to train with; give one at least")
    experiment = _experiment(config, seeds[0])
    batch = experiment.first_batch(experiment.settings.batch_size, noise=False)
    reference = reference_of(config.mode, experiment.objective, batch.examples, experiment.dtype)
    rows = [_Row(mode) for mode in distinct([reference, *modes])]
    for row in rows:
        row.admit(experiment, batch, len(seeds), budget_seconds)
    kept: Trajectory = {}
    for index, seed in enumerate(seeds):
        experiment = _experiment(config, seed)
        known: Trajectory = {}
        for row in rows:
            if row.waiting and row.mode == reference:
                known = row.train(experiment, None, progress)
            elif row.waiting:
                row.train(experiment, known, progress)
        if index == 0:
            kept = _thinned(known)
    experiment = _experiment(config, seeds[0])
    return {
        "reference": reference.label,
        "seeds": list(seeds),
        "epochs": config.training.epochs,
        "metric": metric_of(experiment),
        "modes": [row.as_json(experiment, batch, reference, kept, budget_seconds) for row in rows],
    }


class _Row:
    """One mode: whether it may train, its runs, and what they come to."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.runs: list[dict[str, Any]] = []
        self._refusal: tuple[str, str] | None = None  # status and reason
        self._seconds = 0.0  # predicted for one gradient

    @property
    def waiting(self) -> bool:
        """Whether the mode is to train."""
        return self._refusal is None

    def admit(self, experiment: Experiment, batch: Batch, seeds: int, budget: float) -> None:
        """Refuse a mode that cannot run, and one that would take too long."""
        rng = mode_generator(experiment.seed)
        parameters = experiment.initial_parameters
        try:
            plan = self.mode.prepare(experiment.objective, batch.examples, experiment.dtype)
            self._seconds = predicted_seconds(plan, measured_rate(plan, parameters, batch, rng))
        except Exception as error:  # a mode from elsewhere may raise anything
            self._refusal = verdict_on(error).value, reason_of(error)
            return
        # The last batch of an epoch may be a part of one.
        steps = seeds * experiment.settings.epochs * len(experiment.training.x) / batch.examples
        if steps * self._seconds > budget:
            what = f"training {seeds} seed{'' if seeds == 1 else 's'} by {self.mode.label}"
            self._refusal = "skipped", too_long(what, steps * self._seconds, budget)

    def train(
        self, experiment: Experiment, known: Trajectory | None, progress: Progress | None
    ) -> Trajectory:
        """Train once more, beside the reference's parameters; return these, found here if `known` is None."""

        def told(epoch: int) -> None:
            if progress is not None:
                progress(self.mode.label, experiment.seed, epoch, experiment.settings.epochs)

        run, points = trained(replace(experiment, mode=self.mode), known, told)
        self.runs.append(run)
        return points

    def as_json(
        self, experiment: Experiment, batch: Batch, reference: Mode, kept: Trajectory, budget: float
    ) -> dict[str, Any]:
        """Return the row of comparison.json; bias and variance are measured here."""
        finished = [run for run in self.runs if run["status"] == "finished"]
        status, reason = self._refusal or _status(self.runs)
        if status == "finished" and _has_grown(finished):
            reason = GROWN
        # What exact and truncated modes lack is not told by draws: they are asked for the angle at the start.
        drawn = self.mode.exactness in (Exactness.UNBIASED, Exactness.BIASED)
        points = kept if drawn else dict(list(kept.items())[:1])
        estimates: dict[int, Estimate] = {}
        if self.waiting and status != "failed" and points:
            draws = max(2, min(_DRAWS, int(budget / (len(points) * self._seconds))))
            estimates = estimates_along(points, self.mode, reference, experiment, batch, draws)
        names = ("relative_bias", "bias_standard_error", "relative_variance", "cosine")
        columns = {name: [getattr(found, name) for found in estimates.values()] for name in names}
        return {
            "mode": self.mode.label,
            "status": status,
            "reason": reason,
            "runs": self.runs,
            "final": {
                name: _spread([run[name][-1] for run in finished if run[name]])
                for name in ("train_loss", "validation_loss", "metric")
            },
            "estimator": {"step": list(estimates), **columns} if drawn and estimates else None,
            "loss_drop_per_multiply_add": _drop(finished, "multiply_adds"),
            "loss_drop_per_second": _drop(finished, "seconds"),
            "cosine_at_start": estimates[0].cosine if estimates else None,
        }


def _experiment(config: Config, seed: int) -> Experiment:
    return build(config.model_copy(update={"seed": seed, "agreement": None}))


def _thinned(points: Trajectory) -> Trajectory:
    """Return the start, the end and some points between them."""
    steps = sorted(points)
    chosen = np.linspace(0, len(steps) - 1, min(_POINTS, len(steps))).round().astype(int)
    return {steps[index]: points[steps[index]] for index in chosen}


def _status(runs: list[dict[str, Any]]) -> tuple[str, str]:
    """Return the worst that became of the runs, with its reason."""
    for status in ("failed", "diverged"):
        for run in runs:
            if run["status"] == status:
                return status, f"seed {run['seed']}: {run['reason']}"
    return "finished", ""


def _has_grown(runs: list[dict[str, Any]]) -> bool:
    """Tell whether the median loss is higher at the end of `runs` than at their start."""
    first, last = (_spread([run["train_loss"][end] for run in runs]) for end in (0, -1))
    return first is not None and last is not None and last["median"] > first["median"]


def _spread(numbers: list[float | None]) -> dict[str, float] | None:
    """Return median, least and greatest of what is defined; None if nothing is."""
    defined = [number for number in numbers if number is not None]
    if not defined:
        return None
    return {"median": float(np.median(defined)), "low": min(defined), "high": max(defined)}


def _drop(runs: list[dict[str, Any]], per: str) -> float | None:
    """Return the median over the runs of the loss that was lost, for each unit of `per`."""
    drops = [
        (run["train_loss"][0] - run["train_loss"][-1]) / run[per][-1]
        for run in runs
        if run["train_loss"][0] is not None and run[per][-1] > 0
    ]
    return finite(float(np.median(drops)) if drops else math.nan)
