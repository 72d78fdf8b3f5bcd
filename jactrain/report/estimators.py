"""Bias, variance and angle of estimators along the reference's trajectory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.lines import Lines, Series
from jactrain.report.page import Column, Figure, Table
from jactrain.report.record import Estimator, Training
from jactrain.report.texts import called, listing, shown

Found = dict[str, Estimator]


def estimator_figures(training: Training, styles: Mapping[str, int]) -> Iterator[Figure]:
    """Yield a figure each of bias, variance and cosine of the modes that estimate, where there are any."""
    found = {mode.mode: mode.estimator for mode in training.modes if mode.estimator and mode.estimator.step}
    if any(value is not None for one in found.values() for value in one.relative_bias):
        yield _bias(found, styles)
    for quantity, title, label, unit, words in (
        ("relative_variance", "Variance of the estimators", "variance ÷ ‖gradient‖²", "", "variance"),
        ("cosine", "Angle between estimate and gradient", "mean cosine", "", "mean cosine"),
    ):
        if any(value is not None for one in found.values() for value in getattr(one, quantity)):
            axis = Axis(label, unit, "linear" if quantity == "cosine" else "auto")
            yield _plain(found, styles, quantity, title, axis, words)


def _plain(
    found: Found, styles: Mapping[str, int], quantity: str, title: str, axis: Axis, words: str
) -> Figure:
    means = {
        called(mode): sum(known) / len(known)
        for mode, one in found.items()
        if (known := [value for value in getattr(one, quantity) if value is not None])
    }
    low, high = min(means, key=lambda mode: means[mode]), max(means, key=lambda mode: means[mode])
    caption = (
        f"{high} has a {words} of {shown(means[high])} on average along the way"
        if low == high
        else f"On average along the way {low} has the smallest {words}, {shown(means[low])}, and {high} the "
        f"largest, {shown(means[high])}"
    )
    series = [Series(mode, one.step, getattr(one, quantity) or [None] * len(one.step), styles.get(mode, 0))
              for mode, one in found.items()]  # fmt: skip
    return Figure(
        f"estimator-{quantity}",
        title,
        f"{caption}; measured by repeated draws at points of the reference's trajectory.",
        Lines(Axis("steps of the reference", "count", "linear"), axis, series),
        _table(found, {quantity: axis.label}),
    )


def _bias(found: Found, styles: Mapping[str, int]) -> Figure:
    series = []
    biased = []
    for mode, one in found.items():
        if not one.relative_bias:
            continue
        errors = one.bias_standard_error or [None] * len(one.step)
        pairs = list(zip(one.relative_bias, errors, strict=True))
        low = [None if bias is None else max(bias - 2 * (error or 0), 0.0) for bias, error in pairs]
        high = [None if bias is None else bias + 2 * (error or 0) for bias, error in pairs]
        series.append(Series(mode, one.step, one.relative_bias, styles.get(mode, 0), low, high))
        if any(bias is not None and error is not None and bias > 4 * error for bias, error in pairs):
            biased.append(called(mode))
    sound = [called(one.label) for one in series if called(one.label) not in biased]
    words = []
    if sound:
        words.append(f"{listing(sound)} {_are(sound)} within four standard errors of no bias everywhere.")
    if biased:
        words.append(f"{listing(biased)} {_are(biased)} not, so that this bias is real.")
    return Figure(
        "estimator-bias",
        "Bias of the estimators",
        f"How far the mean of repeated draws is from the gradient, in units of the gradient. "
        f"{' '.join(words)} Upright lines span two standard errors to either side; draws without bias still "
        "show about one.",
        Lines(
            Axis("steps of the reference", "count", "linear"),
            Axis("bias ÷ ‖gradient‖"),
            series,
            whiskers=True,
        ),
        _table(found, {"relative_bias": "bias", "bias_standard_error": "standard error"}),
    )


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _table(found: Found, quantities: Mapping[str, str]) -> Table:
    columns = [
        Column("mode"),
        Column("step", "number", "count"),
        *(Column(name, "number") for name in quantities.values()),
    ]
    rows = [
        (mode, step, *((getattr(one, key) or [None] * len(one.step))[index] for key in quantities))
        for mode, one in found.items()
        for index, step in enumerate(one.step)
    ]
    return Table(columns, rows)
