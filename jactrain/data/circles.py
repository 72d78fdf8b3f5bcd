"""Two circles."""

from pydantic import Field

from jactrain.arrays import Array
from jactrain.data.base import Classification, Outline, sources
from jactrain.data.scikit_learn import Generated, sklearn_datasets


@sources.register("circles")
class Circles(Generated):
    """Two circles in the plane, outer (of radius 1) and inner."""

    noise: float = Field(0.05, ge=0, description="standard deviation of Gaussian noise on both coordinates")
    factor: float = Field(0.5, ge=0, lt=1, description="radius of the inner circle")

    def outline(self) -> Outline:
        """Return N points in the plane, of two classes."""
        return Outline(self.examples, (2,), Classification(("outer", "inner")))

    def generate(self) -> tuple[Array, Array]:
        """Return scikit-learn's make_circles."""
        make = sklearn_datasets("make_circles")
        x, y = make(self.examples, noise=self.noise, factor=self.factor, random_state=self.seed)
        return x, y
