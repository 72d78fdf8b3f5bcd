"""The two sides of a law, before they are judged."""

from __future__ import annotations

from typing import NamedTuple

from jactrain.arrays import Array


class Sides(NamedTuple):
    """The two sides of one law, for one product: arrays of one shape, and what they may differ by.

    allowed: an L2 norm; apart: entries set apart, since a difference spans a kink there.
    """

    product: str
    law: str
    got: Array
    expected: Array
    allowed: float
    reason: str
    part: str = ""
    apart: Array | None = None
    advice: str = ""
