"""Programs compiled for one size of batch, called with NumPy's arrays: gradients, and steps in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jactrain.arrays import Array, size_of
from jactrain.linearization import Work
from jactrain.modes.base import GradientResult, Mode
from jactrain.modes.gradients import arrays_of, noise_paths
from jactrain.objective import Batch, Objective
from jactrain.optimizers.base import State
from jactrain.training.compiled.devices import AXIS, Placement, tracing
from jactrain.training.compiled.functions import Sample, TracedGradient
from jactrain.training.compiled.steps import Carried, CompiledSteps, Parts, Reached, Steps
from jactrain.training.experiment import Experiment

# Bytes of batches, noise and random numbers that one program is given at most, unless one step needs more.
_GIVEN = 2**28


class StepsProgram:
    """The compiled steps on batches of one size.

    most: how many it takes at once. paths: where in the noise of a step its leaves lie.
    """

    def __init__(
        self,
        experiment: Experiment,
        size: int,
        placement: Placement,
        divided: bool,
        most: int,
        width: int = 1,
    ) -> None:
        """Prepare for `most` batches of `size` examples, `divided` among the devices or whole on each.

        For fewer, if they take more memory than programs are given. width: how many trainings take them.
        """
        sample = sample_of(_first_batch(experiment, size))
        self._placement = placement
        self.paths = sample.paths
        self.gradient = TracedGradient(experiment.mode, experiment.objective, sample, experiment.dtype)
        self._axes = (None, AXIS) if divided and placement.is_divided else ()
        given = sum(array.nbytes for array in (sample.x, sample.targets, *sample.noise))
        given += sum(size_of(each.shape) * each.dtype.itemsize for each in self.gradient.requests)
        self.most = max(1, min(most, _GIVEN // (width * given)))
        self._parts = Parts(experiment.optimizer, experiment.network.layout)
        sharding = placement.sharding(*self._axes) if self._axes else None
        self._function = CompiledSteps(self.gradient, experiment.optimizer, self._parts, self.most, sharding)

    def carried(self, parameters: Array, optimizer: State) -> Carried:
        """Return NumPy's parameters `(P,)` and state of the optimizer as the devices carry them."""
        carried: Carried = jax.tree.map(self._placement.put, self._parts.carried(parameters, optimizer))
        return carried

    def __call__(self, carried: Carried, examples: tuple[Any, Any], steps: Steps) -> Reached:
        """Return the point behind `steps`, at most `most`; the arrays in `carried` are given away."""
        count = len(steps.order)
        if count < self.most:
            steps = Steps(*(jax.tree.map(self._filled, part) for part in steps))
        if self._placement.is_divided:
            put = self._placement.put
            order, rates, noise, drawn = steps
            along = [jax.tree.map(lambda array: put(array, *self._axes), part) for part in (order, noise)]
            steps = Steps(along[0], put(rates), along[1], jax.tree.map(put, drawn))
        return self._function(carried, examples, steps, count)

    def _filled(self, array: Array) -> Array:
        """Return the steps' array filled up to as many steps as the program is made for."""
        return np.pad(array, [(0, self.most - len(array))] + [(0, 0)] * (array.ndim - 1))


class CompiledGradients:
    """The gradient of `objective` by `mode` as JAX computes it, on one device, for batches of any size.

    Its work is what the mode's plan predicts: how often a compiled rule is applied is not counted.
    """

    def __init__(self, mode: Mode, objective: Objective) -> None:
        self._mode, self._objective = mode, objective
        self._compiled: dict[Any, tuple[TracedGradient, Callable[..., Any]]] = {}

    def __call__(self, parameters: Array, batch: Batch, rng: np.random.Generator) -> GradientResult:
        """Return value and gradient at `parameters` `(P,)`."""
        with tracing():
            gradient, _ = self._prepared(parameters, batch)
            return self.with_drawn(
                parameters, batch, [np.asarray(request.call(rng)) for request in gradient.requests]
            )

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


def sample_of(batch: Batch) -> Sample:
    """Return a batch as programs are made by it."""
    x, targets, *noise = arrays_of(batch)
    return Sample(x, targets, tuple(noise), noise_paths(batch.noise))


def _first_batch(experiment: Experiment, size: int) -> Batch:
    """Return a batch like those of the training."""
    x, targets, _ = experiment.training
    noise = experiment.network.draw_noise(np.random.default_rng(0), size, experiment.dtype)
    return Batch(x[:size], targets[:size], noise)
