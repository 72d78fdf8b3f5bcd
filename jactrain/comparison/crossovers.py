"""Which modes become cheaper than the reference as the network grows, in few lines."""

from __future__ import annotations

from math import sqrt
from typing import Any

from jactrain.comparison.trends import SAME, Cost, Costs, Order, order, sentence


def seconds_of(row: dict[str, Any]) -> Costs:
    """Return the seconds of a mode of comparison.json's `scaling`, where they were measured."""
    return {
        # About two standard errors of the median.
        point["size"]: Cost(
            point["seconds"]["median"], 2 * point["seconds"]["iqr"] / sqrt(point["seconds"]["repeats"])
        )
        for point in row["points"]
        if point["seconds"]
    }


def multiply_adds_of(row: dict[str, Any]) -> Costs:
    """Return the multiply-adds predicted for a mode of comparison.json's `scaling`."""
    return {point["size"]: Cost(point["multiply_adds"]) for point in row["points"] if point["multiply_adds"]}


def orders(first: dict[str, Any], second: dict[str, Any]) -> tuple[Order | None, Order | None]:
    """Return how two modes of `scaling` are ordered by the clock, and by the multiply-adds predicted."""
    return (
        order(seconds_of(first), seconds_of(second), SAME),
        order(multiply_adds_of(first), multiply_adds_of(second), 0.0),
    )


def crossover(along: str, first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of comparison.json for two modes: where their order changes, and a sentence."""
    measured, predicted = orders(first, second)
    names = [first["mode"], second["mode"]]
    return {
        "modes": names,
        "measured_at": measured.at if measured else None,
        "predicted_at": predicted.at if predicted else None,
        "sentence": sentence(names, along, measured, predicted),
    }


def crossover_lines(scaling: dict[str, Any]) -> list[str]:
    """Return a line for the modes that are dearer than the reference throughout, and so on, or cross it.

    scaling: of comparison.json; modes that never cross share a line, and each that does has its own.
    """
    reference, *others = scaling["modes"]
    together: dict[tuple[str, str], list[str]] = {}
    crossing = []
    for row in others:
        measured, predicted = orders(reference, row)
        if any(found is not None and found.at is not None for found in (measured, predicted)):
            names = (reference["mode"], row["mode"])
            crossing.append(sentence(names, scaling["along"], measured, predicted))
        else:
            together.setdefault((_summary(measured), _summary(predicted)), []).append(row["mode"])
    return [*(_line(reference["mode"], key, modes) for key, modes in together.items()), *crossing]


def _summary(found: Order | None) -> str:
    """Return how the reference stands, with places for its name and the others'."""
    if found is None:
        return ""
    if found.cheaper is None:
        return "{reference} costs the same as {others}"
    where = "throughout" if found.everywhere else "wherever they differ"
    first, second = (
        ("{reference} is", "{others}") if found.cheaper == 0 else ("{others} {are}", "{reference}")
    )
    return f"{first} cheaper than {second} {where}"


def _line(reference: str, key: tuple[str, str], modes: list[str]) -> str:
    measured, predicted = (
        summary.replace("{others}", ", ".join(modes))
        .replace("{are}", "is" if len(modes) == 1 else "are")
        .replace("{reference}", reference)
        for summary in key
    )
    if measured and measured == predicted:
        return f"{measured}, measured and predicted"
    told = [f"measured: {measured}"] if measured else []
    told += [f"predicted multiply-adds: {predicted}"] if predicted else []
    return "; ".join(told) or f"too few sizes to tell {reference} from {', '.join(modes)}"
