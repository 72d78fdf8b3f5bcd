"""Random numbers of a mode that is traced: what it asks for is noted once, and drawn before every step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from jactrain.arrays import Array, Shape, size_of
from jactrain.errors import UnsupportedError

_MOST = 2**27  # numbers that are drawn for one gradient: 1 GiB


class Request(NamedTuple):
    """What a mode asks of a generator, and what it gets."""

    call: Callable[[np.random.Generator], Array]
    shape: Shape
    dtype: np.dtype[Any]


class Noting:
    """Stands for a generator, and notes what is asked of it: `requests`, in order.

    zeros: makes what it returns, of a shape and a dtype; nothing is drawn. Raises UnsupportedError for more
    numbers than can be drawn before a step.
    """

    def __init__(self, zeros: Callable[[Shape, np.dtype[Any]], Array]) -> None:
        self.requests: list[Request] = []
        self._zeros = zeros
        self._scratch = np.random.default_rng(0)

    def draw(self, request: Request) -> Array:
        """Note a request, and return an array like those it will be answered with."""
        count = sum(size_of(each.shape) for each in (*self.requests, request))
        if count > _MOST:
            raise UnsupportedError(
                f"engine jax draws the random numbers of a gradient before it, at most {_MOST:,}, and "
                f"{count:,} are asked for; lower directions, or choose engine: numpy"
            )
        self.requests.append(request)
        return self._zeros(request.shape, request.dtype)

    def __getattr__(self, name: str) -> Callable[..., Array]:
        """Return a generator's method, noted when it is called."""
        _require_drawing(name)

        def noted(*arguments: Any, **options: Any) -> Array:
            like = np.asarray(getattr(self._scratch, name)(*arguments, **options))
            return self.draw(
                Request(
                    lambda generator: getattr(generator, name)(*arguments, **options), like.shape, like.dtype
                )
            )

        return noted


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
    return rng.draw(request) if isinstance(rng, Noting | Playing) else request.call(rng)
