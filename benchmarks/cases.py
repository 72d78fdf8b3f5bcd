"""All cases, in the order in which they run."""

from __future__ import annotations

from benchmarks import commands, gradient, jacobians, sweeps, together, training_step
from benchmarks.case import Case

CASES: tuple[Case, ...] = (
    *training_step.cases(),
    *gradient.cases(),
    *jacobians.cases(),
    *commands.cases(),
    *together.cases(),
    *sweeps.cases(),
)
