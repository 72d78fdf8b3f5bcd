"""Bias, variance and angle of estimators along the reference's trajectory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jactrain.report.drawings.base import Axis
from jactrain.report.drawings.lines import Lines, Series
from jactrain.report.page import Column, Figure, Table
from jactrain.report.record import Estimator, Training
from jactrain.report.texts import called, listing, shown

Found = dict[str, Estimator]

_SEVERAL = 4  # standard errors that chance does not exceed


def estimator_figures(training: Training, styles: Mapping[str, int]) -> Iterator[Figure]:
    """Yield figures of bias, variance and cosine of the modes that estimate, where there are any."""
    found = {mode.mode: mode.estimator for mode in training.modes if mode.estimator and mode.estimator.step}
    drawing = {mode: one for mode, one in found.items() if one.draws}
    fixed = {mode: one for mode, one in found.items() if not one.draws}
    if any(value is not None for one in drawing.values() for value in _in_standard_errors(one)):
        yield _bias(drawing, styles)
    if any(value is not None for one in fixed.values() for value in one.relative_bias):
        yield _plain(
            fixed, styles, "relative_bias", "Bias of the modes that draw nothing", Axis("bias ÷ ‖gradient‖"),
            "bias", "these give the same gradient again and again, so that all of their error is bias",
        )  # fmt: skip
    for chosen, quantity, title, axis, words, how in (
        (drawing, "relative_variance", "Variance of the estimators", Axis("variance ÷ ‖gradient‖²"),
         "variance", "these are variances of single draws, at points of the reference's trajectory"),
        (found, "cosine", "Angle between estimate and gradient", Axis("mean cosine", "", "linear"),
         "cosine", "this is the mean over single draws, not the cosine of their mean, at points of the "
         "reference's trajectory"),
    ):  # fmt: skip
        if any(value is not None for one in chosen.values() for value in getattr(one, quantity)):
            yield _plain(chosen, styles, quantity, title, axis, words, how)


def _plain(
    found: Found, styles: Mapping[str, int], quantity: str, title: str, axis: Axis, words: str, how: str
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
        f"{caption}; {how}.",
        Lines(Axis("steps of the reference", "count", "linear"), axis, series),
        _table(found, {quantity: axis.label}),
    )


def _bias(found: Found, styles: Mapping[str, int]) -> Figure:
    biased = [
        called(mode)
        for mode, one in found.items()
        if any(value is not None and value > _SEVERAL for value in _in_standard_errors(one))
    ]
    sound = [called(mode) for mode in found if called(mode) not in biased]
    words = []
    if sound:
        words.append(f"So {_do(sound)} {listing(sound)}: no bias is seen.")
    if biased:
        words.append(f"Farther off {_are(biased)} {listing(biased)}, somewhere at least: this bias is real.")
    series = [
        Series(mode, one.step, _in_standard_errors(one), styles.get(mode, 0)) for mode, one in found.items()
    ]
    return Figure(
        "estimator-bias",
        "Bias of the estimators, in its standard errors",
        "How far the mean of repeated draws is from the gradient, divided by how far chance alone puts it. "
        f"An unbiased estimator stays near 1, and within {_SEVERAL}. {' '.join(words)}",
        Lines(
            Axis("steps of the reference", "count", "linear"),
            Axis("bias ÷ its standard error", "", "auto", (0.0, float(_SEVERAL))),
            series,
        ),
        _table(found, {"relative_bias": "bias ÷ ‖gradient‖", "bias_standard_error": "standard error"}),
    )


def _in_standard_errors(one: Estimator) -> list[float | None]:
    """Return the bias at every point in units of its standard error; None where either is unknown, or 0."""
    return [
        None if bias is None or not error else bias / error
        for bias, error in zip(one.relative_bias, one.bias_standard_error, strict=False)
    ] or [None] * len(one.step)


def _do(names: list[str]) -> str:
    return "does" if len(names) == 1 else "do"


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
