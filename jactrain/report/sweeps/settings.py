"""Cells with the same settings are repeats of one: their figures have a mean and a spread."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jactrain.report.curves import metric_names
from jactrain.report.metric_words import lower_is_better, metric_unit
from jactrain.report.run_headlines import SCORES
from jactrain.report.run_record import RunRecord
from jactrain.report.settings import spelled
from jactrain.report.sweeps.record import CellRecord, SweepRecord
from jactrain.report.texts import SETTINGS_APART, plain, shown

BAD = ("diverged", "failed")  # endings that speak against the settings
_LOSS = "validation_loss"
_PROPER = 1000.0  # more is no share that is written in percent


@dataclass(frozen=True)
class Spread:
    """A figure over repeats. deviation: the sample standard deviation, None for a single one."""

    count: int
    mean: float
    deviation: float | None
    low: float
    high: float

    @property
    def interval(self) -> tuple[float, float]:
        """The mean, less and plus the standard deviation."""
        return self.mean - (self.deviation or 0.0), self.mean + (self.deviation or 0.0)

    def text(self, unit: str = "") -> str:
        """Return `98.33 ± 0.42 %`, or the single figure."""
        if self.deviation is None:
            return shown(self.mean, unit)
        if unit == "%" and abs(self.mean) < _PROPER and self.deviation < _PROPER:
            return f"{100 * self.mean:.2f} ± {100 * self.deviation:.2f} %"
        return f"{shown(self.mean, unit)} ± {plain(self.deviation, 2)}"


def spread_of(values: Sequence[float | None]) -> Spread | None:
    """Return the spread of those of `values` that are known and finite; None where there are none."""
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    mean = (
        math.fsum(value / len(known) for value in known)
        if max(map(abs, known)) > 1e300
        else (math.fsum(known) / len(known))
    )
    deviation = None
    if len(known) > 1:  # hypot, where squares would leave the range of floating point
        deviation = math.hypot(*(value - mean for value in known)) / math.sqrt(len(known) - 1)
        deviation = deviation if math.isfinite(deviation) else None
    return Spread(len(known), mean, deviation, min(known), max(known))


@dataclass(frozen=True)
class Setting:
    """Cells that differ in nothing but their seeds. values: one for each factor, None where it has none."""

    label: str
    values: tuple[Any, ...]
    cells: tuple[CellRecord, ...]

    @property
    def finished(self) -> list[CellRecord]:
        """The repeats of which it is known what they reached."""
        return [cell for cell in self.cells if cell.status == "finished"]

    @property
    def runs(self) -> list[RunRecord]:
        """The runs of these."""
        return [cell.run for cell in self.finished if cell.run is not None]

    @property
    def is_whole(self) -> bool:
        """Whether every repeat finished."""
        return len(self.finished) == len(self.cells)

    def spread(self, metric: str) -> Spread | None:
        """Return the spread of a figure over the repeats that finished."""
        return spread_of([cell.figures.get(metric) for cell in self.finished])

    def by_seed(self, metric: str) -> dict[int, float]:
        """Return the figure of each seed that has it; of seeds that come twice, none."""
        seeds = [cell.entry.seed for cell in self.finished]
        return {
            cell.entry.seed: value
            for cell in self.finished
            if seeds.count(cell.entry.seed) == 1 and (value := cell.figures.get(metric)) is not None
        }


@dataclass(frozen=True)
class Ranking:
    """The settings by what they reached.

    metric: the figure that ranks them, empty where there is none; lower: whether less of it is better.
    ranked: best first. others: what is not ranked. why: in words, which settings are ranked, if not all.
    noun: what they are called, settings or trials.
    """

    metric: str
    lower: bool
    ranked: list[Setting]
    others: list[Setting]
    why: str = ""
    noun: str = "setting"

    @property
    def unit(self) -> str:
        """The unit in which the metric is shown."""
        return metric_unit(self.metric)

    @property
    def everything(self) -> list[Setting]:
        """All settings, those that are ranked first."""
        return [*self.ranked, *self.others]

    def is_better(self, one: float, other: float) -> bool:
        """Tell whether `one` is a better figure than `other`."""
        return one < other if self.lower else one > other


def settings_of(sweep: SweepRecord) -> list[Setting]:
    """Return the settings in the order in which they come; the trials of a search are one each."""
    groups: dict[str, list[CellRecord]] = {}
    for number, cell in enumerate(sweep.cells):
        own = [cell.entry.settings.get(factor) for factor in sweep.factors]
        key = json.dumps([_plain_number(value) for value in own], sort_keys=True)
        groups.setdefault(f"{number}" if sweep.search else key, []).append(cell)
    values = [
        tuple(cells[0].entry.settings.get(factor) for factor in sweep.factors) for cells in groups.values()
    ]
    names = (
        [cells[0].entry.name for cells in groups.values()] if sweep.search else _labels(sweep.factors, values)
    )
    return [
        Setting(name, value, tuple(cells))
        for name, value, cells in zip(names, values, groups.values(), strict=True)
    ]


def _plain_number(value: Any) -> Any:
    """Return `value`, but 1.0 as 1, which is the same setting."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def short_names(factors: Sequence[str]) -> list[str]:
    """Return the end of each factor's dotted path that tells it apart: `learning_rate`, or all of it."""
    found = []
    for factor in factors:
        parts = factor.split(".")
        ends = [".".join(parts[-length:]) for length in range(1, len(parts) + 1)]
        others = [f".{other}" for other in factors if other != factor]
        apart = [
            end for end in ends if not end[:1].isdecimal() and not any(o.endswith(f".{end}") for o in others)
        ]
        found.append(apart[0] if apart else factor)
    return found


def value_text(value: Any, digits: int = 4) -> str:
    """Return the value of a factor on one line; numbers that are not whole to so many digits."""
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.{digits}g}"
    return spelled(value)


def number(value: Any) -> float | None:
    """Return the value of a factor as a number that can be drawn, None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def numeric_factors(sweep: SweepRecord, settings: Sequence[Setting]) -> list[int]:
    """Return the places of the factors all of whose values are numbers, two or more."""
    found = []
    for index in range(len(sweep.factors)):
        numbers = [number(setting.values[index]) for setting in settings]
        if None not in numbers and len({*numbers}) > 1:
            found.append(index)
    return found


def _labels(factors: Sequence[str], values: Sequence[tuple[Any, ...]]) -> list[str]:
    if not factors:
        return ["the only setting"] * len(values)
    names = short_names(factors)
    for digits in (4, 9):
        labels = [
            SETTINGS_APART.join(
                part(name, value, digits) for name, value in zip(names, row, strict=True) if value is not None
            )
            or "none of these"
            for row in values
        ]
        if len({*labels}) == len(labels):
            break
    return labels


def part(name: str, value: Any, digits: int = 4) -> str:
    """Return `learning_rate=0.1`; of a component, which tells what it is, the value alone."""
    text = value_text(value, digits)
    return text if isinstance(value, str | dict) and text else f"{name}={text}"


def ranking_of(sweep: SweepRecord, settings: Sequence[Setting]) -> Ranking:
    """Return the settings by the mean of what speaks for them, or by what the search is after.

    Ranked are settings of which no repeat diverged or failed and at least half have finished; where there are
    none, all those of which none diverged or failed; at last all that have a figure.
    """
    metric = sweep.search.metric if sweep.search else _score(settings)
    lower = sweep.search.direction == "minimize" if sweep.search else lower_is_better(metric)
    having = [setting for setting in settings if setting.spread(metric) is not None]
    sound = [setting for setting in having if not any(cell.status in BAD for cell in setting.cells)]
    far = [setting for setting in sound if 2 * len(setting.finished) >= len(setting.cells)]
    ranked = far or sound or having
    why = ""
    if len(ranked) < len(having):
        why = "of which no repeat diverged or failed"
        why += " and at least half finished" if len(far) not in (0, len(sound)) else ""
    ranked = sorted(ranked, key=lambda setting: _merit(setting, metric, lower))
    places = {*map(id, ranked)}
    others = sorted(
        (setting for setting in settings if id(setting) not in places),
        key=lambda setting: _merit(setting, metric, lower),
    )
    return Ranking(metric, lower, ranked, others, why, "trial" if sweep.search else "setting")


def _score(settings: Sequence[Setting]) -> str:
    """Return the name of the figure that speaks for a run, as on the page of a single one."""
    runs = [run for setting in settings for run in setting.runs]
    names = [name for name in metric_names(runs) if any(run.figures.get(name) is not None for run in runs)]
    return next((name for name in SCORES if name in names), names[0] if names else "")


def _merit(setting: Setting, metric: str, lower: bool) -> tuple[float, float]:
    """Return what sorts the best first: the mean of the metric, then the validation loss."""
    spread, loss = setting.spread(metric), setting.spread(_LOSS)
    merit = math.inf if spread is None else spread.mean if lower else -spread.mean
    return merit, math.inf if loss is None else loss.mean
