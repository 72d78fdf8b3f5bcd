"""One training by compiled programs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from time import perf_counter
from typing import Any, Self

import jax
import numpy as np

from jactrain.arrays import Array
from jactrain.modes.base import GradientResult
from jactrain.modes.gradients import leaves_of, noise_tree
from jactrain.objective import Batch
from jactrain.optimizers.base import State
from jactrain.training.batches import Draw, OrderAhead, in_batches, steps_per_epoch, steps_taken
from jactrain.training.compiled.devices import Placement, on_host, placement_for, tracing
from jactrain.training.compiled.functions import evaluation_function
from jactrain.training.compiled.programs import CompiledGradients, StepsProgram
from jactrain.training.compiled.steps import Carried, Reached, Steps
from jactrain.training.divergence import require_finite_gradient
from jactrain.training.engine import Execution, Stop, never
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment, Part
from jactrain.training.metrics import PORTION, outputs_and_losses
from jactrain.training.state import TrainingState
from jactrain.training.threads import blas_limited, worthwhile_threads


class JaxExecution(Execution):
    """One training by compiled programs: one for each size of batch."""

    def __init__(self, experiment: Experiment, devices: int | None, distributed: bool) -> None:
        """Prepare for `experiment`: on so many devices, None for as many as fit, of one process or of all."""
        super().__init__()
        self._experiment = experiment
        self._devices, self._distributed = devices, distributed
        self._programs: dict[tuple[int, int], StepsProgram] = {}
        self._order = OrderAhead()
        # Kept, for the next are computed ahead too.
        self._rates = lru_cache(maxsize=4)(self._computed_rates)
        # What the last program left in the state, and the same on the devices.
        self._left: tuple[Array, State, Carried] | None = None

    def __enter__(self) -> Self:
        """Compute in the dtypes that are given, and as exactly as they allow, until the training ends."""
        self.lasting.enter_context(tracing())
        # NumPy evaluates; threads beside those of the devices would wait for each other.
        network, examples = self._experiment.network, self._experiment.settings.batch_size
        self.lasting.enter_context(blas_limited(worthwhile_threads(network, examples)))
        return self

    @cached_property
    def _placement(self) -> Placement:
        return placement_for(self._experiment.settings.batch_size, self._devices, self._distributed)

    @cached_property
    def _gradients(self) -> CompiledGradients:
        return CompiledGradients(self._experiment.mode, self._experiment.objective)

    @cached_property
    def _evaluate(self) -> Callable[..., Any]:
        return evaluation_function(self._experiment.objective)

    @cached_property
    def _examples(self) -> tuple[Any, Any]:
        """All inputs and targets, on the devices."""
        x, targets, _ = self._experiment.training
        return self._placement.put(x), self._placement.put(targets)

    def train_epoch(
        self, state: TrainingState, listening: Sequence[Listener] = (), stop: Stop = never
    ) -> None:
        """Take the steps of the state's epoch, in as few programs as the listeners and memory let it be.

        It stops between programs: these are then the same as without, and so are the bits.
        """
        start = perf_counter()
        behind = steps_taken(self._experiment, state)
        order = self._order.take(self._experiment, state)
        for block in in_batches(order, self._experiment.settings.batch_size):
            program = self._program(
                block.shape[1], min([len(block), *(listener.every for listener in listening)])
            )
            taken = min(behind, len(block))
            behind -= taken
            while taken < len(block):
                if stop():
                    state.seconds += perf_counter() - start
                    return
                # A listener is due before the first step of a program, or not at all.
                until = [listener.every - state.step % listener.every for listener in listening]
                count = min([len(block) - taken, program.most, *until])
                steps = self._steps(state, program, block[taken : taken + count])
                if due := [listener for listener in listening if state.step % listener.every == 0]:
                    start += self._tell(due, state, program, steps)
                self._run(state, program, steps)
                taken += count
        state.order = None
        state.seconds += perf_counter() - start

    def outputs_and_losses(self, parameters: Array, part: Part) -> tuple[Array, Array]:
        """Return the outputs `(N, m)` and the examples' losses `(N,)`, compiled unless it is in vain."""
        if self._placement.own.platform == "cpu":  # NumPy's own processor, with nothing to compile
            return outputs_and_losses(self._experiment, parameters, part)
        found = []
        with jax.default_device(self._placement.own):
            for start in range(0, len(part.x), PORTION):
                portion = slice(start, start + PORTION)
                found.append(self._evaluate(parameters, part.x[portion], part.targets[portion]))
        outputs, losses = zip(*found, strict=True)
        return np.concatenate(outputs), np.concatenate(losses)

    def _program(self, size: int, most: int) -> StepsProgram:
        """Return the program for at most `most` batches of `size` examples.

        What is left over of an epoch is not divided among devices.
        """
        if (size, most) not in self._programs:
            whole = size == self._experiment.settings.batch_size
            self._programs[size, most] = StepsProgram(
                self._experiment, size, self._placement, divided=whole, most=most
            )
        return self._programs[size, most]

    def _steps(self, state: TrainingState, program: StepsProgram, order: Array) -> Steps:
        """Return what steps on the examples `order` `(S, N)` are given, drawn by the state's generators."""
        experiment = self._experiment
        count, size = order.shape
        noise = [
            leaves_of(experiment.network.draw_noise(state.random.noise, size, experiment.dtype))
            for _ in range(count if program.paths else 0)
        ]
        requests = program.gradient.requests
        drawn = [
            [request.call(state.random.mode) for request in requests] for _ in range(count if requests else 0)
        ]
        return Steps(
            order.astype(np.int32),
            self._rates(state.step, count, state.rate_factor),
            tuple(np.stack(leaf) for leaf in zip(*noise, strict=True)),
            tuple(np.stack(array) for array in zip(*drawn, strict=True)),
        )

    def _computed_rates(self, step: int, count: int, factor: float) -> Array:
        """Return the learning rates `(S,)` of `count` steps from `step` on, multiplied by `factor`."""
        experiment = self._experiment
        each, epochs = steps_per_epoch(experiment), experiment.settings.epochs
        rate_at = experiment.optimizer.learning_rate.rate
        return np.array(
            [factor * rate_at((step + number) / each, epochs) for number in range(count)], experiment.dtype
        )

    def _tell(
        self, due: Sequence[Listener], state: TrainingState, program: StepsProgram, steps: Steps
    ) -> float:
        """Tell listeners of the first of `steps`, and return the seconds that they took."""
        batch = self._batch(program, steps, 0)
        result = self._gradient(state, batch, [array[0] for array in steps.drawn])
        require_finite_gradient(result.value, result.gradient, self._experiment, state, batch)
        paused = perf_counter()
        point = state.parameters, state.optimizer
        # Copies: what listeners write into them is not trained with.
        state.parameters = point[0].copy()
        state.optimizer = {name: array.copy() for name, array in point[1].items()}
        for listener in due:
            listener.on_step(state, batch, result)
        state.parameters, state.optimizer = point
        return perf_counter() - paused

    def _gradient(self, state: TrainingState, batch: Batch, drawn: Sequence[Array]) -> GradientResult:
        """Return value and gradient of one batch, with the mode's random numbers drawn already."""
        return self._gradients.with_drawn(state.parameters, batch, drawn)

    def _batch(self, program: StepsProgram, steps: Steps, number: int) -> Batch:
        """Return the batch of one of `steps`."""
        noise = noise_tree(program.paths, [leaf[number].copy() for leaf in steps.noise])
        return Draw(steps.order[number], noise).batch(self._experiment)

    def _run(self, state: TrainingState, program: StepsProgram, steps: Steps) -> None:
        """Take `steps`: at once, and where something is not finite again one by one."""
        reached = self._reached(state, program, steps)
        # While the devices compute:
        count = len(steps.order)
        self._order.draw(self._experiment, state)
        self._rates(state.step + count, count, state.rate_factor)
        parameters = on_host(reached.parameters)
        # A sum, not a product: BLAS's threads would go on waiting for more beside those of the devices.
        if math.isfinite(parameters.sum()):
            self._arrive(state, parameters, reached, count, program.gradient.multiply_adds)
            return
        one = self._program(steps.order.shape[1], 1)
        for number in range(count):
            batch = self._batch(program, steps, number)
            drawn = [array[number] for array in steps.drawn]
            result = self._gradient(state, batch, drawn)
            require_finite_gradient(result.value, result.gradient, self._experiment, state, batch)
            reached = self._reached(state, one, steps.part(number, number + 1))
            self._arrive(state, on_host(reached.parameters), reached, 1, one.gradient.multiply_adds)

    def _reached(self, state: TrainingState, program: StepsProgram, steps: Steps) -> Reached:
        """Return the point that `program` comes to from `state`."""
        return program(self._carried(state, program), self._examples, steps)

    def _carried(self, state: TrainingState, program: StepsProgram) -> Carried:
        """Return `state` on the devices, for a program to take: what the last one left, if that is it."""
        left, self._left = self._left, None
        if left is not None and state.parameters is left[0] and state.optimizer is left[1]:
            return left[2]
        return program.carried(state.parameters, state.optimizer)

    def _arrive(
        self, state: TrainingState, parameters: Array, reached: Reached, steps: int, multiply_adds: int
    ) -> None:
        state.parameters = parameters
        state.optimizer = {name: on_host(array) for name, array in reached.optimizer.items()}
        self._left = state.parameters, state.optimizer, reached.carried
        state.step += steps
        state.multiply_adds += steps * multiply_adds
