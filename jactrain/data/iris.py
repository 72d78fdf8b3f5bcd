"""Irises."""

from typing import ClassVar

from jactrain.data.base import Classification, Outline, sources
from jactrain.data.scikit_learn import Bundled


@sources.register("iris")
class Iris(Bundled):
    """150 irises, 4 lengths in cm, 3 species (Fisher 1936)."""

    known: ClassVar[Outline] = Outline(150, (4,), Classification(("setosa", "versicolor", "virginica")))
    loader: ClassVar[str] = "load_iris"
