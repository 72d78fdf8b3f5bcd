"""Progression of diabetes."""

from typing import Any, ClassVar

from jactrain.data.base import Outline, Regression, sources
from jactrain.data.scikit_learn import Bundled


@sources.register("diabetes")
class Diabetes(Bundled):
    """442 patients, 10 measurements, progression of diabetes a year on (Efron et al. 2004).

    In the units of the study (age in years, sex 1 or 2, blood pressure in mm Hg, …). scikit-learn's
    default is scaled by the mean and norm over all patients, those kept for validation included.
    """

    known: ClassVar[Outline] = Outline(442, (10,), Regression(("progression",)))
    loader: ClassVar[str] = "load_diabetes"
    loader_options: ClassVar[dict[str, Any]] = {"scaled": False}
