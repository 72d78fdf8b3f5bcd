"""Layers and losses with a wrong rule planted in them, to find out what a check would catch."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from jactrain.arrays import map_tree
from jactrain.layers.forms import Moved, SingleEntry
from jactrain.registry import Component

C = TypeVar("C", bound=Component)


def planted(component: C, rule: str, spoil: Callable[[Any], Any]) -> C:
    """Return a layer or loss like `component`, whose `rule` gives `spoil` of what it should give."""
    copy = component.model_copy()
    # The class alone differs: options, and what is computed from them, are the component's own.
    copy.__class__ = kind = _kind_with_wrong(rule, type(component))
    copy.__dict__[_key(kind)] = spoil
    return copy


@lru_cache(maxsize=256)
def _kind_with_wrong(rule: str, kind: type[Component]) -> Any:
    """Return a class like `kind`: one for each rule, since it takes a millisecond to make."""
    right = getattr(kind, rule)

    def wrong(self: Any, *arguments: Any, **options: Any) -> Any:
        return self.__dict__[key](right(self, *arguments, **options))

    # What spoils it is no option: without this all that are planted in one rule would be equal.
    apart = {"__eq__": object.__eq__, "__hash__": object.__hash__}
    made = type(kind.__name__, (kind,), {"__doc__": kind.__doc__, rule: wrong, **apart})
    key = _key(made)
    return made


def _key(kind: type[Component]) -> str:
    """Return where a component keeps what spoils its rule: another place if it was planted one before."""
    return f"_spoil_{len(kind.__mro__)}"


def scaled(by: float) -> Callable[[Any], Any]:
    """Return what multiplies every array of a product by `1 + by`."""

    def spoil(result: Any) -> Any:
        if isinstance(result, SingleEntry | Moved):
            return result._replace(values=result.values * (1 + by))
        if isinstance(result, tuple):  # factors, of which one is scaled
            return (*result[:-1], result[-1] * (1 + by))
        return map_tree(lambda array: array * (1 + by), result)

    return spoil
