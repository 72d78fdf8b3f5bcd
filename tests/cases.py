"""The one table of cases: every layer, loss and mode, and networks made of them.

The laws of `contracts/` run over all of it, and a test holds that it covers everything registered. To
admit a layer or a loss, add its row: options and shapes to try, and its formula in JAX's own words,
written without a look at the rule. To admit a mode, add its row of options.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jactrain.arrays import Array, Shape, Tree, map_tree
from jactrain.layers import layers
from jactrain.layers.base import Layer
from jactrain.losses import losses
from jactrain.losses.base import Loss
from jactrain.modes import modes
from jactrain.modes.base import Mode
from jactrain.network import Network
from jactrain.objective import Batch, Objective

# No input lies nearer than this to a kink, so that a difference quotient never spans one.
MARGIN = 0.05

# formula(jax, component, params, x, noise) for layers, (jax, component, outputs, targets) for losses;
# x is (N, *in), parameters have no stack axis. JAX is passed in, so that this table imports without it.
Formula = Callable[..., Any]


def seeded(name: str, use: str) -> np.random.Generator:
    """Return a generator of its own for each use of each case, the same in every process."""
    return np.random.default_rng(zlib.crc32(f"{name}/{use}".encode()))


def away_from(values: Array, kinks: Sequence[float]) -> Array:
    """Return `values` with those within MARGIN of a kink moved outwards, to between one and two margins."""
    for kink in kinks:
        distance = values - kink
        side = np.where(distance < 0, -1.0, 1.0)
        values = np.where(np.abs(distance) < MARGIN, values + side * MARGIN, values)
    return values


def option_text(options: dict[str, Any]) -> str:
    """Return options as a test's name shows them."""
    return ",".join(f"{key}={_short(value)}" for key, value in options.items())


def _short(value: Any) -> str:
    if isinstance(value, list):
        return "[" + "+".join(map(_short, value)) + "]"
    if isinstance(value, dict):
        return "+".join(f"{kind}({option_text(options)})" for kind, options in value.items())
    return str(value)


# ---------------------------------------------------------------------------------------------- layers


@dataclass(frozen=True)
class LayerCase:
    """A layer on inputs of one shape; `training` draws its noise. Draws depend on the name alone."""

    name: str
    layer: Layer
    input_shape: Shape
    training: bool = False
    examples: int = 3

    def x(self, dtype: Any, stack: int = 1) -> Array:
        """Return inputs `(stack, N, *in)`, all at least MARGIN from 0."""
        shape = (stack, self.examples, *self.input_shape)
        return away_from(seeded(self.name, "x").standard_normal(shape), [0.0]).astype(dtype)

    def parameters(self, dtype: Any, stack: int = 1) -> Tree:
        """Return random parameters `{(stack, *p)}`: initial ones have too many zeros and ones to test by."""
        rng = seeded(self.name, "parameters")
        shapes = self.layer.parameter_shapes(self.input_shape)
        return map_tree(lambda shape: rng.standard_normal((stack, *shape)).astype(dtype), shapes)

    def noise(self, dtype: Any) -> Tree:
        """Return the noise of a training step, or None in evaluation."""
        if not self.training:
            return None
        rng = seeded(self.name, "noise")
        return self.layer.draw_noise(rng, self.input_shape, self.examples, np.dtype(dtype))


@dataclass(frozen=True)
class LayerRow:
    """A kind's options with input shapes, its formula, and what the laws must know.

    forward_counted: whether the cost of `forward` is the count of its multiplications, divisions and
    elementary functions; where it is not, it is one "elementary function" that is written as several.
    """

    formula: Formula
    tries: Sequence[tuple[dict[str, Any], Shape]]
    training: Sequence[tuple[dict[str, Any], Shape]] = ()
    smooth: bool = True
    forward_counted: bool = False


def _chain_formula(jax: Any, chain: Any, params: Tree, x: Any, noise: Tree) -> Any:
    for name, layer in chain.named:
        own = None if noise is None else noise.get(name)
        x = LAYERS[layer.kind].formula(jax, layer, params.get(name, {}), x, own)
    return x


def _normalised(jax: Any, x: Any, epsilon: float) -> Any:
    return (x - jax.numpy.mean(x, -1, keepdims=True)) / jax.numpy.sqrt(
        jax.numpy.var(x, -1, keepdims=True) + epsilon
    )


def _linear(units: int, **options: Any) -> dict[str, Any]:
    return {"linear": {"units": units, **options}}


def _residual(*network: Any) -> dict[str, Any]:
    return {"residual": {"network": list(network)}}


# Plain elementwise kinds are tried on a vector, on one feature and on a matrix.
_PLAIN: list[tuple[dict[str, Any], Shape]] = [({}, (4,)), ({}, (1,)), ({}, (2, 3))]

LAYERS: dict[str, LayerRow] = {
    "dropout": LayerRow(
        lambda jax, o, p, x, noise: x if noise is None else x * noise,
        tries=[({}, (4,)), ({"rate": 0.0}, (1,))],
        training=[({}, (4,)), ({"rate": 0.25}, (2, 3)), ({"rate": 0.0}, (1,))],
        forward_counted=True,
    ),
    "elu": LayerRow(
        lambda jax, o, p, x, noise: jax.nn.elu(x, o.alpha), [*_PLAIN, ({"alpha": 0.3}, (4,))], smooth=False
    ),
    "flatten": LayerRow(
        lambda jax, o, p, x, noise: x.reshape(len(x), -1),
        [({}, (2, 3)), ({}, (1,)), ({}, (2, 1, 3))],
        forward_counted=True,
    ),
    "gelu": LayerRow(lambda jax, o, p, x, noise: jax.nn.gelu(x, approximate=False), _PLAIN),
    "layer_norm": LayerRow(
        lambda jax, o, p, x, noise: p["gain"] * _normalised(jax, x, o.epsilon) + p["bias"],
        # Two features have two values after normalisation whatever they were: with a small epsilon their
        # Jacobian is nothing but rounding.
        [({}, (5,)), ({"epsilon": 0.5}, (2,)), ({}, (1,)), ({"epsilon": 0.1}, (4,))],
        forward_counted=True,
    ),
    "leaky_relu": LayerRow(
        lambda jax, o, p, x, noise: jax.nn.leaky_relu(x, o.negative_slope),
        [*_PLAIN, ({"negative_slope": 0.3}, (4,)), ({"negative_slope": 0.0}, (4,))],
        smooth=False,
    ),
    "linear": LayerRow(
        lambda jax, o, p, x, noise: x @ p["weight"] + p.get("bias", 0.0),
        [
            ({"units": 3}, (4,)),
            ({"units": 1}, (1,)),
            ({"units": 4}, (1,)),
            ({"units": 1}, (4,)),
            ({"units": 3, "bias": False}, (3,)),
            ({"units": 2, "initializer": "he"}, (3,)),
            ({"units": 2, "initializer": "lecun"}, (3,)),
            ({"units": 2, "initializer": "zeros"}, (3,)),
            ({"units": 2, "initializer": "orthogonal"}, (5,)),
            ({"units": 5, "initializer": "orthogonal"}, (2,)),
        ],
        forward_counted=True,
    ),
    "relu": LayerRow(lambda jax, o, p, x, noise: jax.nn.relu(x), _PLAIN, smooth=False),
    "residual": LayerRow(
        lambda jax, o, p, x, noise: x + _chain_formula(jax, o.body, p, x, noise),
        tries=[
            ({"network": [_linear(4), "tanh"]}, (4,)),
            ({"network": ["tanh", _linear(2), "softplus", "scale", _linear(4)]}, (4,)),
            ({"network": [_linear(1)]}, (1,)),
            ({"network": ["sigmoid"]}, (3,)),
            ({"network": ["scale", "silu"]}, (2, 3)),
            ({"network": [_residual(_linear(3), "gelu"), "layer_norm", _residual("scale")]}, (3,)),
            ({"network": [_linear(3), "relu", _linear(3, bias=False)]}, (3,)),
        ],
        training=[
            ({"network": [_linear(4), "dropout", "tanh", {"dropout": {"rate": 0.25}}]}, (4,)),
            ({"network": [_residual(_linear(3), "dropout"), "tanh"]}, (3,)),
        ],
        smooth=False,
    ),
    "scale": LayerRow(
        lambda jax, o, p, x, noise: p["weight"] * x,
        [({}, (4,)), ({}, (1,)), ({}, (2, 3))],
        forward_counted=True,
    ),
    "sigmoid": LayerRow(lambda jax, o, p, x, noise: jax.nn.sigmoid(x), _PLAIN),
    "silu": LayerRow(lambda jax, o, p, x, noise: jax.nn.silu(x), _PLAIN),
    "softmax": LayerRow(lambda jax, o, p, x, noise: jax.nn.softmax(x), _PLAIN, forward_counted=True),
    "softplus": LayerRow(lambda jax, o, p, x, noise: jax.nn.softplus(x), _PLAIN),
    "tanh": LayerRow(lambda jax, o, p, x, noise: jax.numpy.tanh(x), _PLAIN, forward_counted=True),
}


def _layer_cases() -> list[LayerCase]:
    cases = []
    for kind, row in LAYERS.items():
        for training, tries in ((False, row.tries), (True, row.training)):
            for position, (options, shape) in enumerate(tries):
                text = f"{kind}({option_text(options)})-{'x'.join(map(str, shape))}"
                name = f"{text}-training" if training else text
                # One case of each kind has a single example.
                examples = 1 if position == 1 else 3
                cases.append(LayerCase(name, layers.resolve({kind: options}), shape, training, examples))
    return cases


LAYER_CASES = [
    *_layer_cases(),
    # With as many examples the weight is copied before it is read transposed.
    LayerCase("linear(units=8)-32-many", layers.resolve({"linear": {"units": 8}}), (32,), False, 64),
]


# ---------------------------------------------------------------------------------------------- losses


@dataclass(frozen=True)
class LossCase:
    """A loss on `outputs` outputs. Differences from the targets stay MARGIN away from `kinks`."""

    name: str
    loss: Loss
    outputs: int
    kinks: tuple[float, ...] = ()
    examples: int = 4

    def targets(self, dtype: Any) -> Array:
        """Return targets `(N, m)` as the loss encodes them."""
        return targets_for(self.loss, self.name, self.examples, self.outputs).astype(dtype)

    def z(self, dtype: Any, stack: int = 1) -> Array:
        """Return outputs of a network, `(stack, N, m)`."""
        rng = seeded(self.name, "outputs")
        difference = 1.5 * rng.standard_normal((stack, self.examples, self.outputs))
        return (self.targets(np.float64) + away_from(difference, self.kinks)).astype(dtype)


@dataclass(frozen=True)
class LossRow:
    """A loss's options with numbers of outputs, its formula, and where its differences have kinks.

    targets: what a dataset holds for it: numbers, labels, or probabilities.
    """

    formula: Formula
    tries: Sequence[tuple[dict[str, Any], int]]
    targets: str = "numbers"
    smooth: bool = True
    kinks: Callable[[Any], tuple[float, ...]] = field(default=lambda loss: ())


def targets_for(loss: Loss, name: str, examples: int, outputs: int) -> Array:
    """Return random targets `(N, m)`, float64, that `loss` takes, by its row's word for them."""
    rng = seeded(name, "targets")
    drawn = {
        "numbers": lambda: rng.standard_normal((examples, outputs)),
        "labels": lambda: rng.integers(0, outputs, examples),
        "probabilities": lambda: rng.choice([0.0, 1.0, 0.3], (examples, outputs)),
    }[LOSSES[loss.kind].targets]()
    return loss.encode(drawn, outputs)


def _huber(jax: Any, loss: Any, z: Any, t: Any) -> Any:
    size = jax.numpy.abs(z - t)
    near, far = size**2 / 2, loss.delta * (size - loss.delta / 2)
    return jax.numpy.where(size <= loss.delta, near, far).mean(-1)


def _binary(jax: Any, loss: Any, z: Any, t: Any) -> Any:
    return -(t * jax.nn.log_sigmoid(z) + (1 - t) * jax.nn.log_sigmoid(-z)).mean(-1)


LOSSES: dict[str, LossRow] = {
    "binary_cross_entropy": LossRow(_binary, [({}, 1), ({}, 3)], targets="probabilities"),
    "cross_entropy": LossRow(
        lambda jax, o, z, t: -(t * jax.nn.log_softmax(z)).sum(-1), [({}, 2), ({}, 5), ({}, 1)], "labels"
    ),
    "huber": LossRow(
        _huber,
        [({}, 1), ({}, 3), ({"delta": 0.4}, 3), ({"delta": 3.0}, 3)],
        smooth=False,
        kinks=lambda loss: (-loss.delta, loss.delta),
    ),
    "mean_absolute_error": LossRow(
        lambda jax, o, z, t: abs(z - t).mean(-1), [({}, 1), ({}, 3)], smooth=False, kinks=lambda loss: (0.0,)
    ),
    "mean_squared_error": LossRow(lambda jax, o, z, t: ((z - t) ** 2).mean(-1), [({}, 1), ({}, 3)]),
}


def _loss_cases() -> list[LossCase]:
    cases = []
    for kind, row in LOSSES.items():
        for options, outputs in row.tries:
            loss = losses.resolve({kind: options})
            cases.append(
                LossCase(f"{kind}({option_text(options)})-{outputs}", loss, outputs, row.kinks(loss))
            )
    return cases


LOSS_CASES = _loss_cases()


# -------------------------------------------------------------------------------------------- networks


@dataclass(frozen=True)
class NetworkCase:
    """A network and a loss as a configuration writes them, on inputs of one shape.

    training: whether the batch has noise. Draws depend on the name alone.
    """

    name: str
    layers: Sequence[Any]
    input_shape: Shape
    loss: Any
    examples: int
    training: bool = False

    @property
    def kinds(self) -> list[str]:
        """The kinds of the layers, nested ones included."""
        return _kinds(self.layers)

    def objective(self, xp: Any = np) -> Objective:
        """Return a fresh objective."""
        network = Network([layers.resolve(layer) for layer in self.layers], self.input_shape)
        return Objective(network, losses.resolve(self.loss), xp)

    @property
    def smooth(self) -> bool:
        """Whether the loss has all derivatives: then five points may be fitted to it."""
        kinds = set(_kinds(self.layers))
        return all(LAYERS[kind].smooth or kind == "residual" for kind in kinds) and (
            LOSSES[losses.resolve(self.loss).kind].smooth
        )

    def parameters(self, dtype: Any) -> Array:
        """Return a flat vector: initial parameters, moved so that none is exactly zero or one."""
        rng = seeded(self.name, "parameters")
        initial = self.objective().network.initial_parameters(rng)
        return (initial + 0.3 * rng.standard_normal(initial.shape)).astype(dtype)

    def batch(self, dtype: Any, examples: int | None = None) -> Batch:
        """Return a batch; its own number of examples unless told otherwise."""
        count = self.examples if examples is None else examples
        objective = self.objective()
        x = seeded(self.name, "x").standard_normal((count, *self.input_shape))
        outputs = objective.network.output_shape[0]
        targets = targets_for(objective.loss, self.name, count, outputs)
        rng = seeded(self.name, "noise")
        noise = objective.network.draw_noise(rng, count, dtype) if self.training else None
        return Batch(x.astype(dtype), targets.astype(dtype), noise)


def _kinds(values: Sequence[Any]) -> list[str]:
    """Return the kinds in a list of layers as a configuration writes it, nested ones included."""
    found = []
    for value in values:
        kind, options = (value, {}) if isinstance(value, str) else next(iter(value.items()))
        found += [kind, *_kinds(options.get("network", []))]
    return found


def network_kinds() -> set[str]:
    """Return every kind of layer that occurs in NETWORKS."""
    return {kind for case in NETWORKS for kind in case.kinds}


_L = _linear
_MSE, _CE, _BCE = "mean_squared_error", "cross_entropy", "binary_cross_entropy"
_MAE, _HUBER = "mean_absolute_error", "huber"

NETWORKS: list[NetworkCase] = [
    NetworkCase("one number", [_L(1)], (1,), _MSE, 1),
    NetworkCase("linear regression", [_L(1)], (3,), _MSE, 5),
    NetworkCase("linear regression, no bias", [_L(2, bias=False)], (3,), _MSE, 4),
    NetworkCase("logistic regression", [_L(1)], (3,), _BCE, 5),
    NetworkCase("softmax regression", [_L(3)], (4,), _CE, 5),
    NetworkCase("least absolute deviations", [_L(2)], (3,), _MAE, 3),
    NetworkCase("robust regression", [_L(2)], (3,), {"huber": {"delta": 0.5}}, 4),
    NetworkCase("width one, deep", [_L(1), "tanh", _L(1), "tanh", _L(1), "tanh", _L(1)], (1,), _MSE, 2),
    NetworkCase("two layers, tanh", [_L(4), "tanh", _L(2)], (3,), _MSE, 4),
    NetworkCase("two layers, relu", [_L(5), "relu", _L(3)], (4,), _CE, 6),
    NetworkCase("two layers, leaky relu", [_L(4), "leaky_relu", _L(2)], (3,), _HUBER, 4),
    NetworkCase("steep leaky relu", [_L(4), {"leaky_relu": {"negative_slope": 0.3}}, _L(2)], (3,), _MAE, 4),
    NetworkCase("two layers, elu", [_L(4), {"elu": {"alpha": 0.7}}, _L(2)], (3,), _BCE, 4),
    NetworkCase("two layers, gelu", [_L(4), "gelu", _L(2)], (3,), _MSE, 4),
    NetworkCase("two layers, silu", [_L(4), "silu", _L(3)], (3,), _CE, 4),
    NetworkCase("two layers, sigmoid", [_L(4), "sigmoid", _L(1)], (3,), _BCE, 4),
    NetworkCase("two layers, softplus", [_L(4), "softplus", _L(2)], (3,), _MSE, 4),
    NetworkCase("probabilities by softmax", [_L(3), "softmax"], (4,), _MSE, 4),
    NetworkCase("softmax within", [_L(3), "softmax", _L(2)], (3,), _CE, 3),
    # With a large epsilon no small variance makes the fifth derivatives large.
    NetworkCase("normalised", [_L(4), {"layer_norm": {"epsilon": 0.5}}, "tanh", _L(2)], (3,), _MSE, 4),
    NetworkCase("normalised inputs", ["layer_norm", _L(3)], (4,), _CE, 4),
    NetworkCase("scaled inputs", ["scale", _L(2)], (3,), _MSE, 4),
    NetworkCase("scale alone", ["scale"], (3,), _MSE, 2),
    NetworkCase("scale last", [_L(2), "tanh", "scale"], (2,), _MAE, 3),
    NetworkCase("nothing learned in front", ["tanh", "softplus", _L(2)], (3,), _MSE, 3),
    NetworkCase("nothing learned behind", [_L(2), "tanh", "sigmoid", "silu"], (3,), _MSE, 3),
    NetworkCase("images", ["flatten", _L(4), "relu", _L(3)], (2, 3), _CE, 4),
    NetworkCase("scaled images", ["scale", "gelu", "flatten", _L(2)], (2, 2), _MSE, 3),
    NetworkCase("residual", [_L(3), _residual(_L(3), "tanh"), _L(2)], (2,), _MSE, 4),
    NetworkCase("residual first and last", [_residual("tanh", _L(2)), _residual(_L(2))], (2,), _MSE, 3),
    NetworkCase(
        "residual within residual",
        [_residual(_L(2), _residual("scale", "silu", _L(2)), "softplus"), _L(3)],
        (2,),
        _CE,
        3,
    ),
    NetworkCase("residual without parameters", [_L(2), _residual("sigmoid"), _L(1)], (3,), _BCE, 3),
    NetworkCase(
        "residual, narrow waist", [_residual("layer_norm", _L(1), "gelu", _L(4)), _L(2)], (4,), _HUBER, 3
    ),
    NetworkCase("autoencoder", [_L(3), "tanh", _L(1), "tanh", _L(3), "tanh", _L(4)], (4,), _MSE, 5),
    NetworkCase("widening", [_L(2), "silu", _L(4), "silu", _L(6)], (1,), _MSE, 2),
    NetworkCase("narrowing", [_L(4), "elu", _L(2), "elu", _L(1)], (6,), _HUBER, 2),
    NetworkCase(
        "eight layers",
        [_L(3), "tanh", _L(3), "gelu", _L(3), "sigmoid", _L(3), "softplus", _L(2)],
        (3,),
        _MSE,
        3,
    ),
    NetworkCase(
        "eight layers, kinked",
        [_L(4), "relu", "scale", _L(3), "leaky_relu", "layer_norm", _L(3), "elu"],
        (3,),
        _MAE,
        3,
    ),
    NetworkCase("dropout", [_L(5), "tanh", "dropout", _L(2)], (3,), _MSE, 4, training=True),
    NetworkCase("dropout in evaluation", [_L(3), "dropout", _L(2)], (3,), _MSE, 2),
    NetworkCase("dropout on the inputs", [{"dropout": {"rate": 0.2}}, _L(3)], (4,), _CE, 4, training=True),
    NetworkCase(
        "dropout within residual",
        [_residual(_L(3), {"dropout": {"rate": 0.3}}, "tanh"), "dropout", _L(2)],
        (3,),
        _BCE,
        3,
        training=True,
    ),
    NetworkCase("one example", [_L(4), "tanh", _L(3)], (3,), _CE, 1),
    NetworkCase("more examples than parameters", [_L(1), "tanh"], (1,), _MSE, 9),
]


# ----------------------------------------------------------------------------------------------- modes

# For each mode, the sets of options that all the laws of modes run with; the first is its default.
MODES: dict[str, list[dict[str, Any]]] = {
    "reverse": [
        {},
        {"checkpoints": "sqrt"},
        {"checkpoints": "revolve"},
        {"checkpoints": "revolve", "memory": "16KiB"},
    ],
    "forward": [{}, {"seeds": "outputs"}, {"seeds": "parameters"}, {"memory": "16KiB"}],
    "finite_difference": [
        {},
        {"scheme": "forward"},
        {"scheme": "five_point"},
        {"dtype": "float64"},
        {"scheme": "five_point", "memory": "16KiB"},
    ],
    "random_forward": [
        {},
        {"directions": 5, "distribution": "rademacher"},
        {"directions": 2, "distribution": "orthogonal", "memory": "16KiB"},
    ],
    "activity_perturbation": [{}, {"directions": 3, "distribution": "rademacher", "memory": "64KiB"}],
    "spsa": [{}, {"directions": 5, "distribution": "gaussian", "memory": "64KiB"}, {"step": 1e-3}],
    "feedback_alignment": [{}, {"seed": 1, "memory": "64KiB"}],
    "direct_feedback_alignment": [{}, {"seed": 1}],
    "mixed": [{}, {"memory": "64KiB"}],
    "auto": [{}, {"memory": "16KiB"}],
    "complex_step": [{}, {"dtype": "float64"}, {"memory": "16KiB"}],
}


def _mode_cases() -> dict[str, Mode]:
    return {
        f"{kind}({option_text(options)})": modes.resolve({kind: options})
        for kind, tries in MODES.items()
        for options in tries
    }


MODE_CASES = _mode_cases()
