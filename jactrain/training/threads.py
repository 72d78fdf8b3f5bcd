"""How many threads NumPy's matrix products are given on batches of a network."""

from __future__ import annotations

from contextlib import AbstractContextManager

from jactrain.network import Network
from jactrain.program.loops import default_threads

# A thread is worth waking for so many multiply-adds of one matrix product: some 10 microseconds.
_SHARE = 2**20


def worthwhile_threads(network: Network, examples: int) -> int:
    """Return how many threads the largest product with a batch is worth, at most `default_threads`."""
    largest = max(link.cost.forward for link in network.links) * examples
    return max(1, min(default_threads(), largest // _SHARE))


def blas_limited(threads: int) -> AbstractContextManager[object]:
    """Limit the threads of NumPy's matrix products, of this process, while the context lasts."""
    from threadpoolctl import threadpool_limits  # looks through the libraries that are loaded

    limits: AbstractContextManager[object] = threadpool_limits(threads, user_api="blas")
    return limits
