"""Steps in a row as one compiled function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from jactrain.arrays import Array
from jactrain.network import Layout
from jactrain.optimizers.base import Optimizer, State


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


class Carried(NamedTuple):
    """What goes from step to step: parts of the parameters, and what the optimizer keeps for each of them."""

    leaves: Sequence[Array]
    states: Sequence[State]


class Reached(NamedTuple):
    """The point after several steps: put together, and to go on from.

    parameters: not a number where a loss or a gradient on the way was not finite, some of them at least.
    """

    parameters: Array
    optimizer: State
    carried: Carried


class Parts:
    """The parts in which parameters and the optimizer's state go from step to step.

    One for each leaf where the optimizer is `entrywise`, else one: so nothing is put together and taken apart
    in between.
    """

    def __init__(self, optimizer: Optimizer, layout: Layout) -> None:
        self.are_leaves = optimizer.updates_by_parts()
        self._slices = layout.slices if self.are_leaves else [slice(0, layout.size)]
        state = optimizer.initial_state(np, np.zeros(layout.size))
        self._by_entry = {name for name, array in state.items() if array.shape == (layout.size,)}

    def of(self, vector: Array) -> list[Array]:
        """Return the parts of a vector `(P,)`."""
        return [vector[part] for part in self._slices]

    def carried(self, parameters: Array, state: State) -> Carried:
        """Return the parts of NumPy's parameters `(P,)` and state: copies, for they are given away."""
        states = [
            {name: (array[part] if name in self._by_entry else array).copy() for name, array in state.items()}
            for part in self._slices
        ]
        return Carried([part.copy() for part in self.of(parameters)], states)

    def joined(self, carried: Carried) -> tuple[Array, State]:
        """Return parameters `(P,)` and the state that the parts are of, as JAX traces it."""
        first, *_ = carried.states
        state = {
            name: jnp.concatenate([own[name] for own in carried.states]) if name in self._by_entry else array
            for name, array in first.items()
        }
        return jnp.concatenate(carried.leaves), state


class CompiledSteps:
    """Steps in a row on batches of one size: compiled for `most` of them, and for any number up to that.

    A loop over a known number of steps is the faster one. Neither ends early: what follows a loss that is
    not finite is thrown away.
    """

    def __init__(
        self,
        gradient: Callable[..., tuple[Array, Array]],
        optimizer: Optimizer,
        parts: Parts,
        most: int,
        sharding: NamedSharding | None,
    ) -> None:
        """Prepare; `sharding` divides the batches of all steps, `(S, N, …)`, among devices."""
        self._gradient, self._optimizer, self._parts = gradient, optimizer, parts
        self._most = most
        self._sharding = sharding
        self._all: Callable[..., Reached] = jax.jit(partial(self.run, most), donate_argnums=0)
        self._some: Callable[..., Reached] = jax.jit(self._counted, donate_argnums=0)

    def __call__(self, carried: Carried, examples: tuple[Any, Any], steps: Steps, count: int) -> Reached:
        """Return the point after the first `count` of the steps; `carried` is given away."""
        if count == self._most:
            return self._all(carried, *examples, steps)
        return self._some(carried, *examples, steps, np.array(count))

    def _counted(self, carried: Carried, x: Array, targets: Array, steps: Steps, count: Array) -> Reached:
        return self.run(count, carried, x, targets, steps)

    def run(self, count: Any, carried: Carried, x: Array, targets: Array, steps: Steps) -> Reached:
        """Return the point after the first `count` of the steps, as JAX traces it."""
        own_x, own_targets = self._divided(x[steps.order]), self._divided(targets[steps.order])
        noise = tuple(self._divided(leaf) for leaf in steps.noise)

        def step(number: Any, reached: tuple[Carried, Array]) -> tuple[Carried, Array]:
            carried, are_finite = reached
            batch = (own_x[number], own_targets[number], *(leaf[number] for leaf in noise))
            drawn = [array[number] for array in steps.drawn]
            value, gradient = self._gradient(jnp.concatenate(carried.leaves), batch, drawn)
            are_finite = are_finite & jnp.isfinite(value)
            if not self._parts.are_leaves:  # then parameters need not show that a gradient was not finite
                are_finite = are_finite & jnp.isfinite(gradient).all()
            return self._updated(carried, gradient, steps.rates[number]), are_finite

        carried, are_finite = jax.lax.fori_loop(0, count, step, (carried, jnp.array(True)))
        parameters, state = self._parts.joined(carried)
        # Told by the parameters: a number more to be fetched takes as long as several small steps.
        parameters = jnp.where(are_finite, parameters, jnp.nan)
        return Reached(*jax.tree.map(self._whole, (parameters, state, carried)))

    def _updated(self, carried: Carried, gradient: Array, rate: Array) -> Carried:
        optimizer = self._optimizer
        if not self._parts.are_leaves:
            (leaf,), (state,) = carried
            leaf, state = optimizer.step(jnp, state, leaf, gradient, rate)
            return Carried([leaf], [state])
        clipped = optimizer.clip(jnp, self._parts.of(gradient))
        updated = [
            optimizer.step_clipped(jnp, state, leaf, part, rate)
            for leaf, state, part in zip(*carried, clipped, strict=True)
        ]
        return Carried([leaf for leaf, _ in updated], [state for _, state in updated])

    def _divided(self, array: Array) -> Array:
        """Return `array` `(S, N, …)` with its examples divided among the devices."""
        sharding = self._sharding
        return array if sharding is None else jax.lax.with_sharding_constraint(array, sharding)

    def _whole(self, array: Array) -> Array:
        """Return `array` on every device."""
        if self._sharding is None:
            return array
        everywhere = NamedSharding(self._sharding.mesh, PartitionSpec())
        return jax.lax.with_sharding_constraint(array, everywhere)
