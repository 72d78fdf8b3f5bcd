"""What a sweep will take, before it is begun: work and memory by plan, time by a probe of one cell."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import NamedTuple

import numpy as np

from jactrain.config.build import build, check
from jactrain.data.base import Classification
from jactrain.data.preparation import most_kept
from jactrain.errors import DivergedError
from jactrain.sweeps.cells import Cell
from jactrain.training.events import Listener
from jactrain.training.state import TrainingState
from jactrain.training.trainer import train

# Cells of other settings that are tried where one diverges at once.
_TRIED = 4
# Seconds that the probe trains for at most, and at the end of its first step in any case.
_PROBE = 1.0


class Prediction(NamedTuple):
    """What one cell takes: multiply-adds of all its gradients, bytes at the peak of one of them."""

    name: str
    multiply_adds: int
    peak_bytes: int


class Probe(NamedTuple):
    """One cell trained for a moment: its name, its multiply-adds a second, what each cell takes besides."""

    name: str
    rate: float
    overhead: float

    def seconds(self, predictions: Sequence[Prediction], begun: int | None = None) -> float:
        """Return the seconds that all cells take one after another, if they run at the probe's rate.

        begun: how many trainings are begun, fewer where several are one program; all if left out.
        """
        begun = len(predictions) if begun is None else begun
        return sum(each.multiply_adds for each in predictions) / self.rate + begun * self.overhead


def predictions(cells: Sequence[Cell]) -> list[Prediction]:
    """Return what each cell takes; repeats, which differ in their seed alone, are predicted once."""
    known: dict[str, Prediction] = {}
    found = []
    for cell in cells:
        key = repr(cell.settings)
        if key not in known:
            known[key] = _predicted(cell)
        found.append(known[key]._replace(name=cell.name))
    return found


def _predicted(cell: Cell) -> Prediction:
    config = cell.config
    blueprint = check(config, to_train=True)
    examples = blueprint.outline.examples
    examples -= most_kept(examples, config.data.validation)
    batch, epochs = config.training.batch_size, config.training.epochs
    if isinstance(blueprint.outline.task, Classification):
        batch = min(batch, examples)
    sizes = {batch: examples // batch, examples % batch: 1}
    work, peak = 0, 0
    for size, times in sizes.items():
        if size and times:
            plan = blueprint.mode.prepare(blueprint.objective, size, np.dtype(config.dtype))
            work += plan.multiply_adds * times * epochs
            peak = max(peak, plan.peak_bytes)
    return Prediction(cell.name, work, peak)


def probe(cells: Sequence[Cell], predicted: Sequence[Prediction]) -> Probe:
    """Return the rate of the cell of middling work, trained by its own engine for a moment.

    Of another one where that diverges at once; where several do, all is said to last as they did.
    """
    order = sorted(range(len(cells)), key=lambda number: predicted[number].multiply_adds)
    by_settings: dict[str, int] = {}
    for place in sorted(range(len(order)), key=lambda place: abs(place - len(order) // 2)):
        by_settings.setdefault(repr(cells[order[place]].settings), order[place])
    tried = list(by_settings.values())[:_TRIED]
    start = perf_counter()
    for number in tried:
        if found := _probed(cells[number]):
            return found
    took = (perf_counter() - start) / len(tried)
    return Probe(cells[tried[0]].name, max(predicted[tried[0]].multiply_adds, 1) / took, 0.0)


def _probed(cell: Cell) -> Probe | None:
    """Return the rate of `cell`; None if it diverged while its steps were yet to be recorded."""
    start = perf_counter()
    experiment = build(cell.config, to_train=True)
    state = TrainingState.start(experiment)
    clock = _Clock(start)
    try:
        train(experiment, state, [clock], stop=lambda: perf_counter() - start > _PROBE)
    except DivergedError:
        if not clock.first:
            return None
    work, seconds = state.multiply_adds - clock.multiply_adds, state.seconds - clock.seconds
    if not work:  # no more than one epoch
        work, seconds = max(state.multiply_adds, 1), state.seconds
    rate = work / max(seconds, 1e-9)
    return Probe(cell.name, rate, max(0.0, clock.first - clock.multiply_adds / rate))


class _Clock(Listener):
    """Notes when the first epoch is over, in which steps are recorded or compiled.

    first: seconds from `start` to then; multiply_adds and seconds: of its steps.
    """

    def __init__(self, start: float) -> None:
        self._start = start
        self.first = self.seconds = 0.0
        self.multiply_adds = 0

    def on_epoch(self, state: TrainingState) -> None:
        """Note the first epoch's end."""
        if state.epoch == 1:
            self.first = perf_counter() - self._start
            self.seconds, self.multiply_adds = state.seconds, state.multiply_adds
