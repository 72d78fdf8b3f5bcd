"""Programs compiled for one size of batch, called with NumPy's arrays: gradients, and steps in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jactrain.arrays import Array, leaves
from jactrain.linearization import Work
from jactrain.modes.base import GradientResult, Mode
from jactrain.modes.gradients import arrays_of, noise_paths
from jactrain.objective import Batch, Objective
from jactrain.training.batches import Draw
from jactrain.training.compiled.devices import AXIS, Placement, tracing
from jactrain.training.compiled.functions import Reached, Sample, Steps, TracedGradient, steps_function
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState

# Bytes of batches, noise and random numbers that one program is given at most, unless one step needs more.
_GIVEN = 2**28


class Planned(NamedTuple):
    """A step to be taken: by which program, on which examples, with which random numbers, at what rate."""

    program: EpochProgram
    draw: Draw
    drawn: tuple[Array, ...]
    rate: float


class EpochProgram:
    """The compiled steps of one size of batch. most: how many it takes at once."""

    def __init__(self, experiment: Experiment, draw: Draw, placement: Placement, divided: bool) -> None:
        batch = draw.batch(experiment)
        sample = sample_of(batch)
        self._placement = placement
        self._dtype = experiment.dtype
        self.gradient: TracedGradient = TracedGradient(
            experiment.mode, experiment.objective, sample, experiment.dtype
        )
        self._axes = (None, AXIS) if divided and placement.is_divided else ()
        sharding = placement.sharding(*self._axes) if self._axes else None
        self._function = steps_function(
            self.gradient, experiment.optimizer, experiment.network.layout.slices, sharding
        )
        scratch = np.random.default_rng(0)
        given = [*arrays_of(batch), *(request(scratch) for request in self.gradient.requests)]
        steps = -(-len(experiment.training.x) // experiment.settings.batch_size)
        self.most = max(1, min(steps, _GIVEN // sum(array.nbytes for array in given)))
        if len(draw.indices) < experiment.settings.batch_size:
            self.most = 1  # what is left over of an epoch

    def __call__(
        self, state: TrainingState, examples: tuple[Any, Any], planned: Sequence[Planned]
    ) -> Reached:
        """Return the point behind the steps planned, at most `most`."""
        put, count = self._placement.put, len(planned)
        found: Reached = self._function(
            put(state.parameters),
            {name: put(array) for name, array in state.optimizer.items()},
            *examples,
            self._steps(planned),
            put(np.array(count)),
        )
        return found

    def _steps(self, planned: Sequence[Planned]) -> Steps:
        put, axes = self._placement.put, self._axes
        noise, drawn = [noise_of_step(one.draw) for one in planned], [one.drawn for one in planned]
        return Steps(
            order=put(self._filled([one.draw.indices for one in planned]).astype(np.int32), *axes),
            rates=put(self._filled([np.asarray(one.rate, self._dtype) for one in planned])),
            noise=tuple(put(self._filled(each), *axes) for each in zip(*noise, strict=True)),
            drawn=tuple(put(self._filled(each)) for each in zip(*drawn, strict=True)),
        )

    def _filled(self, arrays: Sequence[Array]) -> Array:
        """Return the steps' arrays as one, filled up to as many steps as the program is made for."""
        whole = np.zeros((self.most, *arrays[0].shape), arrays[0].dtype)
        np.stack(arrays, out=whole[: len(arrays)])
        return whole


class CompiledGradients:
    """The gradient of `objective` by `mode` as JAX computes it, on one device, for batches of any size."""

    def __init__(self, mode: Mode, objective: Objective) -> None:
        self._mode, self._objective = mode, objective
        self._compiled: dict[Any, tuple[TracedGradient, Callable[..., Any]]] = {}

    def __call__(self, parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        """Return value and gradient at `parameters` `(P,)`."""
        with tracing():
            gradient, _ = self._prepared(parameters, batch)
            return self.with_drawn(parameters, batch, [request(rng) for request in gradient.requests])

    def with_drawn(self, parameters: Array, batch: Batch, drawn: Sequence[Array]) -> GradientResult:
        """Return value and gradient, with the mode's random numbers drawn already."""
        gradient, function = self._prepared(parameters, batch)
        value, found = function(parameters, arrays_of(batch), list(drawn))
        work = Work(multiply_adds=gradient.multiply_adds)
        return GradientResult(np.asarray(value)[()], np.array(found), work)

    def _prepared(self, parameters: Array, batch: Batch) -> tuple[TracedGradient, Callable[..., Any]]:
        key = (batch.examples, noise_paths(batch.noise), parameters.dtype)
        if key not in self._compiled:
            gradient = TracedGradient(self._mode, self._objective, sample_of(batch), parameters.dtype)
            self._compiled[key] = gradient, jax.jit(gradient)
        return self._compiled[key]


def noise_of_step(draw: Draw) -> list[Array]:
    """Return the leaves of a step's noise, in order."""
    if draw.noise is None:
        return []
    return [leaf for _, leaf in leaves(draw.noise) if leaf is not None]


def sample_of(batch: Batch) -> Sample:
    """Return a batch as programs are made by it."""
    x, targets, *noise = arrays_of(batch)
    return Sample(x, targets, tuple(noise), noise_paths(batch.noise))
