"""Finite differences: values of the loss alone, at perturbed parameters."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from jactrain.arrays import Array, DTypeName, Path, Tree
from jactrain.layers.base import Product
from jactrain.modes.base import Exactness, GradientResult, Mode, Plan, modes, ranges
from jactrain.modes.memory import MemorySize, reuse_freed_memory
from jactrain.objective import Batch, Objective

# With its successor and a temporary or two it fits the second-level cache of current processors.
_DEFAULT_MEMORY = 2**19


class Scheme(NamedTuple):
    """A difference quotient `Σ weight · f(θ + offset h) / h`, and the power of ε its step is."""

    offsets: tuple[float, ...]
    weights: tuple[float, ...]
    step_power: float


# Truncation O(h), O(h²), O(h⁴) balanced against rounding ε|f|/h: h = ε^{1/2}, ε^{1/3}, ε^{1/5}.
SCHEMES = {
    "forward": Scheme((1.0,), (1.0,), 1 / 2),
    "central": Scheme((1.0, -1.0), (0.5, -0.5), 1 / 3),
    "five_point": Scheme((1.0, -1.0, 2.0, -2.0), (2 / 3, -2 / 3, -1 / 12, 1 / 12), 1 / 5),
}


class Entries(NamedTuple):
    """Entries `start` to `stop` of the parameter at `path` of one link, perturbed in one stack."""

    position: int
    path: Path
    start: int
    stop: int


@modes.register("finite_difference")
class FiniteDifference(Mode):
    """Difference quotients of the loss, one parameter at a time, from `forward` alone.

    The step is `h = ε^q max(1, |θ_i|)`, `ε` the machine epsilon; links in front of the perturbed one are
    not run again, and perturbations run as stacks. It borrows no derivative rule, so it can check them all.
    """

    scheme: Literal["forward", "central", "five_point"] = Field(
        "central", description="One, two or four values an entry; error O(h), O(h²), O(h⁴)."
    )
    dtype: DTypeName | None = Field(
        None,
        description="Evaluate the loss in this dtype, whatever the network's: differences of float32 "
        "values keep about three digits.",
    )
    memory: MemorySize = Field(_DEFAULT_MEMORY, description="Bound on a stack of activations, such as 64MiB.")

    exactness: ClassVar[Exactness] = Exactness.TRUNCATED
    uses: ClassVar[frozenset[Product]] = frozenset({Product.FORWARD})

    def prepare(self, objective: Objective, examples: int, dtype: Any) -> Plan:
        """Divide the entries into chunks, and predict the forward passes from the perturbed link on."""
        self.require_products(objective)
        reuse_freed_memory()
        working = np.dtype(self.dtype or dtype)
        links, values = objective.links, len(SCHEMES[self.scheme].offsets)
        chunks = []
        per_example = objective.forward_cost
        widest = 0
        for position, link in enumerate(links):
            largest = max(later.output_size for later in links[position:])
            width = max(1, self.memory // (values * examples * largest * working.itemsize))
            for path, part in zip(link.layout.paths, link.layout.slices, strict=True):
                once, each = objective.perturbation_cost(position, path)
                count = part.stop - part.start
                for start, stop in ranges(count, width):
                    chunks.append(Entries(position, path, start, stop))
                    per_example += once
                    widest = max(widest, (stop - start) * values * largest)
                per_example += count * values * each
        kept = sum(link.input_size for link in links)
        return Plan(
            mode=self,
            objective=objective,
            examples=examples,
            dtype=np.dtype(dtype),
            multiply_adds=per_example * examples,
            peak_bytes=(kept * examples + 2 * widest * examples + 2 * objective.network.size)
            * working.itemsize,
            chunks=tuple(chunks),
        )

    def value_and_gradient(
        self,
        objective: Objective,
        parameters: Array,
        batch: Batch,
        plan: Plan,
        rng: np.random.Generator,
    ) -> GradientResult:
        """Return the differences; the error estimate is twice the rounding `ε|f|/h` of every entry.

        The steps are chosen so that truncation is about as large as rounding, hence twice.
        """
        plan.require(self, objective, parameters, batch)
        xp = objective.xp
        if self.dtype is not None:
            parameters, batch = parameters.astype(self.dtype), _cast(batch, self.dtype)
        scheme = SCHEMES[self.scheme]
        epsilon = float(np.finfo(parameters.dtype).eps)
        step = epsilon**scheme.step_power * xp.maximum(1, abs(parameters))
        step = (parameters + step) - parameters  # realised: what is added is what is divided by
        point = objective.evaluate(parameters, batch)
        offsets = np.asarray(scheme.offsets, parameters.dtype)
        weights = np.asarray(scheme.weights, parameters.dtype)
        blocks = []
        for position, path, start, stop in plan.chunks:
            link = objective.links[position]
            first = link.part.start + link.layout.slices[link.layout.paths.index(path)].start
            own = step[first + start : first + stop]
            steps = (offsets[:, None] * own).reshape(-1)
            indices = np.tile(np.arange(start, stop), len(offsets))
            losses = point.perturbed(position, path, indices, steps)
            # Differences example by example, before the mean: less is cancelled than in their means.
            changes = (losses - point.losses).sum(1).reshape(len(offsets), stop - start)
            blocks.append(weights @ changes / (batch.examples * own))
        gradient = xp.concatenate(blocks)
        rounding = epsilon * abs(point.value) / step
        estimate = None if xp is not np else 2 * float(np.sqrt((rounding * rounding).sum()))
        return GradientResult(point.value, gradient, point.work, estimate)


def _cast(batch: Batch, dtype: str) -> Batch:
    return Batch(batch.x.astype(dtype), batch.targets.astype(dtype), _cast_tree(batch.noise, dtype))


def _cast_tree(tree: Tree, dtype: str) -> Tree:
    if isinstance(tree, dict):
        return {name: _cast_tree(branch, dtype) for name, branch in tree.items()}
    return None if tree is None else tree.astype(dtype)
