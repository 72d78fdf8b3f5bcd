"""Rules traced by JAX: the gradient, and the network's evaluation.

Nothing here differentiates: modes, layers and optimizers are the same functions as under NumPy, called with
`jax.numpy` in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jactrain.arrays import Array, Path
from jactrain.errors import UnsupportedError
from jactrain.modes.base import Mode
from jactrain.modes.foreseen import Noting, Playing
from jactrain.modes.gradients import GradientOfArrays
from jactrain.objective import Objective


class Sample(NamedTuple):
    """One batch, by which programs are made: arrays `(N, …)`, and where in the noise its leaves lie."""

    x: Array
    targets: Array
    noise: tuple[Array, ...]
    paths: tuple[Path, ...]


class TracedGradient:
    """A mode's value and gradient as JAX traces them, for batches of one size.

    requests: what the mode draws for one gradient. multiply_adds: of one gradient, as predicted.
    """

    def __init__(self, mode: Mode, objective: Objective, sample: Sample, dtype: np.dtype[Any]) -> None:
        traced = Objective(objective.network, objective.loss, jnp)
        plan = mode.prepare(traced, len(sample.x), dtype)
        self._plan, self._paths = plan, sample.paths
        self._function = GradientOfArrays(plan, sample.paths)
        self.multiply_adds = plan.multiply_adds
        noting = Noting(jnp.zeros)
        parameters = jax.ShapeDtypeStruct((objective.network.size,), dtype)
        batch = [like(array) for array in (sample.x, sample.targets, *sample.noise)]
        _, gradient, _ = jax.eval_shape(
            lambda *arrays: self._function(*arrays, rng=noting), parameters, *batch
        )
        if gradient.shape != parameters.shape:
            raise UnsupportedError(
                f"mode {mode.label} gives a gradient of shape {gradient.shape}, not {parameters.shape}, "
                "that of the parameters"
            )
        self.requests = tuple(noting.requests)
        if self.requests:  # a mode may look at what it draws, which is traced from here on
            drawn = [jax.ShapeDtypeStruct(request.shape, request.dtype) for request in self.requests]
            jax.eval_shape(self, parameters, batch, drawn)

    def __call__(
        self, parameters: Array, batch: Sequence[Array], drawn: Sequence[Array]
    ) -> tuple[Array, Array]:
        """Return value and gradient `(P,)`; batch: x, targets, leaves of the noise; drawn: as requested."""
        return self._called(self._function, parameters, batch, drawn)

    def by(self, mode: Mode) -> Callable[..., tuple[Array, Array]]:
        """Return the same by `mode`, which differs in what its class calls `numbers` only."""
        return partial(self._called, GradientOfArrays(replace(self._plan, mode=mode), self._paths))

    def _called(
        self, function: GradientOfArrays, parameters: Array, batch: Sequence[Array], drawn: Sequence[Array]
    ) -> tuple[Array, Array]:
        value, gradient, _ = function(parameters, *batch, rng=Playing(drawn))
        # Differences may be evaluated in another dtype than the network's.
        return value, gradient.astype(parameters.dtype)


def like(array: Array) -> Any:
    """Return shape and dtype of an array."""
    return jax.ShapeDtypeStruct(array.shape, array.dtype)


def evaluation_function(objective: Objective) -> Callable[..., tuple[Array, Array]]:
    """Return the compiled function of `(parameters, x, targets)` that gives outputs and examples' losses."""

    def evaluate(parameters: Array, x: Array, targets: Array) -> tuple[Array, Array]:
        outputs = objective.network.outputs(parameters, x, xp=jnp)
        losses, _ = objective.loss.forward(jnp, outputs[None], targets)
        return outputs, losses[0]

    return jax.jit(evaluate)
