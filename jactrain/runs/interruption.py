"""Ctrl-C and SIGTERM: the first asks a training to stop between two steps, the second stops it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType
from typing import Any, NoReturn, Self

# What else asks the trainings of a thread to stop, as a signal does those of the main thread.
asked_from_outside: ContextVar[Callable[[], bool]] = ContextVar("asked_from_outside", default=lambda: False)

# Ctrl-C, `kill`, and a terminal that is closed, which Windows does not know.
_SIGNALS = (
    signal.SIGINT,
    signal.SIGTERM,
    *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()),
)


class Interruption:
    """While entered, by the main thread, a first signal is noted, and a second raises KeyboardInterrupt."""

    def __init__(self, tell: Callable[[], None]) -> None:
        """Call `tell` when the first signal comes; it is called between any two instructions."""
        self._tell = tell
        self._asked_from_outside = asked_from_outside.get()
        self._before: dict[signal.Signals, Any] = {}
        self._asked = False

    def __enter__(self) -> Self:
        """Take the signals over, but those that are ignored; other threads get none."""
        if threading.current_thread() is threading.main_thread():
            for each in _SIGNALS:
                if signal.getsignal(each) not in (signal.SIG_IGN, None):  # None: of a library in C
                    self._before[each] = signal.signal(each, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the signals back."""
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def asked(self) -> bool:
        """Return whether the training is to stop."""
        return self._asked or self._asked_from_outside()

    def end(self) -> NoReturn:
        """Raise KeyboardInterrupt, as if the signal had come only now."""
        raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True
        self._tell()
