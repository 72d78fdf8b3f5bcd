"""Random sound networks, none of which a check may accuse."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jactrain.layers import layers
from jactrain.losses import losses
from jactrain.network import Network
from jactrain.objective import Batch, Objective

_PLAIN = [
    "tanh",
    "relu",
    "leaky_relu",
    "elu",
    "sigmoid",
    "softplus",
    "silu",
    "gelu",
    "softmax",
    "scale",
    "layer_norm",
    "dropout",
]
LOSSES = ["mean_squared_error", "huber", "mean_absolute_error", "cross_entropy", "binary_cross_entropy"]
KINDS = [*_PLAIN, "linear", "residual", "flatten"]
_SCALINGS = ["standard"] * 4 + [
    "large",
    "small",
    "mixed",
    "offset",
    "zeros",
    "zero rows",
    "duplicated",
    "constant",
]
_INITIALIZERS = ["glorot", "he", "lecun", "orthogonal"]


@dataclass(frozen=True)
class RandomCase:
    """A network with a loss, at random parameters and on a random batch, as a seed has drawn them."""

    seed: int
    layers: list[Any]
    objective: Objective
    parameters: Any
    batch: Batch
    scaled: str

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {self.layers} on {self.batch.x.shape[1:]}, {self.objective.loss.kind}, "
            f"{self.batch.examples} examples, {self.parameters.dtype}, {self.scaled} data"
        )


def random_case(seed: int) -> RandomCase:
    """Return the case that `seed` draws: up to 12 layers, 1 to 64 examples, data of any scale."""
    rng = np.random.default_rng(seed)
    dtype = [np.float32, np.float64][rng.integers(2)]
    shape = (
        (int(rng.integers(1, 9)),)
        if rng.random() < 0.8
        else (int(rng.integers(1, 4)), int(rng.integers(1, 4)))
    )
    chain = _chain(rng, shape, int(rng.integers(1, 13)))
    loss = losses.resolve(str(rng.choice(LOSSES)))
    objective = Objective(Network([layers.resolve(layer) for layer in chain], shape), loss)
    parameters = objective.network.initial_parameters(rng)
    if rng.random() < 0.7:
        parameters = parameters + rng.choice([0.01, 0.3, 1.0]) * rng.standard_normal(parameters.shape)
    if rng.random() < 0.1:
        parameters = parameters * rng.choice([0.0, 1e-3, 10.0])
    examples = int(rng.choice([1, 2, 3, 7, 32, 64]))
    x, scaled = _inputs(rng, examples, shape)
    outputs = objective.network.output_shape[0]
    targets = _targets(rng, loss, examples, outputs)
    if rng.random() < 0.1 and loss.kind not in ("cross_entropy", "binary_cross_entropy"):
        targets = objective.network.outputs(parameters, x)  # a perfect fit
    noise = objective.network.draw_noise(rng, examples, dtype) if rng.random() < 0.5 else None
    batch = Batch(x.astype(dtype), targets.astype(dtype), noise)
    return RandomCase(seed, chain, objective, parameters.astype(dtype), batch, scaled)


def _chain(rng: Any, shape: tuple[int, ...], depth: int) -> list[Any]:
    """Return layers as a configuration writes them, a linear one at least."""
    chain: list[Any] = []
    if len(shape) > 1:
        while len(chain) < depth - 2 and rng.random() < 0.4:
            chain.append(_plain(rng, vectors=False))
        chain.append("flatten")
    size = int(np.prod(shape))
    while len(chain) < depth - 1:
        kind = rng.random()
        if kind < 0.35:
            size = int(rng.integers(1, 9))
            chain.append(_linear(rng, size))
        elif kind < 0.5:
            chain.append({"residual": {"network": _body(rng, size)}})
        else:
            chain.append(_plain(rng))
    return [*chain, _linear(rng, int(rng.integers(1, 6)))]


def _body(rng: Any, size: int) -> list[Any]:
    inner = [_plain(rng) for _ in range(rng.integers(0, 3))]
    return (
        [_linear(rng, int(rng.integers(1, 9))), *inner, _linear(rng, size)]
        if rng.random() < 0.7
        else [_plain(rng), *inner]
    )


def _linear(rng: Any, units: int) -> Any:
    return {
        "linear": {
            "units": units,
            "bias": bool(rng.random() < 0.8),
            "initializer": str(rng.choice(_INITIALIZERS)),
        }
    }


def _plain(rng: Any, vectors: bool = True) -> Any:
    kind = str(rng.choice([kind for kind in _PLAIN if vectors or kind != "layer_norm"]))
    options = {
        "leaky_relu": {"negative_slope": float(rng.choice([0.0, 0.01, 0.3]))},
        "elu": {"alpha": float(rng.choice([1.0, 0.3]))},
        "layer_norm": {"epsilon": float(rng.choice([1e-5, 0.1]))},
        "dropout": {"rate": float(rng.choice([0.0, 0.3]))},
    }.get(kind)
    return {kind: options} if options else kind


def _inputs(rng: Any, examples: int, shape: tuple[int, ...]) -> tuple[Any, str]:
    """Return inputs, sometimes badly scaled, and how they are scaled."""
    x = rng.standard_normal((examples, *shape))
    scaling = rng.choice(_SCALINGS)
    if scaling == "large":
        x = x * 1e4
    elif scaling == "small":
        x = x * 1e-4
    elif scaling == "mixed":
        x = x * 10.0 ** rng.uniform(-4, 4, shape)
    elif scaling == "offset":
        x = x + 1e3
    elif scaling == "zeros":  # as pixels have: linear layers without bias then give exact zeros
        x = np.where(rng.random(x.shape) < 0.5, 0.0, x)
    elif scaling == "zero rows":
        x[:: rng.integers(1, 4)] = 0.0
    elif scaling == "duplicated":
        x[:] = x[:1]
    elif scaling == "constant":
        x[:, :1] = 7.0
    return x, str(scaling)


def _targets(rng: Any, loss: Any, examples: int, outputs: int) -> Any:
    if loss.kind == "cross_entropy":
        return loss.encode(rng.integers(0, outputs, examples), outputs)
    if loss.kind == "binary_cross_entropy":
        return loss.encode(rng.integers(0, 2, (examples, outputs)).astype(float), outputs)
    return loss.encode(rng.choice([1.0, 1.0, 1e3]) * rng.standard_normal((examples, outputs)), outputs)
