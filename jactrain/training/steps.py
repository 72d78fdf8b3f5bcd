"""Steps of a training by NumPy: rule by rule, or recorded and played back in place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, NamedTuple, Protocol

import numpy as np

from jactrain.arrays import Array
from jactrain.errors import ShapeError, UnrecordableError
from jactrain.linearization import Work
from jactrain.modes.gradients import GradientOfArrays, arrays_of, leaves_of, noise_paths
from jactrain.optimizers.base import State
from jactrain.program import record_on
from jactrain.training.batches import Draw
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState


class Point(NamedTuple):
    """Parameters `(P,)` and the optimizer's state, in arrays that steps write into."""

    parameters: Array
    optimizer: State

    def put(self, parameters: Array, optimizer: State) -> None:
        """Write other parameters and state into the arrays."""
        np.copyto(self.parameters, parameters)
        for name, array in self.optimizer.items():
            np.copyto(array, optimizer[name])

    def copy(self) -> Point:
        """Return a copy of the arrays."""
        return Point(self.parameters.copy(), {name: array.copy() for name, array in self.optimizer.items()})

    def leave(self, state: TrainingState) -> None:
        """Give `state` copies of the arrays."""
        state.parameters, state.optimizer = self.copy()

    def equals(self, other: Point) -> bool:
        """Return whether both hold the same numbers, NaNs where the other has them."""
        pairs = [(self.parameters, other.parameters)]
        pairs += [(array, other.optimizer[name]) for name, array in self.optimizer.items()]
        return all(np.array_equal(one, another, equal_nan=True) for one, another in pairs)


class Step(Protocol):
    """One step on the arrays of a point, in two halves: a gradient, and the optimizer's use of it."""

    @property
    def gradient(self) -> Array:
        """The gradient `(P,)`, from `differentiate` on."""

    @property
    def work(self) -> Work:
        """What `differentiate` applied."""

    def differentiate(self, draw: Draw, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return the loss of the batch, and the gradient's squared length."""

    def update(self, rate: float) -> None:
        """Move the parameters along the gradient."""


class PlainStep:
    """A step rule by rule, by any mode and optimizer, on batches of one size.

    is_new: whether nobody tried to record it.
    """

    def __init__(self, experiment: Experiment, point: Point, examples: int) -> None:
        self.experiment, self.point = experiment, point
        self.plan = experiment.mode.prepare(experiment.objective, examples, experiment.dtype)
        self.gradient: Array = point.parameters
        self.work = Work()
        self.is_new = True

    def differentiate(self, draw: Draw, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return the loss of the batch, and the gradient's squared length."""
        experiment, plan = self.experiment, self.plan
        result = plan.mode.value_and_gradient(
            experiment.objective, self.point.parameters, draw.batch(experiment), plan, rng
        )
        if result.gradient.shape != self.point.parameters.shape:
            raise ShapeError(
                f"mode {plan.mode.label} gives a gradient of shape {result.gradient.shape}, not "
                f"{self.point.parameters.shape}, that of the parameters"
            )
        # Differences may be evaluated in another dtype than the network's.
        self.gradient, self.work = result.gradient.astype(experiment.dtype, copy=False), result.work
        return result.value, self.gradient.dot(self.gradient)

    def update(self, rate: float) -> None:
        """Move the parameters along the gradient."""
        point, optimizer = self.point, self.experiment.optimizer
        parameters, state = optimizer.step(
            np, point.optimizer, point.parameters, self.gradient, point.parameters.dtype.type(rate)
        )
        # Copies, for what an optimizer returns may be the arrays that it was given.
        point.put(*Point(parameters, state).copy())


class RecordedStep:
    """A step as two programs that read and write the arrays of a point.

    Raises UnrecordableError if a rule of the network, the loss or the optimizer does not allow it.
    """

    def __init__(self, plain: PlainStep, draw: Draw) -> None:
        """Record what `plain` does for batches like that of `draw`; it did it once, and knows the work."""
        if not plain.plan.computed_by.mode.recordable:
            raise UnrecordableError(f"mode {plain.plan.mode.label} does not do the same calls every time")
        experiment, point = plain.experiment, plain.point
        x, targets, _ = experiment.training
        function = GradientOfArrays(plain.plan, noise_paths(draw.noise))

        def differentiated(*arrays: Array) -> tuple[Array, ...]:
            value, gradient, _ = function(*arrays)
            if gradient.dtype != experiment.dtype:
                gradient = gradient.astype(experiment.dtype)
            return value, gradient, gradient.dot(gradient)

        names = list(point.optimizer)

        def updated(parameters: Array, gradient: Array, rate: Array, *state: Array) -> tuple[Array, ...]:
            named = dict(zip(names, state, strict=True))
            parameters, named = experiment.optimizer.step(np, named, parameters, gradient, rate)
            return parameters, *(named[name] for name in names)

        # Copies, as listeners may keep the noise of this step, and later steps write into these.
        batch = [array.copy() for array in arrays_of(draw.batch(experiment))]
        self._x, self._targets, *self._noise = batch
        self._all_x, self._all_targets = x, targets
        self._differentiate = record_on(differentiated, [point.parameters, *batch])
        self._value, self.gradient, self._square = self._differentiate.outputs
        self._rate = np.zeros((), point.parameters.dtype)
        read = [point.parameters, self.gradient, self._rate, *point.optimizer.values()]
        stored = {0: 0} | {1 + number: 3 + number for number in range(len(names))}
        self._update = record_on(updated, read, stored)
        self.work = plain.work

    def differentiate(self, draw: Draw, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return the loss of the batch, and the gradient's squared length."""
        # `clip`, since by default NumPy would take into a copy first; the numbers are in range.
        self._all_x.take(draw.indices, 0, self._x, "clip")
        self._all_targets.take(draw.indices, 0, self._targets, "clip")
        if self._noise:
            for own, drawn in zip(self._noise, leaves_of(draw.noise), strict=True):
                np.copyto(own, drawn)
        self._differentiate.play()
        return self._value[()], self._square[()]

    def update(self, rate: float) -> None:
        """Move the parameters along the gradient."""
        self._rate[()] = rate
        self._update.play()


class ComparedStep:
    """A recorded step beside the plain one, of which it chooses: the recorded, if both come to the same.

    That uncovers rules with a state, or results that the recorder cannot see to depend on values.
    """

    def __init__(self, recorded: RecordedStep, plain: PlainStep) -> None:
        self.chosen: Step = plain
        self._is_played = False
        self._recorded, self._plain, self._point = recorded, plain, plain.point

    @property
    def gradient(self) -> Array:
        """The gradient `(P,)` of this step."""
        return self._plain.gradient

    @property
    def work(self) -> Work:
        """What was applied."""
        return self._plain.work

    def differentiate(self, draw: Draw, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return the loss of the batch, and the gradient's squared length."""
        with suppress(Exception):  # what cannot be played is given up, too
            self._recorded.differentiate(draw, rng)
            self._is_played = True
        return self._plain.differentiate(draw, rng)

    def update(self, rate: float) -> None:
        """Move the parameters along the gradient."""
        same = np.array_equal(self._recorded.gradient, self._plain.gradient, equal_nan=True)
        before, recorded = self._point.copy(), None
        with suppress(Exception):
            self._recorded.update(rate)
            recorded = self._point.copy()
        self._point.put(*before)
        self._plain.update(rate)
        if self._is_played and same and recorded is not None and self._point.equals(recorded):
            self.chosen = self._recorded
