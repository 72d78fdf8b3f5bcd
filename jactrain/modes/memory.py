"""Memory: bounds as a configuration writes them, `64MiB`, and the widths of stacks that keep them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

from jactrain.errors import MemoryBoundError
from jactrain.network import Link
from jactrain.objective import Objective

# A stack with its successor and a temporary in this size fits the second-level cache of current processors.
_CACHE = 3 * 2**19
_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_ADDRESSED = 2**63  # bytes
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB)\Z")


def bytes_of(size: Any) -> Any:
    """Return the bytes of `size`, such as "64MiB", "1.5 GiB" or a number of bytes.

    Raises ValueError for a text of another form and for more bytes than can be addressed; other types are
    returned for the validator to refuse.
    """
    if isinstance(size, str):
        match = _SIZE.match(size)
        if match is None:
            raise ValueError("a size in memory is a number and B, KiB, MiB or GiB, such as 64MiB")
        number = float(match[1]) * _UNITS[match[2]]  # inf for hundreds of digits
        size = int(number) if number < _ADDRESSED else _ADDRESSED
    if isinstance(size, int) and size >= _ADDRESSED:
        raise ValueError("a size in memory is at most 8589934591GiB; null is no bound")
    return size


def text_of(size: int) -> str:
    """Return `size` bytes in the largest unit that holds it exactly."""
    unit = next(name for name in reversed(_UNITS) if size % _UNITS[name] == 0)
    return f"{size // _UNITS[unit]}{unit}"


def rounded(size: int) -> str:
    """Return `size` bytes to three digits, for people: `1.25 MiB`."""
    # From 1000 on the next unit is shorter: 0.98 MiB rather than 1e+03 KiB.
    unit = next((name for name in reversed(_UNITS) if size >= 1000 / 1024 * _UNITS[name]), "B")
    return f"{size / _UNITS[unit]:.3g} {unit}"


MemorySize = Annotated[
    int,
    BeforeValidator(bytes_of),
    PlainSerializer(text_of),
    Field(ge=1),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["64MiB"]}),
]


def memory_bound() -> Any:
    """Return the field of a mode's option `memory`."""
    return Field(
        None,
        description="Bound on the memory of one gradient, such as 64MiB; null for no bound.",
    )


def stack_width(memory: int | None, fixed: int, each: int, advice: str) -> int:
    """Return how many vectors a stack takes that need `each` bytes while it is worked on, besides `fixed`.

    As many as the cache holds, fewer to keep the bound `memory`, at least one. Raises MemoryBoundError, with
    `advice`, if not even one is possible.
    """
    width = max(1, _CACHE // each)
    if memory is None:
        return width
    require_within(memory, fixed + each, advice)
    return min(width, (memory - fixed) // each)


def require_within(memory: int | None, needed: int, advice: str) -> None:
    """Raise MemoryBoundError, with `advice`, if `needed` bytes are more than `memory`."""
    if memory is not None and needed > memory:
        raise MemoryBoundError(
            f"one gradient takes {rounded(needed)} at least, but the bound is {rounded(memory)}; {advice}",
            needed,
        )


def crossed_entries(links: Sequence[Link]) -> int:
    """Return the entries per example alive while `links` are evaluated one after another, 0 for none."""
    # A linear layer has its input, the product, and the sum with the bias; so have those within a layer.
    return max((link.input_size + 2 * link.output_size + link.interior for link in links), default=0)


def evaluated_entries(objective: Objective, position: int = 0) -> int:
    """Return the entries per example alive while links from `position` on, and the loss, are evaluated."""
    loss = objective.loss.working_arrays * objective.network.output_shape[0]
    return max(loss, crossed_entries(objective.links[position:]))


def pulled_entries(links: Sequence[Link]) -> int:
    """Return the entries per example alive while one cotangent is pulled through `links`, residuals apart."""
    # Both ends, and the slope of an elementwise layer.
    return max(
        link.input_size + link.output_size + min(link.input_size, link.output_size) + link.interior
        for link in links
    )


def pushed_entries(objective: Objective, position: int, single: bool = False) -> int:
    """Return the entries per example alive while one tangent is pushed from behind link `position` on.

    single: it starts as a single entry, and is one until a layer mixes it.
    """
    most = 0 if single else 2 * objective.links[position].output_size
    for link in objective.links[position + 1 :]:
        each, moved = link.single_jvp_cost
        composed = not moved and each == link.cost.jvp  # of several array operations, with what is in between
        between = 2 * link.interior + (min(link.input_size, link.output_size) if composed else 0)
        if single and not composed:
            most = max(most, 0 if moved else 2 * link.output_size)
        else:
            most = max(most, link.input_size + link.output_size + between)
        single = single and moved
    return max(most, 2 * objective.network.output_shape[0])


@cache
def reuse_freed_memory() -> None:
    """Let freed arrays of up to 31 MiB be used again, instead of given back to the system.

    glibc gives blocks above a threshold back at once, and the next array then pays a page fault for
    every 4 KiB: half of the time of forward mode. The threshold follows the largest such block freed,
    up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD): hence one is taken, untouched, and freed. Other
    allocators do not mind.
    """
    np.empty(31 * 2**20, np.uint8)  # once a process
