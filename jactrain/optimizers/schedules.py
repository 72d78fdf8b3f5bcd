"""Schedules: the learning rate as a function of how far the training is.

Time is counted in epochs, whole or not: at step `t`, counted from 0, of a training with `s` steps an
epoch, `epoch = t / s`. So a schedule means the same whatever the batch size.
"""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from jactrain.registry import Component, ComponentOf, Registry, as_configuration


class Schedule(Component, ABC):
    """Base of all schedules: a pure function of time, on Python numbers."""

    @abstractmethod
    def rate(self, epoch: float, epochs: float) -> float:
        """Return the learning rate at `epoch` >= 0 of a training of `epochs` > 0."""


schedules: Registry[Schedule] = Registry("schedule", "schedules")


def _from_number(value: Any) -> Any:
    """Return the constant schedule for a positive number; refuse what cannot name a schedule either."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if 0 < value <= sys.float_info.max:
            return Constant(value=float(value))
    elif isinstance(value, (Schedule, dict)) or (isinstance(value, str) and value in schedules.names()):
        return value
    advice = f"; {schedules.suggestion(value)}" if isinstance(value, str) else ""
    message = f"expected a number greater than 0 or a schedule, not {value!r}{advice}"
    # Braces in a message must not be read as pydantic's placeholders.
    raise PydanticCustomError("learning_rate", "{message}", {"message": message})


def _as_configuration(schedule: Schedule) -> Any:
    return schedule.value if isinstance(schedule, Constant) else as_configuration(schedule)


# A number is the constant schedule, and a constant schedule is written as a number.
LearningRate = Annotated[
    Schedule,
    ComponentOf(schedules),
    BeforeValidator(_from_number),
    PlainSerializer(_as_configuration),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"$ref": f"#/$defs/{schedules.group}"}]}
    ),
    Field(description="Rate η: a number, or a schedule over the training."),
]


def constant_by_default(rate: float) -> Any:
    """Return a field with the number `rate` as its default, which editors are shown as such."""
    return Field(rate, validate_default=True)


Initial = Annotated[float, Field(gt=0, description="Rate at the beginning.")]


@schedules.register("constant")
class Constant(Schedule):
    """The same rate throughout; a number in place of a schedule means this one."""

    value: float = Field(gt=0, description="The rate.")

    def rate(self, epoch: float, epochs: float) -> float:
        """Return `value`."""
        return self.value


# Of a time in epochs, relative: 0.6 / 0.2 is below 3. A few thousand units in the last place, for behind a
# warm-up of many epochs the difference of two times is rounded like these; far less than a step of training.
_ROUNDING = 1e-12


@schedules.register("step")
class Step(Schedule):
    """A rate multiplied by `factor` each time that `every` epochs have passed."""

    initial: Initial
    every: float = Field(ge=1e-6, description="Epochs from one drop to the next.")
    factor: float = Field(0.1, gt=0, le=1, description="What each drop multiplies the rate by.")

    def rate(self, epoch: float, epochs: float) -> float:
        """Return `initial factor^⌊epoch / every⌋`; an epoch within rounding of a drop is past it."""
        passed = epoch / self.every * (1.0 + _ROUNDING)
        return self.initial * math.pow(self.factor, math.floor(passed))


@schedules.register("exponential")
class Exponential(Schedule):
    """A rate that falls by the factor `decay` each epoch, smoothly."""

    initial: Initial
    decay: float = Field(gt=0, le=1, description="What an epoch multiplies the rate by.")

    def rate(self, epoch: float, epochs: float) -> float:
        """Return `initial decay^epoch`."""
        return self.initial * math.pow(self.decay, epoch)


@schedules.register("cosine")
class Cosine(Schedule):
    """A rate that falls along half a cosine over the whole training (Loshchilov & Hutter 2017, eq. 5)."""

    initial: Initial
    final: float = Field(0.0, ge=0, description="Rate at the end, after the last step.")

    def rate(self, epoch: float, epochs: float) -> float:
        """Return `final + (initial - final) (1 + cos(π epoch / epochs)) / 2`, and `final` afterwards."""
        share = 0.5 * (1.0 + math.cos(math.pi * min(epoch / epochs, 1.0)))
        return self.initial * share + self.final * (1.0 - share)


@schedules.register("linear_warmup")
class LinearWarmup(Schedule):
    """A rate that rises linearly to that of another schedule, which then takes over (Goyal et al. 2017).

    The rise begins at the share `start`, not at 0, for a first step of rate 0 would be a gradient paid
    for and thrown away. `then` begins when the rise ends, and is given the epochs that are left: its
    cosine, for example, still ends with the training.
    """

    epochs: float = Field(gt=0, description="Epochs that the rise takes.")
    then: LearningRate = Field(description="Rate, or schedule, after the rise.")
    start: float = Field(0.01, gt=0, le=1, description="Share of the rate to begin with.")

    def rate(self, epoch: float, epochs: float) -> float:
        """Return the rate of `then`, times a share that rises from `start` to 1 over the first epochs."""
        share = 1.0 - (1.0 - self.start) * (1.0 - min(epoch / self.epochs, 1.0))
        # Where the rise fills the whole training, `then` has no time of its own: only its beginning counts.
        left = epochs - self.epochs if epochs > self.epochs else epochs
        return share * self.then.rate(max(epoch - self.epochs, 0.0), left)
