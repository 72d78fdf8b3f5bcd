"""Two moons."""

from pydantic import Field

from jactrain.arrays import Array
from jactrain.data.base import Classification, Outline, sources
from jactrain.data.scikit_learn import Generated, sklearn_datasets


@sources.register("moons")
class Moons(Generated):
    """Two interleaving half circles in the plane, upper and lower."""

    noise: float = Field(0.1, ge=0, description="standard deviation of Gaussian noise on both coordinates")

    def outline(self) -> Outline:
        """Return N points in the plane, of two classes."""
        return Outline(self.examples, (2,), Classification(("upper", "lower")))

    def generate(self) -> tuple[Array, Array]:
        """Return scikit-learn's make_moons."""
        make = sklearn_datasets("make_moons")
        x, y = make(self.examples, noise=self.noise, random_state=self.seed)
        return x, y
