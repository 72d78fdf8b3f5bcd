"""Workers of a cluster: Dask's, or Ray's."""

from __future__ import annotations

import logging
from concurrent.futures import Future
from typing import Any

from jactrain.errors import UnsupportedError, UsageError
from jactrain.sweeps.task import Outcome, Task, train_cells
from jactrain.sweeps.workers import Workers

_TIMEOUT = 10  # seconds to wait for a scheduler


class DaskWorkers(Workers):
    """The workers of a Dask cluster."""

    def __init__(self, address: str) -> None:
        """Connect to the scheduler at `address`; UsageError where none answers."""
        try:
            from distributed import Client
        except ImportError:
            raise UnsupportedError(
                "--backend dask needs Dask, which is not installed: pip install 'jactrain[dask]'"
            ) from None
        if "://" not in address:
            raise UsageError(f"a scheduler's address is like tcp://10.0.0.1:8786, not {address}")
        try:
            self._client = Client(address, timeout=_TIMEOUT, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise UsageError(
                f"no Dask scheduler answers at {address} within {_TIMEOUT} s ({type(error).__name__}); look "
                "at the address that dask scheduler printed, and whether it can be reached from here"
            ) from None
        self.slots = sum(self._client.nthreads().values())
        if not self.slots:
            self._client.close()
            raise UsageError(f"the scheduler at {address} has no workers; start some: dask worker {address}")
        self._executor = self._client.get_executor(pure=False)

    def submit(self, task: Task) -> Future[list[Outcome]]:
        """Hand `task` to the scheduler."""
        future: Future[list[Outcome]] = self._executor.submit(train_cells, task)
        return future

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


class RayWorkers(Workers):
    """The workers of a Ray cluster."""

    def __init__(self, address: str | None) -> None:
        """Connect to the cluster at `address`, or begin one here; UsageError where none answers."""
        try:
            import ray
        except ImportError:
            raise UnsupportedError(
                "--backend ray needs Ray, which is not installed: pip install 'jactrain[ray]'"
            ) from None
        self._ray: Any = ray
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"no Ray cluster answers at {address} ({type(error).__name__}); look at the address that ray "
                "start printed, and whether it can be reached from here"
            ) from None
        self.slots = max(1, int(ray.cluster_resources().get("CPU", 1)))
        # A training that is repeated by Ray would not be known to be.
        self._train = ray.remote(max_retries=0, num_cpus=1)(train_cells)

    def submit(self, task: Task) -> Future[list[Outcome]]:
        """Hand `task` to the cluster."""
        future: Future[list[Outcome]] = self._train.remote(task).future()
        return future

    def close(self) -> None:
        """Leave the cluster."""
        self._ray.shutdown()
