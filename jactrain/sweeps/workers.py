"""Who trains the cells: the contract, and processes of this machine; clusters are in `clusters`.

The engines are libraries: loky, joblib's processes; Dask; Ray. `joblib.Parallel` itself ends all calls where
one fails, and all workers where one is killed (decision 13), so that calls are handed over one by one, as
futures.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from abc import ABC, abstractmethod
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from jactrain.sweeps.task import Outcome, Task, ask_to_stop, train_cells

_LAST = 30.0  # seconds that a training has to stop in, when its sweep was killed
_WATCH = 1.0  # seconds between two looks of a process at whether its parent is there
# What a terminal sends to all of its processes, and only the parent is to hear; Windows has no masks.
_PARENTS = (signal.SIGINT, signal.SIGHUP) if hasattr(signal, "pthread_sigmask") else ()


class Workers(ABC):
    """Base of all engines of a sweep; to be entered as a context.

    slots: how many tasks they do at a time. stopping: what becomes of trainings when they are asked to stop.
    """

    slots: int
    stopping = "what is being trained goes on to its end on the cluster"

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the workers go."""
        self.close()

    @abstractmethod
    def submit(self, task: Task) -> Future[list[Outcome]]:
        """Hand over `task`; where its worker is lost, the future raises."""

    def stop(self) -> None:  # noqa: B027 - not all can
        """Ask the trainings to stop at their next step; they go on to their end where that cannot be said."""

    @abstractmethod
    def close(self) -> None:
        """Let the workers go, whatever they do."""


class LocalWorkers(Workers):
    """Processes of this machine, each on its own: one that is killed costs its own task alone."""

    stopping = "what is being trained keeps a checkpoint"

    def __init__(self, jobs: int) -> None:
        self.slots = jobs
        # Threads that are the first to import it, several at a time, find parts of it missing.
        import joblib.externals.loky  # noqa: F401 - imported for its effect

        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="jactrain-sweep")
        self._processes = [_Process() for _ in range(jobs)]
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        for process in self._processes:
            self._idle.put(process)

    def submit(self, task: Task) -> Future[list[Outcome]]:
        """Hand `task` to the process that is free next."""
        return self._threads.submit(self._do, task)

    def _do(self, task: Task) -> list[Outcome]:
        process = self._idle.get()
        try:
            return process.do(task)
        finally:
            self._idle.put(process)

    def stop(self) -> None:
        """Send SIGTERM, upon which a training stops after its step and keeps a checkpoint."""
        for process in self._processes:
            process.stop()

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.end()
        self._threads.shutdown(wait=True, cancel_futures=True)


class _Process:
    """A process that does one task at a time, started with the first, and anew after it was killed."""

    def __init__(self) -> None:
        self._executor: Any = None
        self._lock = threading.Lock()
        self._stopped = False

    def do(self, task: Task) -> list[Outcome]:
        """Return what `train_cells` does there."""
        try:
            future = self._submitted(task)
        except BrokenExecutor:  # it was killed when it had nothing to do
            self._forget()
            future = self._submitted(task)
        try:
            outcomes: list[Outcome] = future.result()
        except BrokenExecutor:
            self._forget()
            raise
        return outcomes

    def _submitted(self, task: Task) -> Any:
        with self._lock:
            if self._stopped:
                raise InterruptedError("the sweep was stopped")
            if self._executor is None:
                self._executor = _started()
            return self._executor.submit(train_cells, task)

    def _forget(self) -> None:
        with self._lock:
            self._executor, executor = None, self._executor
        if executor is not None:
            executor.shutdown(wait=False, kill_workers=True)

    def stop(self) -> None:
        """Begin no other task, and have the training of the one that runs stop."""
        with self._lock:
            self._stopped = True
            # Its number is asked for now: loky replaces a process that takes more and more memory.
            for pid in list(self._executor._processes) if self._executor is not None else ():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)

    def end(self) -> None:
        """Kill the process."""
        self._stopped = True
        self._forget()


def _started() -> Any:
    """Return a pool of one process, which is ready."""
    from joblib.externals.loky import ProcessPoolExecutor

    # A new process has the mask of the thread that starts it: it is to miss signals while it starts, too.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _PARENTS) if _PARENTS else ()
    try:
        executor = ProcessPoolExecutor(1, initializer=_begin, initargs=(os.getpid(),))
        executor.submit(os.getpid).result()
    finally:
        if _PARENTS:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return executor


def _begin(parent: int) -> None:
    """Make a process one of the sweep that `parent` trains.

    Ctrl-C and the end of a terminal, which every process at it gets, are left to the parent. SIGTERM is
    noted, and ends a training at its next step.
    """
    for each in _PARENTS:
        signal.signal(each, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: ask_to_stop())
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """Stop the training of this process, with a checkpoint, and the process, where `parent` was killed."""
    while os.getppid() == parent:
        time.sleep(_WATCH)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_LAST)
    os._exit(1)
