"""The networks that things are timed on, and their numbers: drawn from one seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from jactrain.layers import layers
from jactrain.losses import losses
from jactrain.network import Network
from jactrain.objective import Batch, Objective

SIZES = (64, 64, 64, 10)
BATCH = 32
LEARNING_RATE = 0.01
MOMENTUM = 0.9


def examples(count: int, sizes: Sequence[int] = SIZES) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs `(N, n)`, float32, and class indices `(N,)`: standard normal, and any of the classes."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((count, sizes[0]), dtype=np.float32), rng.integers(0, sizes[-1], count)


def network_of(sizes: Sequence[int]) -> Network:
    """Return linear layers of these sizes with tanh between them."""
    chain = []
    for units in sizes[1:-1]:
        chain += [layers.get("linear")(units=units), layers.get("tanh")()]
    chain.append(layers.get("linear")(units=sizes[-1]))
    return Network(chain, (sizes[0],))


def objective(sizes: Sequence[int] = SIZES) -> Objective:
    """Return such a network with cross-entropy."""
    return Objective(network_of(sizes), losses.get("cross_entropy")())


def batch_of(target: Objective, count: int, dtype: Any) -> Batch:
    """Return one batch of `count` examples, targets as the loss takes them."""
    sizes = (target.network.input_shape[0], target.network.output_shape[0])
    x, y = examples(count, sizes)
    return Batch(x.astype(dtype), target.loss.encode(y, sizes[-1]).astype(dtype))


def parameters_of(network: Network, dtype: Any) -> np.ndarray:
    """Return initial parameters `(P,)`."""
    return network.initial_parameters(np.random.default_rng(0), dtype)


def in_short(sizes: Sequence[int]) -> str:
    """Return the sizes of a network as people write them: `64-8x32-10` for eight layers of 32."""
    runs = [(size, len(list(equal))) for size, equal in groupby(sizes)]
    if max(count for _, count in runs) < 4:
        return "-".join(map(str, sizes))
    return "-".join(str(size) if count == 1 else f"{count}x{size}" for size, count in runs)


@dataclass(frozen=True)
class Training:
    """A training that is timed: its network, batches of `batch` examples, `steps` of them an epoch.

    epochs: of one timed run, so that caches which are cold at first weigh little.
    """

    sizes: tuple[int, ...]
    batch: int
    dtype: str
    steps: int
    epochs: int = 1

    @property
    def name(self) -> str:
        """The network, the batch size and the dtype."""
        return f"{in_short(self.sizes)}, batch {self.batch}, {self.dtype}"

    @property
    def examples(self) -> int:
        """How many there are."""
        return self.batch * self.steps

    @cached_property
    def objective(self) -> Objective:
        """The network with its loss."""
        return objective(self.sizes)

    @cached_property
    def x(self) -> np.ndarray:
        """The inputs `(N, n)`."""
        return examples(self.examples, self.sizes)[0].astype(self.dtype)

    @cached_property
    def y(self) -> np.ndarray:
        """The classes `(N,)`."""
        return examples(self.examples, self.sizes)[1]

    @cached_property
    def targets(self) -> np.ndarray:
        """The classes as cross-entropy takes them, `(N, m)`."""
        return self.objective.loss.encode(self.y, self.sizes[-1]).astype(self.dtype)

    @cached_property
    def parameters(self) -> np.ndarray:
        """The parameters `(P,)` that every subject starts from."""
        return parameters_of(self.objective.network, np.dtype(self.dtype))

    def leaves(self, parameters: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return weight `(I, O)` and bias `(O,)` of each layer."""
        layout = self.objective.network.layout
        each = [
            parameters[part].reshape(shape) for shape, part in zip(layout.shapes, layout.slices, strict=True)
        ]
        return list(zip(each[::2], each[1::2], strict=True))
