"""A trial of a search, heard of at its epochs' ends, and ended early where others promise more."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from jactrain.errors import PrunedError
from jactrain.files import reachable
from jactrain.runs.session import RunListener
from jactrain.sweeps.journal import opened
from jactrain.sweeps.task import Trial
from jactrain.training.state import TrainingState


class Pruner(RunListener):
    """Reports the metric to a search's journal after each epoch, and raises PrunedError if it says so."""

    def __init__(self, trial: Trial) -> None:
        """Open the journal; `trial` is one that is running."""
        self._journal = Path(trial.journal)
        with reachable(self._journal):
            study = opened(trial.journal, trial.study, trial.pruning_after or 0)
            import optuna  # which is there: the study was opened by it

            number = study.get_trials(deepcopy=False)[trial.number]._trial_id
            self._trial: Any = optuna.trial.Trial(study, number)
        self._metric, self._prunes = trial.metric, trial.pruning_after is not None

    def on_epoch(self, state: TrainingState) -> None:
        """Report the epoch's metric."""
        value = state.metrics.get(self._metric)
        if value is None:
            return
        with reachable(self._journal, "written"), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a resumed training reports epochs again
            self._trial.report(value, state.epoch)
        if self._prunes and self._trial.should_prune():
            raise PrunedError(
                f"pruned after epoch {state.epoch}: {self._metric} {value:.4g} is worse than the median of "
                "the trials before it"
            )
