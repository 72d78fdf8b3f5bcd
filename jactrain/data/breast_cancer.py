"""Tumours."""

from typing import ClassVar

from jactrain.data.base import Classification, Outline, sources
from jactrain.data.scikit_learn import Bundled


@sources.register("breast_cancer")
class BreastCancer(Bundled):
    """569 tumours, 30 measurements of cell nuclei, malignant or benign (Street et al. 1993)."""

    known: ClassVar[Outline] = Outline(569, (30,), Classification(("malignant", "benign")))
    loader: ClassVar[str] = "load_breast_cancer"
