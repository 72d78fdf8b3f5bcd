"""A network and a loss on one batch: the scalar function that modes differentiate.

Modes see the chain through two objects, which count every product applied: `Evaluation` offers the
values alone, `Linearization` the four products of every link and the two of the loss.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jactrain.arrays import Array, Namespace, Path, Tree, map_tree
from jactrain.errors import ShapeError
from jactrain.layers.forms import Moved, PerturbationCost
from jactrain.linearization import NetworkLinearization, Work
from jactrain.losses.base import Loss
from jactrain.network import Link, Network


class Batch(NamedTuple):
    """Examples and the noise of one step: `x` `(N, *in)`, `targets` `(N, m)` as the loss encodes them."""

    x: Array
    targets: Array
    noise: Tree = None

    @property
    def examples(self) -> int:
        """The number of examples, N."""
        return len(self.x)

    def first(self, count: int) -> Batch:
        """Return the first `count` examples with their noise."""
        return Batch(*(map_tree(lambda array: array[:count], part) for part in self))

    def astype(self, dtype: Any) -> Batch:
        """Return the batch in another dtype."""
        return Batch(*(map_tree(lambda array: array.astype(dtype), part) for part in self))


class Objective:
    """The mean over a batch of the loss of a network's outputs, as a function of the parameters.

    Raises ShapeError if an output of the network is not a vector, or there is nothing to train.
    """

    def __init__(self, network: Network, loss: Loss, xp: Namespace = np) -> None:
        if len(network.output_shape) != 1:
            raise ShapeError(
                f"a loss compares vectors, but the network's outputs have shape {network.output_shape}; "
                "end with `flatten` or `linear`",
                network.links[-1].name if network.links else "",
            )
        if not network.size:
            raise ShapeError("no layer has parameters, so there is nothing to train; add `linear`")
        self.network = network
        self.loss = loss
        self.xp = xp
        self.loss_cost = loss.cost(network.output_shape[0])
        # Multiply-adds per example of one evaluation: network and loss.
        self.forward_cost = sum(link.cost.forward for link in network.links) + self.loss_cost.forward

    @property
    def links(self) -> tuple[Link, ...]:
        """The network's links."""
        return self.network.links

    def stack_cost(self, vectors: int, stacks: int = 1) -> int:
        """Return the multiply-adds per example of `losses` of so many parameter vectors in all, in `stacks`.

        Links in front of all parameters run once a stack.
        """
        front = sum(link.cost.forward for link in self.links[: self.network.first_parametric])
        return stacks * front + vectors * (self.forward_cost - front)

    def perturbation_cost(self, position: int, path: Path) -> PerturbationCost:
        """Return the multiply-adds per example of `Evaluation.perturbed`, up to and with the loss."""
        link = self.links[position]
        moved = link.layer.moves_one_entry
        once, each = (0, 1) if moved else link.layer.perturbation_cost(link.input_shape, path)
        for link in self.links[position + 1 :]:
            if moved:
                cost, moved = link.layer.moved_cost(link.input_shape)
                each += cost
            else:
                each += link.cost.forward
        return PerturbationCost(once, each + self.loss_cost.forward)

    def evaluate(self, parameters: Array, batch: Batch) -> Evaluation:
        """Return the values of every link's input, and of the loss, at `parameters` `(P,)`."""
        return Evaluation(self, parameters, batch)

    def losses(self, parameters: Array, batch: Batch, work: Work) -> Array:
        """Return the examples' losses `(K, N)` of networks with `parameters` `(K, P)`, adding to `work`."""
        stack = len(parameters)
        work.forward += stack * len(self.links)
        work.multiply_adds += batch.examples * self.stack_cost(stack)
        params = self.network.layout.views(parameters)
        outputs, _ = self.network.chain.forward(self.xp, params, batch.x[None], batch.noise)
        return self.loss.forward(self.xp, outputs, batch.targets)[0]

    def begin(self, parameters: Array, batch: Batch) -> Linearization:
        """Return a linearization of which nothing has been run."""
        return Linearization(self, parameters, batch)

    def linearize(self, parameters: Array, batch: Batch) -> Linearization:
        """Return the network and loss linearised at `parameters` `(P,)`, all residuals kept."""
        point = self.begin(parameters, batch)
        point.finish(point.run())
        return point


class Evaluation:
    """Values alone: what finite differences may use."""

    def __init__(self, objective: Objective, parameters: Array, batch: Batch) -> None:
        self._objective = objective
        self._params = objective.network.own_parameters(parameters)
        self._noise = objective.network.own_noise(batch.noise)
        self._batch = batch
        self.work = Work(forward=len(objective.links), multiply_adds=batch.examples * objective.forward_cost)
        self._values = [batch.x[None]]  # every x^k, (1, N, *n): the links' inputs and the outputs
        for link, params, noise in zip(objective.links, self._params, self._noise, strict=True):
            y, _ = link.layer.forward(objective.xp, params, self._values[-1], noise)
            self._values.append(y)
        losses, _ = objective.loss.forward(objective.xp, self._values[-1], batch.targets)
        self.losses = losses[0]  # (N,)

    @property
    def value(self) -> Array:
        """The objective: the mean of the examples' losses."""
        return self.losses.sum() / self._batch.examples

    def perturbed(self, position: int, path: Path, indices: Array, steps: Array) -> Array:
        """Return the examples' losses `(K, N)` of `K` networks with one parameter entry moved in each.

        Network `t` has entry `indices[t]` of the parameter at `path` of link `position` moved by
        `steps[t]`. Links in front of it are not run again.
        """
        objective, vectors = self._objective, len(indices)
        link, params, noise = objective.links[position], self._params[position], self._noise[position]
        x, y = self._values[position : position + 2]
        self.work.forward += vectors
        if link.layer.moves_one_entry:
            self.work.multiply_adds += vectors * self._batch.examples
            moved = link.layer.perturbed_entry(objective.xp, params, x, y, path, indices, steps)
            return self._losses_behind(position, vectors, moved)
        once, each = link.layer.perturbation_cost(link.input_shape, path)
        self.work.multiply_adds += (once + each * vectors) * self._batch.examples
        outputs = link.layer.perturbed_forward(objective.xp, params, x, noise, path, indices, steps)
        return self._losses_behind(position, vectors, outputs)

    def _losses_behind(self, position: int, stack: int, x: Array | Moved) -> Array:
        """Return the losses `(K, N)` of `K` networks with outputs `x` `(K, N, *out)` of one link."""
        xp, links = self._objective.xp, self._objective.links
        rows = stack * self._batch.examples
        for later in range(position + 1, len(links)):
            link, params, noise = links[later], self._params[later], self._noise[later]
            self.work.forward += stack
            if isinstance(x, Moved):
                self.work.multiply_adds += rows * link.layer.moved_cost(link.input_shape).each
                x = link.layer.moved_forward(xp, params, x, self._values[later + 1], noise)
            else:
                self.work.multiply_adds += rows * link.cost.forward
                x, _ = link.layer.forward(xp, params, x, noise)
        self.work.multiply_adds += rows * self._objective.loss_cost.forward
        outputs = x.dense(xp) if isinstance(x, Moved) else x
        return self._objective.loss.forward(xp, outputs, self._batch.targets)[0]


class Linearization(NetworkLinearization):
    """A network and a loss linearised at one point: every product that a mode may apply.

    The loss must have been run by `finish`, too; `Objective.linearize` has done all.
    """

    def __init__(self, objective: Objective, parameters: Array, batch: Batch) -> None:
        super().__init__(objective.network, parameters, batch.x, batch.noise, objective.xp)
        self._objective = objective
        self._targets = batch.targets

    def finish(self, outputs: Array) -> None:
        """Run the loss on the last link's outputs `(1, N, m)`."""
        objective = self._objective
        self.work.multiply_adds += self.examples * objective.loss_cost.forward
        losses, self._loss_residual = objective.loss.forward(self.xp, outputs, self._targets)
        self.value = losses.sum() / self.examples
        self._dtype = losses.dtype

    def loss_jvp(self, y_dot: Array) -> Array:
        """Return the tangents `(K, N)` of each example's share of the objective."""
        objective = self._objective
        self.work.multiply_adds += len(y_dot) * self.examples * objective.loss_cost.jvp
        return objective.loss.jvp(self.xp, self._loss_residual, y_dot) / self.examples

    def loss_vjp(self) -> Array:
        """Return the cotangent `(1, N, m)` of the outputs for cotangent 1 of the objective."""
        objective = self._objective
        self.work.multiply_adds += self.examples * objective.loss_cost.vjp
        seed = self.xp.full((1, self.examples), 1 / self.examples, self._dtype)
        return objective.loss.vjp(self.xp, self._loss_residual, seed)
