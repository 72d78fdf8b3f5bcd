"""The three regression problems of Friedman (1991, Multivariate adaptive regression splines)."""

from typing import ClassVar

from pydantic import Field

from jactrain.arrays import Array
from jactrain.data.base import Outline, Regression, sources
from jactrain.data.scikit_learn import Generated, sklearn_datasets

_TASK = Regression(("y",))


class _Friedman(Generated):
    """Inputs x, (N, I), of one function of `sklearn.datasets`, and one target."""

    maker: ClassVar[str]

    noise: float = Field(0.0, ge=0, description="standard deviation of Gaussian noise on the target")

    def outline(self) -> Outline:
        """Return N points of 4 features, with one target."""
        return Outline(self.examples, (4,), _TASK)

    def generate(self) -> tuple[Array, Array]:
        """Return what scikit-learn's function draws."""
        x, y = sklearn_datasets(self.maker)(self.examples, noise=self.noise, random_state=self.seed)
        return x, y


@sources.register("friedman1")
class Friedman1(_Friedman):
    """y = 10 sin(π x1 x2) + 20 (x3 - 1/2)² + 10 x4 + 5 x5 in the unit cube; further features are idle."""

    maker: ClassVar[str] = "make_friedman1"

    features: int = Field(10, ge=5, le=100_000, description="size I of an input; five features matter")

    def outline(self) -> Outline:
        """Return N points of `features` features, with one target."""
        return Outline(self.examples, (self.features,), _TASK)

    def generate(self) -> tuple[Array, Array]:
        """Return scikit-learn's make_friedman1."""
        make = sklearn_datasets(self.maker)
        x, y = make(self.examples, self.features, noise=self.noise, random_state=self.seed)
        return x, y


@sources.register("friedman2")
class Friedman2(_Friedman):
    """y = (x1² + (x2 x3 - 1 / (x2 x4))²)^½, the impedance of a circuit; inputs of very unlike sizes."""

    maker: ClassVar[str] = "make_friedman2"


@sources.register("friedman3")
class Friedman3(_Friedman):
    """y = arctan((x2 x3 - 1 / (x2 x4)) / x1), the phase in a circuit; inputs of very unlike sizes."""

    maker: ClassVar[str] = "make_friedman3"
