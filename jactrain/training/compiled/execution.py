"""One training by compiled programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from time import perf_counter
from typing import Any, Self

import jax
import numpy as np

from jactrain.arrays import Array
from jactrain.training.batches import Draw, draws
from jactrain.training.compiled.devices import Placement, on_host, placement_for, tracing
from jactrain.training.compiled.functions import Reached, evaluation_function
from jactrain.training.compiled.programs import CompiledGradients, EpochProgram, Planned
from jactrain.training.divergence import require_finite_gradient
from jactrain.training.engine import Execution
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment, Part
from jactrain.training.metrics import PORTION, outputs_and_losses
from jactrain.training.state import TrainingState


class JaxExecution(Execution):
    """One training by compiled programs: one for each size of batch."""

    def __init__(self, experiment: Experiment, devices: int | None, distributed: bool) -> None:
        """Prepare for `experiment`: on so many devices, None for as many as fit, of one process or of all."""
        super().__init__()
        self._experiment = experiment
        self._devices, self._distributed = devices, distributed
        self._programs: dict[int, EpochProgram] = {}
        self._evaluation: Callable[..., Any] | None = None

    def __enter__(self) -> Self:
        """Compute in the dtypes that are given, and as exactly as they allow, until the training ends."""
        self.lasting.enter_context(tracing())
        return self

    @cached_property
    def _placement(self) -> Placement:
        return placement_for(self._experiment.settings.batch_size, self._devices, self._distributed)

    @cached_property
    def _gradients(self) -> CompiledGradients:
        return CompiledGradients(self._experiment.mode, self._experiment.objective)

    @cached_property
    def _examples(self) -> tuple[Any, Any]:
        """All inputs and targets, on the devices."""
        x, targets, _ = self._experiment.training
        return self._placement.put(x), self._placement.put(targets)

    def train_epoch(self, state: TrainingState, listening: Sequence[Listener] = ()) -> None:
        """Take the steps of one epoch, as few programs as the listeners let it be."""
        start = perf_counter()
        waiting: list[Planned] = []
        for draw in draws(self._experiment, state):
            number = state.step + len(waiting)
            due = [listener for listener in listening if number % listener.every == 0]
            program = self._program(draw)
            if waiting and (due or len(waiting) == program.most or program is not waiting[0].program):
                self._run(state, waiting)
                waiting = []
            drawn = tuple(request(state.random.mode) for request in program.gradient.requests)
            if due:
                batch = draw.batch(self._experiment)
                result = self._gradients.with_drawn(state.parameters, batch, drawn)
                require_finite_gradient(result.value, result.gradient, state)
                paused = perf_counter()
                for listener in due:
                    listener.on_step(state, batch, result)
                start += perf_counter() - paused
            waiting.append(Planned(program, draw, drawn, self._rate(number)))
        self._run(state, waiting)
        state.seconds += perf_counter() - start

    def outputs_and_losses(self, parameters: Array, part: Part) -> tuple[Array, Array]:
        """Return the outputs `(N, m)` and the examples' losses `(N,)`, compiled unless it is in vain."""
        if self._placement.devices[0].platform == "cpu":  # NumPy's own processor, with nothing to compile
            return outputs_and_losses(self._experiment, parameters, part)
        if self._evaluation is None:
            self._evaluation = evaluation_function(self._experiment.objective)
        found = []
        with jax.default_device(self._placement.devices[0]):
            for start in range(0, len(part.x), PORTION):
                portion = slice(start, start + PORTION)
                found.append(self._evaluation(parameters, part.x[portion], part.targets[portion]))
        outputs, losses = zip(*found, strict=True)
        return np.concatenate(outputs), np.concatenate(losses)

    def _rate(self, step: int) -> float:
        settings = self._experiment.settings
        steps = -(-len(self._experiment.training.x) // settings.batch_size)
        return self._experiment.optimizer.learning_rate.rate(step / steps, settings.epochs)

    def _program(self, draw: Draw) -> EpochProgram:
        size = len(draw.indices)
        if size not in self._programs:
            whole = size == self._experiment.settings.batch_size
            placement = self._placement if whole else Placement(self._placement.devices)
            self._programs[size] = EpochProgram(self._experiment, draw, placement, divided=whole)
        return self._programs[size]

    def _run(self, state: TrainingState, planned: Sequence[Planned]) -> None:
        """Take the steps planned, all of one program."""
        if not planned:
            return
        program = planned[0].program
        reached = program(state, self._examples, planned)
        if bool(reached.is_finite):
            self._arrive(state, reached, len(planned), program.gradient.multiply_adds)
        else:
            self._one_by_one(state, planned)

    def _one_by_one(self, state: TrainingState, planned: Sequence[Planned]) -> None:
        """Take the steps again with a look at each gradient; raise DivergedError where one is not finite."""
        for each in planned:
            batch = each.draw.batch(self._experiment)
            result = self._gradients.with_drawn(state.parameters, batch, each.drawn)
            require_finite_gradient(result.value, result.gradient, state)
            reached = each.program(state, self._examples, [each])
            self._arrive(state, reached, 1, each.program.gradient.multiply_adds)

    @staticmethod
    def _arrive(state: TrainingState, reached: Reached, steps: int, multiply_adds: int) -> None:
        state.parameters = on_host(reached.parameters)
        state.optimizer = {name: on_host(array) for name, array in reached.optimizer.items()}
        state.step += steps
        state.multiply_adds += steps * multiply_adds
