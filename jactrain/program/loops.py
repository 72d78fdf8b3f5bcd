"""Loops of a program: pieces that do not depend on each other, shared among the processor's cores.

NumPy lets go of the interpreter while it computes, so that threads do the calls of several pieces at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from jactrain.arrays import Array, size_of
from jactrain.program.calls import Call
from jactrain.program.tape import Node, Result

# A matrix product of so many multiply-adds is divided among the cores by BLAS, and not again by us.
_LARGE = 2**20


class _Limits(NamedTuple):
    """How many threads share a loop at most, and how many BLAS divides a product among; None if unknown."""

    workers: int | None = None
    blas: int | None = None


_NO_LIMITS = _Limits()
_limits: ContextVar[_Limits] = ContextVar("limits", default=_NO_LIMITS)


class Body(NamedTuple):
    """The calls of one piece on memory of their own, which read `numbers` and leave the result in `piece`."""

    calls: Sequence[Call]
    numbers: Array
    piece: Array


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_threads() -> int:
    """Return how many threads may be used where nobody said: a core each, or what OMP_NUM_THREADS says."""
    asked = os.environ.get("OMP_NUM_THREADS", "")  # what numerical libraries go by
    return min(cores(), int(asked)) if asked.isdecimal() and int(asked) else cores()


@contextmanager
def at_most(workers: int | None, blas: int | None = None) -> Iterator[None]:
    """Share the loops recorded from here on among so many threads at most; None for one a core.

    blas: how many threads BLAS is limited to, as far as that is known.
    """
    before = _limits.set(_Limits(workers, blas))
    try:
        yield
    finally:
        _limits.reset(before)


def workers_for(nodes: Sequence[Node], body: Sequence[int]) -> int:
    """Return how many threads are to share a loop over the nodes at `body`."""
    limits = _limits.get()
    largest = max((_multiply_adds(nodes, nodes[at]) for at in body), default=0)
    if largest >= _LARGE and limits.blas != 1:
        return 1
    return min(cores(), limits.workers or default_threads())


def run_loop(bodies: Sequence[Body], pieces: int, whole: Array) -> None:
    """Compute all pieces, each body a share of them, into `whole`."""
    bounds = [number * pieces // len(bodies) for number in range(len(bodies) + 1)]
    shares = [range(start, stop) for start, stop in pairwise(bounds)]
    # Threads are to treat overflow as the one that waits for them does.
    others = [
        _pool().submit(copy_context().run, _run, body, share, whole)
        for body, share in zip(bodies[1:], shares[1:], strict=True)
    ]
    try:
        _run(bodies[0], shares[0], whole)
    finally:
        wait(others)  # whatever happens, nobody writes into the bodies' memory afterwards
    for other in others:
        other.result()


def _run(body: Body, share: range, whole: Array) -> None:
    width = len(body.numbers)
    for number in share:
        start = number * width
        body.numbers[:] = np.arange(start, start + width)
        for call in body.calls:
            call()
        whole[start : start + width] = body.piece


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores(), thread_name_prefix="jactrain")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of the threads


def _multiply_adds(nodes: Sequence[Node], node: Node) -> int:
    """Return the multiply-adds of a matrix product; 0 for other calls."""
    if node.function not in (np.dot, np.ndarray.dot, np.matmul):
        return 0
    first = node.arguments[0]
    shape = nodes[first.position].form.shape if isinstance(first, Result) else np.shape(first)
    return size_of(node.form.shape) * shape[-1]
