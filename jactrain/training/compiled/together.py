"""Trainings of one kind together: a few at a time by one compiled program, each with its own data.

So many as fit into a core's cache sit at one table and go from program to program together; on a GPU all of
them do. How many depends on the training alone, and seats that nobody takes are filled up: so what comes of a
training does not depend on who else is there. Tables do not wait for each other, and share the cores.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jactrain.arrays import Array
from jactrain.linearization import Work
from jactrain.modes.base import GradientResult
from jactrain.modes.gradients import arrays_of, noise_paths
from jactrain.objective import Batch
from jactrain.optimizers.base import State
from jactrain.training.batches import steps_taken
from jactrain.training.compiled.devices import Placement, on_host, placement_for, tracing
from jactrain.training.compiled.execution import JaxExecution
from jactrain.training.compiled.functions import TracedGradient, evaluation_function
from jactrain.training.compiled.numbers import with_numbers
from jactrain.training.compiled.programs import StepsProgram, sample_of
from jactrain.training.compiled.steps import Carried, CompiledSteps, Reached, Steps
from jactrain.training.experiment import Experiment, Part
from jactrain.training.state import TrainingState
from jactrain.training.together import Seat, likeness, numbers_of

# Bytes of parameters, gradients, states and batches at one table: a core's second-level cache.
_CACHE = 2**20
# Trainings at one table at most; on a GPU or TPU all that there are, up to this.
_MOST, _MOST_ON_DEVICE = 8, 64
# Bytes of training examples at one table.
_EXAMPLES = 2**28

# The numbers of one training's optimizer and mode: float64, by name.
Numbers = tuple[dict[str, Any], dict[str, Any]]


class Asked(NamedTuple):
    """What one training wants computed: `steps` from a point on."""

    experiment: Experiment
    program: TableProgram
    parameters: Array
    optimizer: State
    steps: Steps


class TableProgram(StepsProgram):
    """The compiled steps of `width` trainings at once, on batches of one size, at most `most` in a row."""

    def __init__(
        self, experiment: Experiment, size: int, placement: Placement, most: int, width: int
    ) -> None:
        super().__init__(experiment, size, placement, divided=False, most=most, width=width)
        self._experiment = experiment
        self._width = width
        everything = (0, 0, 0, 0, 0)
        self._together = {
            True: jax.jit(jax.vmap(self._all_of_one, everything)),
            False: jax.jit(jax.vmap(self._some_of_one, (*everything, None))),
        }
        # By whether it takes all steps: compiled once, though several tables may be the first to ask.
        self._compiling = {True: threading.Lock(), False: threading.Lock()}
        self._is_compiled = {True: False, False: False}

    def of_all(self, seats: Sequence[Asked], x: Any, targets: Any) -> list[Reached]:
        """Return where each of `width` trainings comes to, all by as many steps.

        x, targets: the examples of each, `(width, N, …)`, on the device.
        """
        count = len(seats[0].steps.order)
        numbers = _stacked([_numbers(each.experiment) for each in seats])
        carried = _stacked([self._parts.carried(each.parameters, each.optimizer) for each in seats])
        steps = _stacked([self._given(each.steps) for each in seats])
        is_whole = count == self.most
        arguments = [numbers, carried, x, targets, steps]
        if not is_whole:
            arguments.append(np.array(count))
        if self._is_compiled[is_whole]:
            found = self._together[is_whole](*arguments)
        else:
            with self._compiling[is_whole]:
                found = self._together[is_whole](*arguments)
                self._is_compiled[is_whole] = True
        parameters, optimizer = jax.tree.map(on_host, found)
        return [
            Reached(
                parameters[seat],
                {name: array[seat] for name, array in optimizer.items()},
                Carried([], []),
            )
            for seat in range(len(seats))
        ]

    def _given(self, steps: Steps) -> Steps:
        return Steps(*(jax.tree.map(self._filled, part) for part in steps))

    def _all_of_one(self, numbers: Numbers, carried: Carried, x: Array, targets: Array, steps: Steps) -> Any:
        return self._some_of_one(numbers, carried, x, targets, steps, self.most)

    def _some_of_one(
        self, numbers: Numbers, carried: Carried, x: Array, targets: Array, steps: Steps, count: Any
    ) -> Any:
        experiment = self._experiment
        optimizer = with_numbers(experiment.optimizer, numbers[0])
        gradient = self.gradient.by(with_numbers(experiment.mode, numbers[1]))
        one = CompiledSteps(gradient, optimizer, self._parts, self.most, None)
        reached = one.run(count, carried, x, targets, steps)
        return reached.parameters, reached.optimizer


class Common:
    """What trainings of one kind have in common: programs and gradients, each made when first asked for."""

    def __init__(self, experiment: Experiment, size: int) -> None:
        """Prepare for `size` trainings like `experiment`."""
        self.experiment = experiment
        self.placement = placement_for(experiment.settings.batch_size, None, False)
        self.width = _width(experiment, self.placement, size)
        self.evaluate = evaluation_function(experiment.objective)
        self._takes_numbers = not self.placement.is_divided and _takes_numbers(experiment)
        self._lock = threading.Lock()
        self._programs: dict[tuple[int, int], TableProgram] = {}
        self._gradients: dict[Any, tuple[TracedGradient, Any]] = {}

    def fits(self, experiment: Experiment) -> bool:
        """Return whether `experiment` is computed by the same program."""
        return self._takes_numbers and _kind(experiment) == _kind(self.experiment)

    def program(self, size: int, most: int) -> TableProgram:
        """Return the program for at most `most` batches of `size` examples."""
        with self._lock, tracing():
            if (size, most) not in self._programs:
                self._programs[size, most] = TableProgram(
                    self.experiment, size, self.placement, most, self.width
                )
            return self._programs[size, most]

    def gradient(
        self, experiment: Experiment, parameters: Array, batch: Batch, drawn: Sequence[Array]
    ) -> GradientResult:
        """Return value and gradient of one batch, by one training's mode."""
        key = (batch.examples, noise_paths(batch.noise))
        numbers = jax.tree.map(np.float64, numbers_of(experiment.mode))
        arguments = numbers, parameters, arrays_of(batch), list(drawn)
        with self._lock:
            if key not in self._gradients:
                like = self.experiment
                made = TracedGradient(like.mode, like.objective, sample_of(batch), parameters.dtype)

                def function(numbers: Any, *arguments: Any) -> Any:
                    return made.by(with_numbers(like.mode, numbers))(*arguments)

                compiled = jax.jit(function)
                compiled(*arguments)
                self._gradients[key] = made, compiled
        gradient, compute = self._gradients[key]
        value, found = compute(*arguments)
        return GradientResult(
            np.asarray(value)[()], np.array(found), Work(multiply_adds=gradient.multiply_adds)
        )


class Table:
    """Some trainings that ask together, each at a place of its own: serves them."""

    def __init__(self, common: Common) -> None:
        self._common = common
        self._parts: list[Part | None] = [None] * common.width
        self._examples: tuple[Any, Any] = (None, None)

    def __call__(self, asked: Mapping[int, Asked]) -> dict[int, Reached]:
        """Return where each of them comes to; the places of others are filled up for nothing."""
        width = self._common.width
        somebody = next(iter(asked.values()))
        seats = [somebody] * width
        for member, each in asked.items():
            seats[member % width] = each
        self._seat({member % width: each.experiment.training for member, each in asked.items()})
        with tracing():
            reached = somebody.program.of_all(seats, *self._examples)
        return {member: reached[member % width] for member in asked}

    def _seat(self, parts: Mapping[int, Part]) -> None:
        """Have these examples at these places, on the device; who has left leaves his behind."""
        if all(self._parts[place] is part for place, part in parts.items()):
            return
        somebody = next(iter(parts.values()))
        self._parts = [parts.get(place, part or somebody) for place, part in enumerate(self._parts)]
        put = self._common.placement.put
        x, targets = (np.stack([part[which] for part in self._parts if part]) for which in (0, 1))
        self._examples = put(x), put(targets)


class TogetherExecution(JaxExecution):
    """One training among others: its steps are computed with theirs, all else by itself."""

    def __init__(self, experiment: Experiment, seat: Seat, common: Common) -> None:
        super().__init__(experiment, 1, False)
        self._seat, self._common = seat, common
        table = seat.number // common.width
        members = range(table * common.width, min((table + 1) * common.width, seat.group.size))
        self._meeting = seat.group.meeting(members, Table(common))

    def _program(self, size: int, most: int) -> TableProgram:
        return self._common.program(size, most)

    @property
    def _evaluate(self) -> Callable[..., Any]:
        return self._common.evaluate

    def _gradient(self, state: TrainingState, batch: Batch, drawn: Sequence[Array]) -> GradientResult:
        return self._common.gradient(self._experiment, state.parameters, batch, drawn)

    def _reached(self, state: TrainingState, program: Any, steps: Steps) -> Reached:
        experiment = self._experiment
        # Who is farthest in the epoch goes first, so that all begin the next together.
        key = steps_taken(experiment, state), steps.order.shape, program.most
        asked = Asked(experiment, program, state.parameters, state.optimizer, steps)
        reached: Reached = self._meeting.ask(self._seat.number, key, asked)
        return reached


def execution_at(seat: Seat, experiment: Experiment, devices: int | None) -> JaxExecution:
    """Return the execution of a training at `seat`: with the others if it is like them, else by itself."""
    common = seat.group.common(lambda: _common_of(experiment, seat.group.size))
    if common.fits(experiment):
        seat.begun.set()
        return TogetherExecution(experiment, seat, common)
    seat.leave()
    return JaxExecution(experiment, devices, False)


# What the last group had in common, for the next that is alike: with its compiled programs.
_kept: list[Common] = []
_keeping = threading.Lock()


def forget() -> None:
    """Let go of what is kept for the next group."""
    with _keeping:
        _kept.clear()


def _common_of(experiment: Experiment, size: int) -> Common:
    """Return what `size` trainings like `experiment` have in common, as the last group had it or new."""
    with _keeping, tracing():
        for common in _kept:
            if common.fits(experiment) and common.width == _width(experiment, common.placement, size):
                return common
        _kept[:] = [Common(experiment, size)]
        return _kept[0]


def _kind(experiment: Experiment) -> tuple[Any, ...]:
    """Return what must be equal for two trainings to be computed by one program."""
    x, targets, _ = experiment.training
    network = experiment.network
    return (
        [link.layer for link in network.links],
        network.input_shape,
        experiment.objective.loss,
        likeness(experiment.mode),
        likeness(experiment.optimizer),
        experiment.settings.batch_size,
        experiment.dtype,
        (x.shape, x.dtype, targets.shape, targets.dtype),
    )


def _takes_numbers(experiment: Experiment) -> bool:
    """Return whether optimizer and mode can be traced with what they call their numbers."""
    optimizer, mode, dtype = experiment.optimizer, experiment.mode, experiment.dtype
    sample = sample_of(experiment.first_batch(experiment.settings.batch_size))

    def step(numbers: Numbers, parameters: Array, batch: Sequence[Array], drawn: Sequence[Array]) -> Any:
        _, found = gradient.by(with_numbers(mode, numbers[1]))(parameters, batch, drawn)
        state = optimizer.initial_state(jnp, parameters)
        by = with_numbers(optimizer, numbers[0])
        return by.step(jnp, state, parameters, found, jnp.ones((), dtype))

    try:
        gradient = TracedGradient(mode, experiment.objective, sample, dtype)
        drawn = [np.zeros(request.shape, request.dtype) for request in gradient.requests]
        batch = [sample.x, sample.targets, *sample.noise]
        point = experiment.initial_parameters
        moved, after = jax.eval_shape(step, _numbers(experiment), point, batch, drawn)
    except Exception:  # a rule from elsewhere may do anything with its options
        return False
    return all(array.dtype == dtype for array in (moved, *after.values()))


def _width(experiment: Experiment, placement: Placement, size: int) -> int:
    """Return how many trainings like `experiment` are computed at once."""
    x, targets, _ = experiment.training
    allowed: int = max(1, _EXAMPLES // (x.nbytes + targets.nbytes))
    if placement.own.platform != "cpu":
        return min(allowed, _MOST_ON_DEVICE, size)
    network = experiment.network
    state = experiment.optimizer.initial_state(np, experiment.initial_parameters)
    entries = 2 * network.size + sum(array.size for array in state.values())
    activities = sum(link.input_size + link.output_size for link in network.links)
    entries += experiment.settings.batch_size * activities
    fitting: int = _CACHE // (entries * experiment.dtype.itemsize)
    return max(1, min(allowed, _MOST, 1 << fitting.bit_length() >> 1))  # in numbers that divide _MOST


def _numbers(experiment: Experiment) -> Numbers:
    both = numbers_of(experiment.optimizer), numbers_of(experiment.mode)
    first, second = ({name: np.float64(value) for name, value in each.items()} for each in both)
    return first, second


def _stacked(trees: Sequence[Any]) -> Any:
    """Return trees of the same form as one, each leaf with a first axis for them."""
    return jax.tree.map(lambda *arrays: np.stack(arrays), *trees)
