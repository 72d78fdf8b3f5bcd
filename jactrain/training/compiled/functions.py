"""Rules traced by JAX: the steps of an epoch as one compiled program.

Nothing here differentiates: modes, layers and optimizers are the same functions as under NumPy, called with
`jax.numpy` in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jactrain.arrays import Array, Path
from jactrain.errors import UnsupportedError
from jactrain.modes.base import Mode
from jactrain.modes.foreseen import Noting, Playing
from jactrain.modes.gradients import GradientOfArrays
from jactrain.objective import Objective
from jactrain.optimizers.base import Optimizer, State


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
        self._function = GradientOfArrays(plan, sample.paths)
        self.multiply_adds = plan.multiply_adds
        noting = Noting()
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
            scratch = np.random.default_rng(0)
            drawn = [like(np.asarray(request(scratch))) for request in self.requests]
            jax.eval_shape(self, parameters, batch, drawn)

    def __call__(
        self, parameters: Array, batch: Sequence[Array], drawn: Sequence[Array]
    ) -> tuple[Array, Array]:
        """Return value and gradient `(P,)`; batch: x, targets, leaves of the noise; drawn: as requested."""
        value, gradient, _ = self._function(parameters, *batch, rng=Playing(drawn))
        # Differences may be evaluated in another dtype than the network's.
        return value, gradient.astype(parameters.dtype)


class Steps(NamedTuple):
    """What several steps in a row are given, the steps on the first axis, `S` of them.

    order: numbers of the examples `(S, N)`; rates: `(S,)`; noise: leaves `(S, N, …)`; drawn: `(S, …)`.
    """

    order: Array
    rates: Array
    noise: tuple[Array, ...]
    drawn: tuple[Array, ...]

    def part(self, start: int, stop: int) -> Steps:
        """Return some of the steps."""
        return Steps(*jax.tree.map(lambda array: array[start:stop], tuple(self)))


class Reached(NamedTuple):
    """The point after several steps; is_finite: whether all losses, parameters and the state were."""

    parameters: Array
    optimizer: State
    is_finite: Array


def steps_function(
    gradient: TracedGradient, optimizer: Optimizer, slices: Sequence[slice], sharding: NamedSharding | None
) -> Callable[..., Reached]:
    """Return the compiled function of `count` steps: `(parameters, state, x, targets, steps, count)`.

    It ends early at a loss that is not finite. `x` and `targets` are all examples; `sharding` divides the
    batches of all steps, `(S, N, …)`, among devices. Parameters and the optimizer's state go from step to
    step as one array for each of `slices` where the optimizer is `entrywise`, for nothing is put together and
    taken apart then.
    """
    by_parts = optimizer.updates_by_parts()
    parts = list(slices) if by_parts else [slice(None)]

    def divided(array: Array) -> Array:
        return array if sharding is None else jax.lax.with_sharding_constraint(array, sharding)

    def whole(array: Array) -> Array:
        """Return `array` on every device."""
        if sharding is None:
            return array
        return jax.lax.with_sharding_constraint(array, NamedSharding(sharding.mesh, PartitionSpec()))

    def run(parameters: Array, state: State, x: Array, targets: Array, steps: Steps, count: Array) -> Reached:
        size = parameters.shape[0]
        own_x, own_targets = divided(x[steps.order]), divided(targets[steps.order])
        noise = tuple(divided(leaf) for leaf in steps.noise)

        def step(reached: tuple[Any, ...]) -> tuple[Any, ...]:
            number, leaves, states, _ = reached
            batch = (own_x[number], own_targets[number], *(leaf[number] for leaf in noise))
            value, whole = gradient(jnp.concatenate(leaves), batch, [array[number] for array in steps.drawn])
            is_finite, rate = jnp.isfinite(value), steps.rates[number]
            if by_parts:
                parts_of_it = optimizer.clip(jnp, [whole[part] for part in parts])
                updated = [
                    optimizer.step_clipped(jnp, own, leaf, part, rate)
                    for part, leaf, own in zip(parts_of_it, leaves, states, strict=True)
                ]
            else:  # whose parameters need not show that a gradient was not finite
                is_finite = is_finite & jnp.isfinite(whole).all()
                updated = [optimizer.step(jnp, states[0], leaves[0], whole, rate)]
            return number + 1, [new for new, _ in updated], [own for _, own in updated], is_finite

        def goes_on(reached: tuple[Any, ...]) -> Array:
            return (reached[0] < count) & reached[3]

        leaves = [parameters[part] for part in parts]
        states = [{name: _part(array, part, size) for name, array in state.items()} for part in parts]
        start = (0, leaves, states, jnp.array(True))
        _, leaves, states, is_finite = jax.lax.while_loop(goes_on, step, start)
        # Of the parts: what is put together is not to be read entry by entry, which takes 30 ns each.
        for leaf in leaves:
            is_finite = is_finite & jnp.isfinite(leaf).all()
        parameters = whole(jnp.concatenate(leaves))
        state = {
            name: jnp.concatenate([own[name] for own in states])
            if _is_kept_by_entry(array, size)
            else states[0][name]
            for name, array in state.items()
        }
        state = {name: whole(array) for name, array in state.items()}
        return Reached(parameters, state, is_finite)

    return jax.jit(run)


def _part(array: Array, part: slice, size: int) -> Array:
    """Return a part of what the optimizer keeps for every parameter, or what it keeps once."""
    return array[part] if _is_kept_by_entry(array, size) else array


def _is_kept_by_entry(array: Array, size: int) -> bool:
    return bool(array.shape == (size,))


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
