"""Handwritten digits."""

from typing import ClassVar

from jactrain.data.base import Classification, Outline, sources
from jactrain.data.scikit_learn import Bundled


@sources.register("digits")
class Digits(Bundled):
    """1797 handwritten digits, 8 x 8 pixels of 0 to 16 in one row, 10 classes (Alpaydin 1998)."""

    known: ClassVar[Outline] = Outline(1797, (64,), Classification(tuple("0123456789")))
    loader: ClassVar[str] = "load_digits"
