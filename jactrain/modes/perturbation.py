"""What modes that move one parameter at a time have in common: they use `forward` alone."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from math import ceil
from typing import Any, ClassVar, NamedTuple

import numpy as np
from pydantic import Field

from jactrain.arrays import Array, DTypeName, Namespace, Path, in_pieces
from jactrain.layers.base import Product
from jactrain.modes.base import Decision, GradientResult, Mode
from jactrain.modes.memory import (
    MemorySize,
    evaluated_entries,
    memory_bound,
    stack_width,
)
from jactrain.objective import Batch, Evaluation, Objective


class Entries(NamedTuple):
    """The entries of the parameter at `path` of one link, moved `width` at a time.

    start, size: the first in the flat vector, and how many.
    """

    position: int
    path: Path
    start: int
    size: int
    width: int


class Perturbation(Mode):
    """Base of the modes that differentiate in one parameter after another, by values of the loss.

    Links in front of the one that is moved are not run again, and entries run as stacks. They borrow no
    derivative rule, so they can check them all.
    """

    dtype: DTypeName | None = Field(
        None,
        description="Evaluate the loss in this dtype, whatever the network's: the error depends on it.",
    )
    memory: MemorySize | None = memory_bound()

    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD})
    recordable: ClassVar[bool] = True

    @property
    @abstractmethod
    def offsets(self) -> Array:
        """Where the loss is evaluated, in steps from the parameter: `(V,)`, real or complex."""

    @abstractmethod
    def steps(self, xp: Namespace, parameters: Array) -> Array:
        """Return the step of every parameter, `(P,)`."""

    @abstractmethod
    def derivatives(self, xp: Namespace, losses: Array, unmoved: Array, steps: Array) -> Array:
        """Return the derivatives `(count,)` of the objective.

        losses: `(V, count, N)`, at the offsets; unmoved: `(N,)`, at the parameters; steps: `(count,)`.
        """

    def working_dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return the option `dtype`, if it is given."""
        return np.dtype(self.dtype or dtype)

    def error_estimate(self, value: Array, steps: Array, epsilon: float) -> Array | None:
        """Return the estimated L2 norm of the gradient's error, `()`; None if it is exact up to rounding."""
        return None

    def decide(self, objective: Objective, examples: int, dtype: np.dtype[Any]) -> Decision:
        """Divide the entries into chunks, and predict the forward passes from the moved link on."""
        working = self.working_dtype(dtype)
        links, values = objective.links, len(self.offsets)
        size = working.itemsize * (2 if np.iscomplexobj(self.offsets) else 1)
        fixed = examples * working.itemsize * sum(link.output_size for link in links)
        fixed += 4 * objective.network.size * working.itemsize
        entries = []
        per_example = objective.forward_cost
        stacks = 0
        for position, link in enumerate(links):
            each = values * examples * size * evaluated_entries(objective, position)
            width = stack_width(self.memory, fixed, each, "raise it, or take smaller batches")
            for path, part in zip(link.layout.paths, link.layout.slices, strict=True):
                once, moved = objective.perturbation_cost(position, path)
                count = part.stop - part.start
                entries.append(Entries(position, path, link.part.start + part.start, count, width))
                stacks = max(stacks, min(width, count) * each)
                per_example += ceil(count / width) * once + count * values * moved
        return Decision(
            multiply_adds=per_example * examples,
            peak_bytes=fixed + stacks,
            details=tuple(entries),
        )

    def differentiate(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        decision: Decision,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the derivatives of all entries, one after another."""
        xp = objective.xp
        if self.dtype is not None:
            parameters, batch = parameters.astype(self.dtype), batch.astype(self.dtype)
        epsilon = np.finfo(parameters.dtype).eps
        step = self.steps(xp, parameters)
        point = objective.evaluate(parameters, batch)
        complex_too = [np.complex64] if np.iscomplexobj(self.offsets) else []
        offsets = self.offsets.astype(np.result_type(parameters.dtype, *complex_too))
        blocks = []
        for position, path, start, count, width in decision.details:
            derivatives = partial(self._moved, objective, point, step[start : start + count], offsets)
            moved = partial(derivatives, position, path)
            blocks.append(in_pieces(xp, moved, count, width, is_shared=self.memory is None))
        estimate = self.error_estimate(point.value, step, float(epsilon)) if xp is np else None
        return GradientResult(point.value, xp.concatenate(blocks), point.work, estimate)

    def _moved(
        self,
        objective: Objective,
        point: Evaluation,
        steps: Array,
        offsets: Array,
        position: int,
        path: Path,
        indices: Array,
    ) -> Array:
        """Return the derivatives in the entries `indices` of one parameter, whose steps are `steps`."""
        own = steps[indices]
        moves = (offsets[:, None] * own).reshape(-1)
        losses = point.perturbed(position, path, objective.xp.tile(indices, len(offsets)), moves)
        losses = losses.reshape((len(offsets), len(indices), -1))
        return self.derivatives(objective.xp, losses, point.losses, own)
