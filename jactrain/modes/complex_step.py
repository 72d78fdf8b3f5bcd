"""The complex step: derivatives from values of the loss, without cancellation."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from jactrain.arrays import Array, Namespace
from jactrain.errors import UnsupportedError
from jactrain.modes.base import Exactness, modes
from jactrain.modes.perturbation import Perturbation
from jactrain.objective import Objective


@modes.register("complex_step")
class ComplexStep(Perturbation):
    """The imaginary part of the loss at `θ + ih`, over h: exact, from `forward` alone.

    Nothing is subtracted, so h may be so small that the error `O(h²)` vanishes (Squire & Trapp 1998; Martins,
    Sturdza & Alonso 2003). A complex multiply-add counts as one, though it takes three times as long.
    """

    exactness: ClassVar[Exactness] = Exactness.EXACT

    def require_products(self, objective: Objective) -> None:
        """Raise UnsupportedError, too, if a layer or the loss has no analytic extension."""
        super().require_products(objective)
        for link in objective.links:
            if not link.layer.is_analytic():
                raise UnsupportedError(
                    f"mode {self.kind} needs forward of complex numbers, but {link.name} "
                    f"({type(link.layer).__qualname__}) says that it has no analytic extension; write one, "
                    "with branches on the real part, or choose finite_difference"
                )
        if not objective.loss.analytic:
            raise UnsupportedError(
                f"mode {self.kind} needs a loss of complex numbers, but {objective.loss.kind} says that it "
                "has no analytic extension; write one, or choose finite_difference"
            )

    @property
    def offsets(self) -> Array:
        """One imaginary step."""
        return np.array([1j])

    def steps(self, xp: Namespace, parameters: Array) -> Array:
        """Return `h`: its square is nothing beside 1, and it is far above the smallest number."""
        tiny = float(np.finfo(parameters.dtype).tiny)
        return xp.full_like(parameters, tiny**0.125 if parameters.dtype == np.float64 else tiny**0.25)

    def derivatives(self, xp: Namespace, losses: Array, unmoved: Array, steps: Array) -> Array:
        """Return the imaginary parts over the step."""
        return losses[0].imag.sum(-1) / (losses.shape[-1] * steps)
