"""The gradient of one batch: factored forward mode against reverse mode."""

from __future__ import annotations

from benchmarks.problem import STEPS, gradients
from benchmarks.timing import Subject

_FORWARD_STEPS = 10


def subjects() -> dict[str, Subject]:
    """Return what is timed."""
    return {
        "reverse": Subject(gradients("reverse", STEPS), STEPS),
        "forward": Subject(gradients("forward", _FORWARD_STEPS), _FORWARD_STEPS),
    }
