"""Threads of BLAS and of PyTorch, set for one subject and set back after it.

NumPy's and scipy's OpenBLAS are two pools, and PyTorch has its own; JAX's takes all cores, whatever it is
told.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def limited(count: int | None) -> Iterator[None]:
    """Give every pool `count` threads; None leaves all as they come, which is all cores."""
    if count is None:
        yield
        return
    torch = sys.modules.get("torch")
    before = torch.get_num_threads() if torch else 0
    with threadpool_limits(count, user_api="blas"):
        if torch:
            torch.set_num_threads(count)
        try:
            yield
        finally:
            if torch:
                torch.set_num_threads(before)
