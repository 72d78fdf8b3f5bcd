"""The axes of figures about factors, and the numbers that are drawn on them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from jactrain.report.drawings.base import WIDE, Axis
from jactrain.report.metric_words import worded
from jactrain.report.sweeps.settings import Ranking, Setting, Spread, number
from jactrain.report.texts import called

_FAR = 8.0  # less between the least and the largest is a linear axis
_MANY_SMALL = 0.2  # the share of values below a tenth of the largest; of steps of one size it is a tenth


def score_axis(ranking: Ranking) -> Axis:
    """Return the axis of what ranks the settings."""
    loss = ranking.metric.endswith("loss")
    return Axis(worded(ranking.metric), ranking.unit, "auto" if loss else "linear")


def score_spread(ranking: Ranking, setting: Setting) -> Spread:
    """Return the spread of what ranks the settings, for one that has it."""
    found = setting.spread(ranking.metric)
    if found is None:  # only settings that have it come here
        raise AssertionError(setting.label)
    return found


def factor_values(settings: Sequence[Setting], index: int) -> list[float]:
    """Return the numbers that the factor at `index` takes, in order."""
    return sorted({value for one in settings if (value := number(one.values[index])) is not None})


def factor_axis(name: str, values: Sequence[float]) -> Axis:
    """Return the axis of a factor: logarithmic where its values are spaced by factors rather than steps."""
    powers = all(value > 0 and math.frexp(value)[0] == 0.5 for value in values)
    if (powers and values[-1] >= _FAR * values[0]) or _grows_by_factors(values):
        return Axis(called(name), "size" if powers else "", "log")
    return Axis(called(name), "", "linear")


def _grows_by_factors(values: Sequence[float]) -> bool:
    """Tell whether sorted `values` lie more evenly between the ends on a logarithmic axis, far apart.

    Or whether many of them are small, as of draws over decades that a search then crowds at one end.
    """
    low, high = values[0], values[-1]
    if low <= 0 or high < _FAR * low:
        return False
    if high > WIDE * low and sum(value < high / 10 for value in values) >= _MANY_SMALL * len(values):
        return True
    even = sum((value - low) / (high - low) for value in values) / len(values)
    by_factors = sum(math.log(value / low) / math.log(high / low) for value in values) / len(values)
    return len(values) == 2 or abs(by_factors - 0.5) < abs(even - 0.5)
