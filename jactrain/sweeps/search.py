"""A search: Optuna asks for the next trial's settings, and is told what came of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from jactrain.config.build import check
from jactrain.config.files import located
from jactrain.errors import ConfigurationError, UsageError
from jactrain.files import reachable
from jactrain.sweeps.cells import Cell, Sweep
from jactrain.sweeps.folder import Status, SweepFolder
from jactrain.sweeps.journal import opened, read_whole
from jactrain.sweeps.manner import Manner
from jactrain.sweeps.models import Optuna, Range
from jactrain.sweeps.record import recorded_digests, write_cells
from jactrain.sweeps.results import kept_metrics
from jactrain.sweeps.source import Source, taken_up, task_of
from jactrain.sweeps.task import CellTask, Outcome, Trial
from jactrain.sweeps.variation import Settings, Value

_QUESTION = "question"  # where a study keeps what is searched for, and over what
_SETTINGS = "settings"  # where a trial keeps what its cell was given, as YAML has it


def _sampler(seed: int, number: int) -> Any:
    """Return what draws trial `number`: the same, whether the search was interrupted before it or not."""
    from optuna.samplers import TPESampler

    return TPESampler(seed=int(np.random.SeedSequence([seed, number]).generate_state(1)[0]))


class Searched(Source):
    """The trials of a search, each a cell: those that were begun first, then new ones, one at a time."""

    def __init__(self, read: Sweep, folder: SweepFolder, manner: Manner) -> None:
        """Open the journal in the experiment's folder, and see what became of the trials in it."""
        search = read.experiment.search
        assert search is not None and read.experiment.random is not None  # noqa: S101, PT018
        self._read, self._folder, self._manner = read, folder, manner
        self._options, self._over = search.optuna, read.experiment.random.over
        _require_same(read, folder, manner)
        with self._written(), read_whole(folder.journal):
            self._study = opened(
                str(folder.journal.resolve()), read.name, search.optuna.pruning_after, search.optuna
            )
            _require_comparable(self._study, search.optuna, self._over, read)
        self._recorded = recorded_digests(folder)
        self._cells: dict[int, Cell] = {}
        self._again: set[int] = set()  # trained anew after the study was told that they failed
        self._waiting: list[int] = []
        self._notes: list[str] = []
        self.count, self.done = search.optuna.trials, 0
        with read_whole(folder.journal):
            for trial in self._study.get_trials(deepcopy=False):
                self._take(trial)
        write_cells(folder, read, self.known, manner)

    @property
    def known(self) -> list[Cell]:
        """The trials that were asked for."""
        return [self._cells[number] for number in sorted(self._cells)]

    def _take(self, trial: Any) -> None:
        """Take up a trial of the journal: to be trained, gone on with, or told of, if it was not."""
        if _SETTINGS in trial.user_attrs:
            values = json.loads(trial.user_attrs[_SETTINGS])
        elif trial.state.is_finished():
            return
        else:  # the process ended, or found no room, between asking and naming it
            from optuna.trial import Trial as Asked

            self._study.sampler = _sampler(self._options.seed, trial.number)
            values = self._drawn(Asked(self._study, trial._trial_id))
        cell = self._cell(trial.number, values)
        if cell is None:
            if not trial.state.is_finished():
                self._tell_journal(trial.number, state=_state("FAIL"))
            return
        self._cells[trial.number] = cell
        if self._recorded.get(cell.name, cell.digest) != cell.digest:
            raise UsageError(
                f"the base of {self._read.path} has changed since trials in {self._folder.path} were trained "
                "from it, so that they could not be compared; give the file another name"
            )
        status = taken_up(self._folder.run(cell.name), self._manner)
        self.done += status.is_end
        if status.is_to_do:
            self._waiting.append(trial.number)
            if trial.state.is_finished():
                self._again.add(trial.number)
        elif not trial.state.is_finished():
            self._tell(trial.number, status)

    def tasks(self) -> Iterator[tuple[CellTask, ...]]:
        """Yield what is to be trained; what is yielded next depends on what was told until then."""
        for number in self._waiting:
            yield (self._task(number),)
        impossible = 0
        while len(self._cells) < self.count:
            asked = len(self._study.get_trials(deepcopy=False))
            self._study.sampler = _sampler(self._options.seed, asked)
            with self._written():
                trial = self._study.ask()
            values = self._drawn(trial)
            cell = self._cell(trial.number, values)
            if cell is None:
                self._tell_journal(trial.number, state=_state("FAIL"))
                impossible += 1
                if impossible > self.count:
                    raise UsageError(
                        f"{impossible} times the search drew settings that no training can have, such as "
                        f"{json.dumps(values)}; narrow random.over"
                    )
                continue
            self._cells[trial.number] = cell
            write_cells(self._folder, self._read, self.known, self._manner)
            yield (self._task(trial.number),)

    def learn(self, outcome: Outcome) -> None:
        """Tell the study what became of a trial."""
        number = next(number for number, cell in self._cells.items() if cell.name == outcome.name)
        if not outcome.status.is_to_do and outcome.status is not Status.TRAINED_NOW:
            self._tell(number, outcome.status)

    def _tell(self, number: int, status: Status) -> None:
        value = kept_metrics(self._folder.run(self._cells[number].name)).get(self._options.metric)
        has_value = status is Status.FINISHED and isinstance(value, int | float)  # null: it is not finite
        if number in self._again:
            if has_value:
                self._add(number, value)
        elif has_value:
            self._tell_journal(number, value, skip_if_finished=True)
        else:
            state = _state("PRUNED" if status is Status.PRUNED else "FAIL")
            self._tell_journal(number, state=state, skip_if_finished=True)

    def _add(self, number: int, value: Any) -> None:
        """Tell the study what came of a trial the second time; what it was told cannot be changed."""
        from optuna.trial import create_trial

        old = self._study.get_trials(deepcopy=False)[number]
        if old.state is _state("COMPLETE"):  # its folder was removed, and the same came of it
            return
        again = create_trial(params=old.params, distributions=old.distributions, value=value)
        with self._written():
            self._study.add_trial(again)

    def _tell_journal(self, number: int, *arguments: Any, **options: Any) -> None:
        with self._written():
            self._study.tell(number, *arguments, **options)

    def _drawn(self, trial: Any) -> dict[str, Any]:
        """Return what the sampler has for a trial that was asked for, once the journal has it."""
        with self._written():
            values = {key: _suggested(trial, key, each) for key, each in self._over.items()}
            trial.set_user_attr(_SETTINGS, json.dumps(values))
        return values

    def _written(self) -> AbstractContextManager[None]:
        return reachable(self._folder.journal, "written")

    def _cell(self, number: int, values: dict[str, Any]) -> Cell | None:
        """Return the cell of a trial; None where no training can have its settings together."""
        given: Settings = {key: Value(value, ("random", "over", key)) for key, value in values.items()}
        try:
            cell, document = self._read.cell(f"trial-{number:04}", given, self._read.seeds[0])
            with located(document):
                check(cell.config, to_train=True)
        except ConfigurationError:
            return None
        return cell

    def _task(self, number: int) -> CellTask:
        cell = self._cells[number]
        trial = None
        if not self._manner.brought_back and number not in self._again:  # workers elsewhere have no journal
            trial = Trial(
                str(self._folder.journal.resolve()),
                self._read.name,
                number,
                self._options.metric,
                self._options.pruning_after if self._options.pruning else None,
            )
        return task_of(cell, self._folder, trial)


def _require_same(read: Sweep, folder: SweepFolder, manner: Manner) -> None:
    """Raise UsageError where the folder was made from another file: trials would not be comparable."""
    if manner.update or not recorded_digests(folder) or not folder.experiment.exists():
        return
    if folder.experiment.read_bytes() != read.document.data:
        raise UsageError(
            f"{read.path} has changed since {folder.path} was made from it (its experiment.yaml is what it "
            "was). To keep both, give the file another name; to go on with the trials that there are, say "
            "--update"
        )


def _require_comparable(study: Any, options: Optuna, over: dict[str, Range], read: Sweep) -> None:
    """Raise UsageError where the trials of `study` were drawn or judged in another way."""
    kinds = {key: [next(iter(each.model_fields_set)), each.choice] for key, each in over.items()}
    now = json.dumps([options.metric, options.maximizes, kinds])
    if study.user_attrs.setdefault(_QUESTION, now) != now:
        raise UsageError(
            f"{read.path} searches by another metric, in another direction or over other choices than the "
            "trials that there are; give the file another name"
        )
    study.set_user_attr(_QUESTION, now)


def _suggested(trial: Any, key: str, each: Range) -> Any:
    if each.uniform is not None:
        return trial.suggest_float(key, *each.uniform)
    if each.log_uniform is not None:
        return trial.suggest_float(key, *each.log_uniform, log=True)
    if each.integers is not None:
        return trial.suggest_int(key, *each.integers)
    choices = each.choice or []
    # Optuna's categories are plain values: which component it is, not the component.
    return choices[trial.suggest_categorical(key, list(range(len(choices))))]


def _state(name: str) -> Any:
    from optuna.trial import TrialState

    return TrialState[name]
