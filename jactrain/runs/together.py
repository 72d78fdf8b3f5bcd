"""Many small runs as one: cells that are alike are trained together, each in its own folder as ever."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any, TypeAlias

from jactrain.config.models import Config
from jactrain.config.resolved import resolved
from jactrain.errors import DataError
from jactrain.runs.interruption import Interruption, asked_from_outside
from jactrain.runs.session import RunResult
from jactrain.training.engine import Stop, never
from jactrain.training.together import Group, Seat, numbers_of, seated

# Trains a run to its end, or goes on with one: `partial(run, config)`, `partial(resume, folder)`.
Job: TypeAlias = Callable[[], RunResult]
# A job's end: its result, or what it raised.
End: TypeAlias = RunResult | BaseException

# Trainings of one group at most, each a thread; and the bytes of all their examples.
_MOST = 64
_EXAMPLES = 2**30


def groups(configs: Sequence[Config], most: int = _MOST) -> list[list[int]]:
    """Return the numbers of the configurations that can be trained together, each once, in order.

    They differ in name, seed, learning rate or schedule, and in the numeric options of optimizer and mode
    that their class calls `numbers`, as far as these are not 0. Others stay alone. most: how many are one
    group, and no more than so many that their examples take a GiB.
    """
    alike: dict[str, list[int]] = {}
    for number, config in enumerate(configs):
        key = _kind(config) if config.engine.trains_together() else f"alone {number}"
        alike.setdefault(key, []).append(number)
    found = []
    for numbers in alike.values():
        width = min(most, _fitting(configs[numbers[0]])) if len(numbers) > 1 else 1
        found += [numbers[start : start + width] for start in range(0, len(numbers), width)]
    return sorted(found)


def train_together(
    jobs: Sequence[Job], *, stop: Stop = never, tell_stopping: Callable[[], None] = lambda: None
) -> list[End]:
    """Do all jobs, each in a thread of its own; return for each what it returned, or what it raised.

    Where an engine can, the steps of all are computed together; a job that is unlike the first trains by
    itself. One that fails, diverges or is over harms no other. What comes of a job does not depend on the
    others, but it may differ by rounding from the same training outside of a group.

    stop: asked between steps, for all. In the main thread, SIGINT and SIGTERM let every job's step end first,
    and `tell_stopping` hears of it; jobs then end with KeyboardInterrupt, resumable. The second signal does
    not wait for a checkpoint.
    """
    group = Group(len(jobs))
    ends: list[End] = [KeyboardInterrupt() for _ in jobs]
    seats: list[Seat] = []
    from threadpoolctl import threadpool_limits  # looks through the libraries that are loaded

    # Threads of BLAS would be in the way of the trainings' own.
    with Interruption(tell_stopping) as interruption, threadpool_limits(1, user_api="blas"):

        def asked() -> bool:
            return stop() or interruption.asked()

        def do(number: int, seat: Seat) -> None:
            asked_from_outside.set(asked)
            with seated(seat):
                try:
                    ends[number] = jobs[number]()
                except BaseException as error:  # of this job alone
                    ends[number] = error

        def wait() -> None:
            # Not by `join`, which an interruption leaves with a thread that it takes to be over.
            for seat in seats:
                seat.over.wait()

        try:
            for number in range(len(jobs)):
                if asked():
                    group.leave(number)
                    continue
                seat = Seat(group, number)
                target = partial(copy_context().run, do, number, seat)
                try:
                    threading.Thread(target=target, name=f"training {number}").start()
                except RuntimeError as error:  # there are as many threads as there may be
                    ends[number] = error
                    group.leave(number)
                    continue
                seats.append(seat)
                # One is built after the other: the interpreter would do no more at once.
                seat.begun.wait()
            wait()
        except KeyboardInterrupt:  # the second signal
            group.end()
            wait()
    return ends


def _kind(config: Config) -> str:
    """Return what is the same in configurations that can be trained together, as text."""
    plain = resolved(config)
    del plain["name"], plain["seed"]
    for key, component in (("optimizer", config.optimizer), ("mode", config.mode)):
        options: dict[str, Any] = component.model_dump(mode="json")
        options |= {name: bool(value) for name, value in numbers_of(component).items()}
        options.pop("learning_rate", None)
        plain[key] = [component.kind, options]
    return json.dumps(plain, sort_keys=True)


def _fitting(config: Config) -> int:
    """Return how many trainings' examples take no more than is kept for a group, at least one."""
    try:
        outline = config.data.outline()
    except DataError:  # told by each when it is built
        return 1
    entries = outline.examples
    for length in outline.input_shape:
        entries *= length
    return max(1, _EXAMPLES // (8 * max(1, entries)))
