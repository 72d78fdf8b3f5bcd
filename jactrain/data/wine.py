"""Wines."""

from typing import ClassVar

from jactrain.data.base import Classification, Outline, sources
from jactrain.data.scikit_learn import Bundled


@sources.register("wine")
class Wine(Bundled):
    """178 wines, 13 chemical measurements, 3 growers (Aeberhard and Forina 1991)."""

    known: ClassVar[Outline] = Outline(178, (13,), Classification(("class_0", "class_1", "class_2")))
    loader: ClassVar[str] = "load_wine"
