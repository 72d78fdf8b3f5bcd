"""How time grows with the network, and memory with its depth: fitted exponents beside the theory.

The theory is the powers of docs/modes.md's costs for layers of one width n, of which there are l: reverse
mode takes `3 N l n²` multiply-adds, factored forward mode `N n · n² · l²/2`, differences `N n² · n² · l²/2`
for each value, a random tangent as much as reverse mode. So sizes are large enough for products to take
nearly all of the time; one thread multiplies, since two are worth more the larger a product is.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.timing import Subject, alternate, spread
from jactrain.comparison.trends import exponent
from jactrain.layers import layers
from jactrain.losses import losses
from jactrain.modes import modes
from jactrain.modes.base import Mode, Plan
from jactrain.network import Network
from jactrain.objective import Batch, Objective

WITHIN = 0.15  # of theory
FLAT = 0.1  # an exponent of memory that is called flat


class Growth(NamedTuple):
    """One mode along one axis: `sizes` of that axis, the other two as they stay.

    activation: behind every linear layer but the last; None for linear layers alone. theory: the exponent.
    outputs: of one more linear layer at the end; 0 for none. parameters: the exponent of the same times
    against the number of parameters, where the width grows. slow: too slow for many rounds.
    """

    mode: str
    along: str
    sizes: tuple[int, ...]
    theory: float
    width: int = 0
    depth: int = 0
    batch: int = 0
    options: Mapping[str, Any] = {}
    activation: str | None = "tanh"
    outputs: int = 0
    parameters: float | None = None
    slow: bool = False

    @property
    def name(self) -> str:
        """The mode, and along what it grows."""
        return f"{self.mode} along {self.along}"

    def at(self, size: int) -> tuple[int, int, int]:
        """Return width, depth and batch at one size."""
        fixed = {"width": self.width, "depth": self.depth, "batch": self.batch}
        width, depth, batch = (fixed | {self.along: size}).values()
        return width, depth, batch


# What stays is such that the largest gradient takes a fraction of a second (differences along the width:
# seconds), and products most of it.
GROWTHS = (
    Growth("reverse", "width", (512, 724, 1024), 2, depth=3, batch=256, parameters=1),
    Growth("reverse", "depth", (8, 16, 32, 64), 1, width=128, batch=128),
    Growth("reverse", "batch", (256, 512, 1024, 2048), 1, width=256, depth=3),
    Growth("forward", "width", (362, 512, 724), 3, depth=6, batch=8, parameters=1.5),
    Growth("forward", "depth", (32, 48, 64, 96), 2, width=32, batch=32),
    Growth("forward", "batch", (64, 128, 256, 512), 1, width=64, depth=6),
    # Of differences elementwise functions keep a large share up to widths that take minutes: here are none,
    # one output to take the loss of, and one value an entry instead of two.
    Growth(
        "finite_difference",
        "width",
        (590, 696, 820),
        4,
        depth=3,
        batch=1,
        options={"scheme": "forward"},
        activation=None,
        outputs=1,
        parameters=2,
        slow=True,
    ),
    Growth("finite_difference", "depth", (24, 32, 48, 64), 2, width=32, batch=1),
    Growth("finite_difference", "batch", (8, 16, 32, 64), 1, width=32, depth=6),
    Growth("random_forward", "width", (512, 724, 1024), 2, depth=3, batch=512, parameters=1),
    Growth("random_forward", "depth", (8, 16, 32, 64), 1, width=128, batch=512),
    Growth("random_forward", "batch", (1024, 2048, 4096, 8192), 1, width=256, depth=3),
)
_SMOKE = {"width": (4, 6, 8), "depth": (4, 6, 8), "batch": (4, 6, 8)}
_SMOKE_FIXED = {"width": 4, "depth": 3, "batch": 4}
_ROUNDS, _SLOW_ROUNDS = 9, 2


def grown(only: str, smoke: bool) -> Iterator[dict[str, Any]]:
    """Yield what is found of every growth whose name contains `only`."""
    for growth in GROWTHS:
        if only in f"growth, {growth.name}":
            yield from _found(_shrunk(growth) if smoke else growth, 1 if smoke else 0)


def _shrunk(growth: Growth) -> Growth:
    fixed = {key: value for key, value in _SMOKE_FIXED.items() if key != growth.along}
    return growth._replace(sizes=_SMOKE[growth.along], **fixed)


def _found(growth: Growth, rounds: int) -> Iterator[dict[str, Any]]:
    plans: dict[int, Plan] = {}
    subjects = {}
    for size in growth.sizes:
        mode = modes.get(growth.mode)(**growth.options)
        plans[size], run = _gradient(mode, growth.activation, growth.outputs, *growth.at(size))
        subjects[str(size)] = Subject(run, threads=1, first=0.0 if growth.slow else None)
    times = alternate(subjects, rounds or (_SLOW_ROUNDS if growth.slow else _ROUNDS))
    by_size = {size: times[str(size)].rounds for size in growth.sizes}
    width, depth, batch = growth.at(0)
    row = {
        "mode": growth.mode,
        "options": dict(growth.options),
        "along": growth.along,
        "width": width,
        "depth": depth,
        "batch": batch,
        "activation": growth.activation,
        "outputs": growth.outputs,
        "sizes": list(growth.sizes),
        "seconds": [spread(by_size[size])._asdict() for size in growth.sizes],
        "multiply_adds": [plans[size].multiply_adds for size in growth.sizes],
    }
    yield row | _exponents(growth.theory, list(growth.sizes), by_size, plans)
    if growth.parameters is not None:
        counts = {size: plans[size].objective.network.size for size in growth.sizes}
        found = _exponents(growth.parameters, [counts[size] for size in growth.sizes], by_size, plans)
        yield row | {"along": "parameters", "sizes": list(counts.values())} | found


def _exponents(
    theory: float, along: Sequence[int], by_size: Mapping[int, list[float]], plans: Mapping[int, Plan]
) -> dict[str, Any]:
    """Return the exponents of theory, of the mode's own prediction, and of each round's times."""
    rounds = zip(*by_size.values(), strict=True)
    measured = [exponent(dict(zip(along, seconds, strict=True))) for seconds in rounds]
    seen = spread([each for each in measured if each is not None])
    counted = [plan.multiply_adds for plan in plans.values()]
    return {
        "theory": theory,
        "predicted": exponent(dict(zip(along, counted, strict=True))),
        "measured": seen._asdict(),
        "ok": abs(seen.median - theory) <= WITHIN,
    }


def _gradient(
    mode: Mode, activation: str | None, outputs: int, width: int, depth: int, batch: int
) -> tuple[Plan, Callable[[], Any]]:
    """Return the plan, and the gradient, of linear layers of one width, float32."""
    chain = []
    for position in range(depth):
        if position and activation:
            chain.append(layers.get(activation)())
        chain.append(layers.get("linear")(units=width))
    if outputs:
        chain.append(layers.get("linear")(units=outputs))
    objective = Objective(Network(chain, (width,)), losses.get("mean_squared_error")())
    parameters, examples, rng = _numbers(objective, batch, np.dtype(np.float32))
    plan = mode.prepare(objective, batch, parameters.dtype)
    return plan, lambda: mode.value_and_gradient(objective, parameters, examples, plan, rng)


def _numbers(
    objective: Objective, batch: int, dtype: np.dtype[Any]
) -> tuple[np.ndarray, Batch, np.random.Generator]:
    rng = np.random.default_rng(0)
    parameters = objective.network.initial_parameters(rng, dtype)
    inputs, outputs = objective.network.input_shape, objective.network.output_shape
    x, targets = (rng.standard_normal((batch, *shape)).astype(dtype) for shape in (inputs, outputs))
    return parameters, Batch(x, targets), rng


_LINEAR, _WIDTH, _EXAMPLES = 8, 32, 128
BOUND = 2**20  # bytes, of forward mode
_DEPTHS = (64, 128, 256, 512)


def memory_along_depth(smoke: bool) -> list[dict[str, Any]]:
    """Return the peaks of reverse mode, and of forward mode under a bound, as tanh layers are added.

    Eight layers are linear at every depth, so that the gradient itself takes the same memory.
    """
    depths = _DEPTHS[:3] if smoke else _DEPTHS
    rows = []
    for label, name, options, theory in (
        ("reverse", "reverse", {}, 1.0),
        ("forward in chunks", "forward", {"memory": BOUND}, 0.0),
    ):
        peaks = [_peak(modes.get(name)(**options), depth) for depth in depths]
        found = exponent(dict(zip(depths, peaks, strict=True)))
        rows.append(
            {
                "mode": label,
                "depths": list(depths),
                "peaks": peaks,
                "theory": theory,
                "measured": found,
                "ok": found is not None and abs(found - theory) <= (FLAT if theory == 0 else WITHIN),
            }
        )
    return rows


def _peak(mode: Mode, depth: int) -> int:
    each = depth // _LINEAR
    chain = [
        layers.get("linear")(units=_WIDTH) if position % each == 0 else layers.get("tanh")()
        for position in range(depth)
    ]
    objective = Objective(Network(chain, (_WIDTH,)), losses.get("mean_squared_error")())
    parameters, batch, rng = _numbers(objective, _EXAMPLES, np.dtype(np.float64))
    plan = mode.prepare(objective, _EXAMPLES, parameters.dtype)
    tracemalloc.start()
    mode.value_and_gradient(objective, parameters, batch, plan, rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak
