"""Trainings that go on together: which can, and where one finds the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from jactrain.modes.base import Mode
from jactrain.optimizers.base import Optimizer
from jactrain.training.meeting import Meeting

T = TypeVar("T")


def numbers_of(component: Optimizer | Mode) -> dict[str, float]:
    """Return the options that may differ among trainings that go on together, by name."""
    given = {name: getattr(component, name) for name in sorted(component.numbers)}
    return {name: value for name, value in given.items() if isinstance(value, float)}


def likeness(component: Optimizer | Mode) -> tuple[type, dict[str, Any]]:
    """Return what is the same in trainings that go on together: of their numbers, which are 0.

    Learning rates are data of the steps, whatever their schedule.
    """
    options = {name: getattr(component, name) for name in type(component).model_fields}
    options |= {name: bool(value) for name, value in numbers_of(component).items()}
    options.pop("learning_rate", None)
    return type(component), options


class Group:
    """Trainings in threads of one process, numbered, which an engine may compute together."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._lock = threading.RLock()
        self._common: Any = None
        self._meetings: dict[Any, Meeting[Any, Any]] = {}
        self._left: set[int] = set()
        self._is_over = False

    def common(self, make: Callable[[], T]) -> T:
        """Return what all have in common: made by the first that asks."""
        with self._lock:
            if self._common is None:
                self._common = make()
            common: T = self._common
            return common

    def meeting(self, members: Collection[int], serve: Callable[..., Any]) -> Meeting[Any, Any]:
        """Return the meeting of `members`, of whom some may have left; `serve` as of `Meeting`."""
        key = tuple(members)
        with self._lock:
            if key not in self._meetings:
                self._meetings[key] = Meeting(set(members) - self._left, serve)
                if self._is_over:
                    self._meetings[key].end()
            return self._meetings[key]

    def leave(self, number: int) -> None:
        """Let the others go on without a training."""
        with self._lock:
            self._left.add(number)
            for meeting in self._meetings.values():
                meeting.leave(number)

    def end(self) -> None:
        """Interrupt everyone who waits for others."""
        with self._lock:
            self._is_over = True
            for meeting in self._meetings.values():
                meeting.end()


class Seat:
    """The place of one training in its group: it has begun where it first meets others, if it does."""

    def __init__(self, group: Group, number: int) -> None:
        self.group, self.number = group, number
        self.begun, self.over = threading.Event(), threading.Event()

    def leave(self) -> None:
        """Let the others go on without it."""
        self.group.leave(self.number)
        self.begun.set()


_seat: ContextVar[Seat | None] = ContextVar("seat", default=None)


def own_seat() -> Seat | None:
    """Return the seat of the training in this thread; None if it trains by itself."""
    return _seat.get()


@contextmanager
def seated(seat: Seat) -> Iterator[None]:
    """Train at `seat`, and leave it at the end, however that comes."""
    before = _seat.set(seat)
    try:
        yield
    finally:
        _seat.reset(before)
        seat.leave()
        seat.over.set()
