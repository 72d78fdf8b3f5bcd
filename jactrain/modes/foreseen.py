"""Random numbers of a mode that is traced: what it asks for is noted once, and drawn before every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from jactrain.arrays import Array

Request: TypeAlias = Callable[[np.random.Generator], Array]


class Noting:
    """Stands for a generator, and notes what is asked of it: `requests`, in order.

    What it returns is drawn from a generator of its own, and has the right shape and dtype.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._scratch = np.random.default_rng(0)

    def draw(self, request: Request) -> Array:
        """Note a request, and return an array like those it will be answered with."""
        self.requests.append(request)
        return np.asarray(request(self._scratch))

    def __getattr__(self, name: str) -> Callable[..., Array]:
        """Return a generator's method, noted when it is called."""
        _require_drawing(name)
        return lambda *arguments, **options: self.draw(
            lambda generator: getattr(generator, name)(*arguments, **options)
        )


class Playing:
    """Stands for a generator, and answers the same requests with arrays drawn before."""

    def __init__(self, drawn: Sequence[Array]) -> None:
        self._drawn: Iterator[Array] = iter(drawn)

    def draw(self, request: Request) -> Array:
        """Return the next array."""
        return next(self._drawn)

    def __getattr__(self, name: str) -> Callable[..., Array]:
        """Return a method that gives the next array."""
        _require_drawing(name)
        return lambda *arguments, **options: next(self._drawn)


def _require_drawing(name: str) -> None:
    """Raise AttributeError unless a generator's method returns what it draws."""
    if name.startswith("_") or name in ("shuffle", "spawn") or not hasattr(np.random.Generator, name):
        raise AttributeError(f"a generator's {name} is asked for; draw arrays")


# What a mode is given to draw from: a generator, or what stands for one.
Randomness: TypeAlias = Any


def drawn_from(rng: Randomness, request: Request) -> Array:
    """Return what `request` draws from `rng`, a generator or what stands for one."""
    return rng.draw(request) if isinstance(rng, Noting | Playing) else request(rng)
