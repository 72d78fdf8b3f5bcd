"""NumPy: the step recorded once, and played back in place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from pydantic import Field, PositiveInt

from jactrain.arrays import Array, Path
from jactrain.linearization import Work
from jactrain.modes.base import GradientResult, Mode, Plan
from jactrain.modes.gradients import (
    GradientFunction,
    GradientOfArrays,
    Gradients,
    arrays_of,
    leaves_of,
    noise_paths,
)
from jactrain.objective import Objective
from jactrain.optimizers.base import State
from jactrain.program import record_on
from jactrain.program.loops import at_most, cores
from jactrain.training.batches import Draw, draws, steps_per_epoch
from jactrain.training.divergence import is_finite, require_finite_gradient
from jactrain.training.engine import Engine, Execution, engines
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment, Part
from jactrain.training.metrics import outputs_and_losses
from jactrain.training.state import TrainingState

# A thread is worth waking for so many multiply-adds of one matrix product: some 10 microseconds.
_SHARE = 2**20


@engines.register("numpy")
class NumpyEngine(Engine):
    """NumPy on this machine's processor: nothing to install, nothing to compile."""

    threads: PositiveInt | None = Field(
        None,
        description="Threads of matrix products and of loops over parameters; if left out, as many as their "
        "size is worth, at most one a core.",
    )

    def require(self, mode: Mode, objective: Objective, examples: int, dtype: object) -> None:
        """Take everything."""

    def start(self, experiment: Experiment) -> NumpyExecution:
        """Return an execution; its steps are recorded as they come."""
        return NumpyExecution(experiment, self.threads)

    def gradients(self, mode: Mode, objective: Objective) -> GradientFunction:
        """Return the gradient, recorded and played back where the mode allows it."""
        return Gradients(mode, objective)


def worthwhile_threads(experiment: Experiment) -> int:
    """Return how many threads the largest matrix product of a step is worth, at most one a core."""
    largest = max(link.cost.forward for link in experiment.network.links) * experiment.settings.batch_size
    return max(1, min(cores(), largest // _SHARE))


class NumpyExecution(Execution):
    """One training by NumPy.

    Parameters and the optimizer's state are kept in arrays that recorded steps read and write.
    """

    def __init__(self, experiment: Experiment, threads: int | None) -> None:
        """Prepare for `experiment`, with so many threads at most, or as many as are worthwhile."""
        super().__init__()
        self._experiment = experiment
        self._limit = threads
        self._threads = threads or worthwhile_threads(experiment)
        self._gradients = Gradients(experiment.mode, experiment.objective)
        self._point: Point | None = None
        self._steps: dict[tuple[int, tuple[Path, ...]], Step] = {}

    def __enter__(self) -> Self:
        """Limit the threads of matrix products, of this process, until the training ends."""
        from threadpoolctl import threadpool_limits  # looks through the libraries that are loaded

        self.lasting.enter_context(threadpool_limits(self._threads, user_api="blas"))
        self.lasting.enter_context(at_most(self._limit))
        return self

    def train_epoch(self, state: TrainingState, listening: Sequence[Listener] = ()) -> None:
        """Take the steps of one epoch."""
        experiment, settings = self._experiment, self._experiment.settings
        rate_at = experiment.optimizer.learning_rate.rate
        start = perf_counter()
        point = self._point_of(state)
        steps = steps_per_epoch(experiment)
        for draw in draws(experiment, state):
            step = self._step(draw, point)
            value, square = step.differentiate(draw, state.random.mode)
            if not is_finite(value, square):
                point.leave(state)
                require_finite_gradient(value, step.gradient, state)
            for listener in listening:
                if state.step % listener.every == 0:
                    point.leave(state)
                    paused = perf_counter()
                    result = GradientResult(value, step.gradient.copy(), replace(step.work))
                    listener.on_step(state, draw.batch(experiment), result)
                    start += perf_counter() - paused
            step.update(rate_at(state.step / steps, settings.epochs))
            state.step += 1
            state.multiply_adds += step.work.multiply_adds
        point.leave(state)
        state.seconds += perf_counter() - start

    def outputs_and_losses(self, parameters: Array, part: Part) -> tuple[Array, Array]:
        """Return the outputs `(N, m)` and the examples' losses `(N,)`."""
        return outputs_and_losses(self._experiment, parameters, part)

    def _point_of(self, state: TrainingState) -> Point:
        """Return the arrays that steps work on, holding what `state` says."""
        if self._point is None:
            self._point = Point(state.parameters, state.optimizer).copy()
        else:
            self._point.put(state.parameters, state.optimizer)
        return self._point

    def _step(self, draw: Draw, point: Point) -> Step:
        """Return the step for batches like that of `draw`: plain, then compared with its recording."""
        key = (len(draw.indices), noise_paths(draw.noise))
        found = self._steps.get(key)
        if found is None:
            found = self._steps[key] = PlainStep(self._experiment, point, self._gradients)
        elif isinstance(found, PlainStep) and found.is_to_be_recorded:
            found.is_to_be_recorded = False
            with suppress(Exception):  # whatever a rule from elsewhere does, it still runs as it is
                found = self._steps[key] = self._recorded(draw, point, found)
        elif isinstance(found, ComparedStep):
            found = self._steps[key] = found.chosen
        return found

    def _recorded(self, draw: Draw, point: Point, plain: PlainStep) -> Step:
        experiment = self._experiment
        plan = experiment.mode.prepare(experiment.objective, len(draw.indices), experiment.dtype)
        if not plan.computed_by.mode.recordable:
            return plain
        return ComparedStep(RecordedStep(experiment, point, plan, plain.work, draw), plain, point)


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
    """A step rule by rule, by any mode and optimizer."""

    def __init__(self, experiment: Experiment, point: Point, gradients: GradientFunction) -> None:
        self._experiment, self._point, self._gradients = experiment, point, gradients
        self.gradient: Array = point.parameters
        self.work = Work()
        self.is_to_be_recorded = True

    def differentiate(self, draw: Draw, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return the loss of the batch, and the gradient's squared length."""
        result = self._gradients(self._point.parameters, draw.batch(self._experiment), rng)
        self.gradient, self.work = result.gradient, result.work
        return result.value, self.gradient.dot(self.gradient)

    def update(self, rate: float) -> None:
        """Move the parameters along the gradient."""
        point, optimizer = self._point, self._experiment.optimizer
        parameters, state = optimizer.step(
            np, point.optimizer, point.parameters, self.gradient, point.parameters.dtype.type(rate)
        )
        point.put(parameters, state)


class RecordedStep:
    """A step as two programs that read and write the arrays of a point.

    Raises UnrecordableError if a rule of the network, the loss or the optimizer does not allow it.
    """

    def __init__(self, experiment: Experiment, point: Point, plan: Plan, work: Work, draw: Draw) -> None:
        """Record for batches like that of `draw`; `work` is what a gradient takes."""
        x, targets, _ = experiment.training
        function = GradientOfArrays(plan, noise_paths(draw.noise))

        def differentiated(*arrays: Array) -> tuple[Array, ...]:
            value, gradient, _ = function(*arrays)
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
        self.work = work

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

    def __init__(self, recorded: RecordedStep, plain: PlainStep, point: Point) -> None:
        self.chosen: Step = plain
        self._recorded, self._plain, self._point = recorded, plain, point

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
        self._recorded.differentiate(draw, rng)
        return self._plain.differentiate(draw, rng)

    def update(self, rate: float) -> None:
        """Move the parameters along the gradient."""
        same = np.array_equal(self._recorded.gradient, self._plain.gradient, equal_nan=True)
        before = self._point.copy()
        self._recorded.update(rate)
        recorded = self._point.copy()
        self._point.put(*before)
        self._plain.update(rate)
        if same and self._point.equals(recorded):
            self.chosen = self._recorded
