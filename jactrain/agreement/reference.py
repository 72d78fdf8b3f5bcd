"""The mode that others are compared with, and what is asked of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jactrain.arrays import Array
from jactrain.errors import ShapeError, UsageError
from jactrain.modes import modes
from jactrain.modes.base import Exactness, GradientResult, Mode
from jactrain.objective import Objective


def reference_of(mode: Mode, objective: Objective, examples: int, dtype: Any) -> Mode:
    """Return `mode` if it is exact, else reverse, else the cheapest exact one that the layers admit.

    Raises UsageError if there is none: nothing could then be called an error.
    """
    if mode.exactness is Exactness.EXACT:
        return mode
    refusals = []
    for candidate in (modes.resolve("reverse"), modes.resolve("auto")):
        try:
            plan = candidate.prepare(objective, examples, dtype)
        except UsageError as error:
            refusals.append(str(error))
        else:
            return plan.computed_by.mode
    raise UsageError(
        f"no exact mode can differentiate this network, so there is nothing to compare with: {refusals[0]}"
    )


def distinct(modes: Sequence[Mode]) -> list[Mode]:
    """Return `modes` without those that came before."""
    return [mode for index, mode in enumerate(modes) if mode not in modes[:index]]


def reason_of(error: Exception) -> str:
    """Return what `error` says, with its type where it is none of ours and may say little."""
    if isinstance(error, UsageError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def require_form(result: GradientResult, parameters: Array) -> None:
    """Raise ShapeError where rules of a wrong shape have come together to a gradient of one."""
    if result.gradient.shape != parameters.shape:
        raise ShapeError(f"the gradient has shape {result.gradient.shape}, not {parameters.shape}")
