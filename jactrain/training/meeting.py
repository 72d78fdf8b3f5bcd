"""A meeting of threads: what all of them ask for is computed at once, and each takes its part."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

Asked = TypeVar("Asked")
Given = TypeVar("Given")


class Meeting(Generic[Asked, Given]):
    """Serves its members together, as soon as each of them waits or has left.

    Members ask under a key; those with the largest key are served, the others wait on. So who is behind can
    be let go first, and what is served together does not depend on which thread is quicker.
    """

    def __init__(
        self, members: Iterable[int], serve: Callable[[Mapping[int, Asked]], Mapping[int, Given]]
    ) -> None:
        """Expect `members`; `serve` computes what some of them asked for, in one of their threads."""
        self._members = set(members)
        self._serve = serve
        self._changed = threading.Condition()
        self._waiting: dict[int, tuple[Any, Asked]] = {}
        self._served: dict[int, Given | Exception] = {}
        self._is_serving = self._is_over = False

    def ask(self, member: int, key: Any, asked: Asked) -> Given:
        """Return what is computed for `asked`; keys are compared with each other.

        Raises what `serve` raised, for everyone who was to be served, and KeyboardInterrupt after `end`.
        """
        with self._changed:
            self._waiting[member] = key, asked
            while member not in self._served:
                if self._is_over:
                    raise KeyboardInterrupt
                if self._is_serving or not self._members <= self._waiting.keys():
                    self._changed.wait()
                else:
                    self._serve_first()
            given = self._served.pop(member)
        if isinstance(given, Exception):
            raise given
        return given

    def leave(self, member: int) -> None:
        """Expect `member` no more."""
        with self._changed:
            self._members.discard(member)
            self._changed.notify_all()

    def end(self) -> None:
        """Send everyone away who asks, or waits already."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _serve_first(self) -> None:
        """Serve those with the largest key; others may leave meanwhile."""
        first = max(key for key, _ in self._waiting.values())
        chosen = {member: asked for member, (key, asked) in sorted(self._waiting.items()) if key == first}
        self._is_serving = True
        self._changed.release()
        served: Mapping[int, Given | Exception]
        try:
            served = self._serve(chosen)
        except Exception as error:  # whatever it is, nobody is to wait for ever
            served = dict.fromkeys(chosen, error)
        finally:
            self._changed.acquire()
            self._is_serving = False
        for member in chosen:
            del self._waiting[member]
        self._served.update(served)
        self._changed.notify_all()
