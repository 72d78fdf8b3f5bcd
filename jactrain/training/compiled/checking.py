"""Whether JAX can trace the rules of a network and the order of a mode, before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Set
from contextlib import suppress
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jactrain.arrays import Array, Shape, Tree, map_tree
from jactrain.errors import UnsupportedError
from jactrain.layers.base import Layer, Product
from jactrain.modes.base import Mode
from jactrain.modes.gradients import noise_tree
from jactrain.network import Network
from jactrain.objective import Batch, Objective
from jactrain.optimizers.base import Optimizer
from jactrain.training.compiled.devices import first_line
from jactrain.training.compiled.functions import Sample, TracedGradient
from jactrain.training.compiled.programs import sample_of


def require_traceable(
    mode: Mode, objective: Objective, optimizer: Optimizer, examples: int, dtype: np.dtype[Any]
) -> None:
    """Raise UnsupportedError, naming dtype, layer, mode or optimizer, where a step is not traced."""
    device = jax.devices()[0]
    if dtype == np.float64 and device.platform in ("tpu", "METAL"):
        raise UnsupportedError(
            f"{device.device_kind} computes no float64; set dtype: float32, or choose engine: numpy"
        )
    try:
        if not _is_traced_shortened(mode, objective, examples, dtype):
            TracedGradient(mode, objective, _zeros(objective, examples, dtype), dtype)
        _trace_update(optimizer, objective.network.size, dtype)
    except UnsupportedError:
        raise
    except Exception as error:  # a rule from elsewhere may do anything
        trouble = _untraceable_rule(mode.uses, objective, _zeros(objective, examples, dtype), dtype)
        trouble = trouble or _untraceable_update(optimizer, objective.network.size, dtype)
        trouble = trouble or f"mode {mode.label}: {first_line(error)}"
        raise UnsupportedError(
            f"engine jax cannot trace {trouble}; write it with operators and functions of `xp`, or choose "
            "engine: numpy"
        ) from None


def _is_traced_shortened(mode: Mode, objective: Objective, examples: int, dtype: np.dtype[Any]) -> bool:
    """Tell whether the same rules in the same mode are traced where nothing is repeated, which is sooner.

    Not known of a mode that draws, for how much depends on the number of parameters, nor where some rule is
    not traced, for which rules a mode takes may depend on what all layers cost.
    """
    short = _shortened(objective)
    if len(short.links) == len(objective.links):
        return False
    with suppress(Exception):  # it may be of the shorter network alone
        sample = _zeros(short, examples, dtype)
        draws = TracedGradient(mode, short, sample, dtype).requests
        return not draws and _untraceable_rule(frozenset(Product), short, sample, dtype) is None
    return False


def _shortened(objective: Objective) -> Objective:
    """Return the objective with every layer that keeps its input's shape at most twice."""
    network = objective.network
    seen: Counter[tuple[str, Shape]] = Counter()
    layers = []
    for link in network.links:
        layer = link.layer  # whose `repr` need not tell everything
        key = repr((type(layer), vars(layer), layer.__pydantic_private__)), link.input_shape
        seen[key] += 1
        if seen[key] <= 2 or link.input_shape != link.output_shape:
            layers.append(link.layer)
    return Objective(Network(layers, network.input_shape), objective.loss)


def _zeros(objective: Objective, examples: int, dtype: np.dtype[Any]) -> Sample:
    """Return a batch of zeros, with its noise."""
    network = objective.network
    noise = network.draw_noise(np.random.default_rng(0), examples, dtype)
    x = np.zeros((examples, *network.input_shape), dtype)
    return sample_of(Batch(x, np.zeros((examples, *network.output_shape), dtype), noise))


def _untraceable_rule(
    products: Set[Product], objective: Objective, sample: Sample, dtype: np.dtype[Any]
) -> str | None:
    """Return the first rule of `products` that JAX cannot trace, with the trouble; None if all can be."""
    network = objective.network
    own = network.own_parameters(np.zeros(network.size, dtype))
    x: Any = jax.ShapeDtypeStruct((1, *sample.x.shape), dtype)
    noise = network.own_noise(noise_tree(sample.paths, sample.noise))
    for link, params, drawn in zip(network.links, own, noise, strict=True):
        used = (products & link.products) - {Product.FORWARD}
        if not link.layout.size:
            used -= {Product.PARAMETER_JVP, Product.PARAMETER_VJP}  # allowed for, and not there
        for product in [Product.FORWARD, *sorted(used)]:
            try:
                outputs = jax.eval_shape(_rule(product, link.layer, params, drawn), x)
            except Exception as error:
                return f"{product} of {link.name} ({type(link.layer).__qualname__}): {first_line(error)}"
            if product is Product.FORWARD:
                behind = outputs
        x = behind
    try:
        jax.eval_shape(lambda outputs: objective.loss.forward(jnp, outputs, sample.targets)[0], x)
    except Exception as error:
        return f"forward of the loss {objective.loss.kind}: {first_line(error)}"
    return None


def _trace_update(optimizer: Optimizer, size: int, dtype: np.dtype[Any]) -> None:
    vector, rate = jax.ShapeDtypeStruct((size,), dtype), jax.ShapeDtypeStruct((), dtype)
    state = optimizer.initial_state(np, np.zeros(size, dtype))
    jax.eval_shape(lambda *given: optimizer.step(jnp, *given), state, vector, vector, rate)


def _untraceable_update(optimizer: Optimizer, size: int, dtype: np.dtype[Any]) -> str | None:
    """Return the trouble that the optimizer's step makes; None if it can be traced."""
    try:
        _trace_update(optimizer, size, dtype)
    except Exception as error:
        return f"the step of optimizer {optimizer.kind}: {first_line(error)}"
    return None


def _rule(product: Product, layer: Layer, params: Tree, noise: Tree) -> Callable[[Array], Any]:
    """Return a function of a layer's inputs that applies one of its products to zeros."""

    def apply(x: Array) -> Any:
        y, residual = layer.forward(jnp, params, x, noise)
        if product is Product.JVP:
            return layer.jvp(jnp, params, residual, jnp.zeros_like(x))
        if product is Product.VJP:
            return layer.vjp(jnp, params, residual, jnp.zeros_like(y))
        if product is Product.PARAMETER_JVP:
            return layer.parameter_jvp(jnp, params, residual, map_tree(jnp.zeros_like, params))
        if product is Product.PARAMETER_VJP:
            return layer.parameter_vjp(jnp, params, residual, jnp.zeros_like(y))
        return y

    return apply
