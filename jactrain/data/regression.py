"""A random linear regression problem."""

from typing import Self

from pydantic import Field, model_validator

from jactrain.arrays import Array
from jactrain.data.base import Outline, Regression, sources
from jactrain.data.names import numbered
from jactrain.data.scikit_learn import Generated, sklearn_datasets


@sources.register("regression")
class RandomRegression(Generated):
    """Targets that are a random linear function of Gaussian inputs, with noise."""

    features: int = Field(10, ge=1, le=100_000, description="size I of an input")
    informative: int = Field(5, ge=1, le=100_000, description="number of features the targets depend on")
    targets: int = Field(1, ge=1, le=100_000, description="number m of targets")
    noise: float = Field(0.0, ge=0, description="standard deviation of Gaussian noise on the targets")

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.informative > self.features:
            raise ValueError(
                f"{self.informative} of {self.features} features cannot be informative; "
                f"set informative to {self.features} or less, or features to {self.informative} or more"
            )
        return self

    def outline(self) -> Outline:
        """Return N points, with m targets each."""
        return Outline(self.examples, (self.features,), Regression(numbered("y", self.targets)))

    def generate(self) -> tuple[Array, Array]:
        """Return scikit-learn's make_regression."""
        x, y = sklearn_datasets("make_regression")(
            self.examples,
            n_features=self.features,
            n_informative=self.informative,
            n_targets=self.targets,
            noise=self.noise,
            random_state=self.seed,
        )
        return x, y
