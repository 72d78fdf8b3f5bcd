"""A search: Optuna asks for the next trial's settings, and is told what came of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from jactrain.config.build import check
from jactrain.config.files import located
from jactrain.config.resolved import resolved
from jactrain.errors import UnsupportedError, UsageError
from jactrain.sweeps.cells import Cell, Sweep
from jactrain.sweeps.folder import Status, SweepFolder, set_aside, standing
from jactrain.sweeps.models import Optuna, Range
from jactrain.sweeps.record import recorded_digests, write_cells
from jactrain.sweeps.results import row
from jactrain.sweeps.source import Manner, Source
from jactrain.sweeps.task import CellTask, Outcome, Trial
from jactrain.sweeps.variation import Settings, Value

_SETTINGS = "settings"  # where a trial keeps what its cell was given, as YAML has it


def opened(journal: str, name: str, after: int, options: Optuna | None = None) -> Any:
    """Return the study in the file `journal`; `options` make it where it is not there yet.

    after: epochs before which nothing is pruned.
    """
    try:
        import optuna
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend
    except ImportError:
        raise UnsupportedError(
            "search: optuna needs Optuna, which is not installed: pip install 'jactrain[optuna]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = JournalStorage(JournalFileBackend(journal))
    pruner = optuna.pruners.MedianPruner(n_warmup_steps=after)
    if options is None:
        return optuna.load_study(study_name=name, storage=storage, pruner=pruner)
    return optuna.create_study(
        study_name=name,
        storage=storage,
        load_if_exists=True,
        direction="maximize" if options.maximizes else "minimize",
        sampler=optuna.samplers.TPESampler(seed=options.seed),
        pruner=pruner,
    )


class Searched(Source):
    """The trials of a search, each a cell: those that were begun first, then new ones, one at a time."""

    def __init__(self, read: Sweep, folder: SweepFolder, manner: Manner) -> None:
        """Open the journal in the experiment's folder, and see what became of the trials in it."""
        search = read.experiment.search
        assert search is not None and read.experiment.random is not None  # noqa: S101, PT018
        self._read, self._folder, self._manner = read, folder, manner
        self._options, self._over = search.optuna, read.experiment.random.over
        _require_same(read, folder, manner)
        self._study = opened(
            str(folder.journal.resolve()), read.name, search.optuna.pruning_after, search.optuna
        )
        self._cells: dict[int, Cell] = {}
        self._waiting: list[int] = []
        self._notes: list[str] = []
        for trial in self._study.get_trials(deepcopy=False):
            self._take(trial)
        self.cells = search.optuna.trials
        self.to_do = len(self._waiting) + max(0, self.cells - len(self._cells))
        write_cells(folder, read, self.known)

    @property
    def known(self) -> list[Cell]:  # type: ignore[override]
        """The trials that were asked for."""
        return [self._cells[number] for number in sorted(self._cells)]

    def _take(self, trial: Any) -> None:
        """Take up a trial of the journal: to be trained, gone on with, or told of, if it was not."""
        if _SETTINGS not in trial.user_attrs:  # the process ended between asking and naming it
            self._study.tell(trial.number, state=_state("FAIL"))
            return
        cell = self._cell(trial.number, json.loads(trial.user_attrs[_SETTINGS]))
        self._cells[trial.number] = cell
        directory = self._folder.run(cell.name)
        status = standing(directory).status
        if status.is_failure and self._manner.retry:
            set_aside(directory)
            status = Status.NOT_BEGUN
        if status.is_to_do:
            self._waiting.append(trial.number)
        elif not trial.state.is_finished():
            self._tell(trial.number, status)

    def tasks(self) -> Iterator[tuple[CellTask, ...]]:
        """Yield what is to be trained; what is yielded next depends on what was told until then."""
        for number in self._waiting:
            yield (self._task(number),)
        while len(self._cells) < self.cells:
            trial = self._study.ask()
            values = {key: _suggested(trial, key, each) for key, each in self._over.items()}
            trial.set_user_attr(_SETTINGS, json.dumps(values))
            self._cells[trial.number] = self._cell(trial.number, values)
            write_cells(self._folder, self._read, self.known)
            yield (self._task(trial.number),)

    def learn(self, outcome: Outcome) -> None:
        """Tell the study what became of a trial."""
        number = next(number for number, cell in self._cells.items() if cell.name == outcome.name)
        if not outcome.status.is_to_do and outcome.status is not Status.TRAINED_NOW:
            self._tell(number, outcome.status)

    def _tell(self, number: int, status: Status) -> None:
        cell = self._cells[number]
        found = row(cell, self._folder.run(cell.name))
        value = found.get(f"final_{self._options.metric}")
        if status is Status.FINISHED and value is None:
            names = ", ".join(name.removeprefix("final_") for name in found if name.startswith("final_"))
            raise UsageError(
                f"search.optuna.metric is {self._options.metric}, which these trainings do not have; they "
                f"have {names}"
            )
        if status is Status.FINISHED:
            self._study.tell(number, value, skip_if_finished=True)
        else:
            state = _state("PRUNED" if status is Status.PRUNED else "FAIL")
            self._study.tell(number, state=state, skip_if_finished=True)

    def _cell(self, number: int, values: dict[str, Any]) -> Cell:
        """Return the cell of a trial; ConfigurationError where its settings are none."""
        given: Settings = {key: Value(value, ("random", "over", key)) for key, value in values.items()}
        cell, document = self._read.cell(f"trial-{number:04}", given, self._read.seeds[0])
        with located(document):
            check(cell.config, to_train=True)
        return cell

    def _task(self, number: int) -> CellTask:
        cell = self._cells[number]
        trial = None
        if not self._manner.brought_back:  # workers elsewhere have no journal
            trial = Trial(
                str(self._folder.journal.resolve()),
                self._read.name,
                number,
                self._options.metric,
                self._options.pruning_after if self._options.pruning else None,
            )
        folder = self._folder.run(cell.name).path.resolve()
        return CellTask(cell.name, resolved(cell.config), str(folder), trial=trial)


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
