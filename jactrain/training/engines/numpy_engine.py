"""NumPy: the step recorded once, and played back in place."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any, Self

from pydantic import Field, PositiveInt

from jactrain.arrays import Array, Path
from jactrain.modes.base import GradientResult, Mode
from jactrain.modes.gradients import GradientFunction, Gradients, noise_paths
from jactrain.objective import Objective
from jactrain.optimizers.base import Optimizer
from jactrain.program.loops import at_most
from jactrain.training.batches import Draw, draws, steps_per_epoch
from jactrain.training.divergence import is_finite, require_finite_gradient
from jactrain.training.engine import Engine, Execution, Stop, engines, never
from jactrain.training.events import Listener
from jactrain.training.experiment import Experiment, Part
from jactrain.training.metrics import outputs_and_losses
from jactrain.training.state import TrainingState
from jactrain.training.steps import ComparedStep, PlainStep, Point, RecordedStep, Step
from jactrain.training.threads import blas_limited, worthwhile_threads


@engines.register("numpy")
class NumpyEngine(Engine):
    """NumPy on this machine's processor: nothing to install, nothing to compile."""

    threads: PositiveInt | None = Field(
        None,
        description="Threads of matrix products and of loops over parameters; if left out, as many as their "
        "size is worth, at most one a core, or OMP_NUM_THREADS.",
    )

    def require(
        self, mode: Mode, objective: Objective, optimizer: Optimizer, examples: int, dtype: object
    ) -> None:
        """Take everything."""

    def start(self, experiment: Experiment) -> NumpyExecution:
        """Return an execution; its steps are recorded as they come."""
        return NumpyExecution(experiment, self.threads)

    def facts(self, experiment: Experiment) -> dict[str, Any]:
        """Return the threads of matrix products."""
        return {"kind": self.kind, "threads": self.threads or _worthwhile(experiment)}

    def gradients(self, mode: Mode, objective: Objective) -> GradientFunction:
        """Return the gradient, recorded and played back where the mode allows it."""
        return Gradients(mode, objective)


class NumpyExecution(Execution):
    """One training by NumPy.

    Parameters and the optimizer's state are kept in arrays that recorded steps read and write.
    """

    def __init__(self, experiment: Experiment, threads: int | None) -> None:
        """Prepare for `experiment`, with so many threads at most, or as many as are worthwhile."""
        super().__init__()
        self._experiment = experiment
        self._limit = threads
        self._threads = threads or _worthwhile(experiment)
        self._point: Point | None = None
        self._steps: dict[tuple[int, tuple[Path, ...]], Step] = {}

    def __enter__(self) -> Self:
        """Limit the threads of matrix products, of this process, until the training ends."""
        self.lasting.enter_context(blas_limited(self._threads))
        self.lasting.enter_context(at_most(self._limit, self._threads))
        return self

    def train_epoch(
        self, state: TrainingState, listening: Sequence[Listener] = (), stop: Stop = never
    ) -> None:
        """Take the steps of the state's epoch that are still to come."""
        experiment, settings = self._experiment, self._experiment.settings
        rate_at = experiment.optimizer.learning_rate.rate
        start = perf_counter()
        point = self._point_of(state)
        steps = steps_per_epoch(experiment)
        try:
            for draw in draws(experiment, state):
                step = self._step(draw, point)
                value, square = step.differentiate(draw, state.random.mode)
                if not is_finite(value, square):
                    point.leave(state)
                    require_finite_gradient(value, step.gradient, experiment, state, draw.batch(experiment))
                for listener in listening:
                    if state.step % listener.every == 0:
                        point.leave(state)
                        paused = perf_counter()
                        result = GradientResult(value, step.gradient.copy(), replace(step.work))
                        listener.on_step(state, draw.batch(experiment), result)
                        start += perf_counter() - paused
                step.update(rate_at(state.step / steps, settings.epochs) * state.rate_factor)
                state.step += 1
                state.multiply_adds += step.work.multiply_adds
                if stop() and state.step % steps:  # after its last step the epoch is evaluated first
                    break
        finally:
            # However it ends: the state is the point that its step says.
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
            found = self._steps[key] = PlainStep(self._experiment, point, len(draw.indices))
        elif isinstance(found, PlainStep) and found.is_new:
            found.is_new = False
            with suppress(Exception):  # whatever a rule from elsewhere does, it still runs as it is
                found = self._steps[key] = ComparedStep(RecordedStep(found, draw), found)
        elif isinstance(found, ComparedStep):
            found = self._steps[key] = found.chosen
        return found


def _worthwhile(experiment: Experiment) -> int:
    return worthwhile_threads(experiment.network, experiment.settings.batch_size)
