"""Gaussian blobs."""

from typing import Self

from pydantic import Field, model_validator

from jactrain.arrays import Array
from jactrain.data.base import Classification, Outline, sources
from jactrain.data.scikit_learn import Generated, sklearn_datasets


@sources.register("blobs")
class Blobs(Generated):
    """Round Gaussian clouds about random centers in [-10, 10], one class each."""

    centers: int = Field(3, ge=2, le=100_000, description="number of clouds, which are the classes")
    features: int = Field(2, ge=1, le=100_000, description="size I of an input")
    spread: float = Field(1.0, ge=0, description="standard deviation of each cloud")

    @model_validator(mode="after")
    def _every_class_has_an_example(self) -> Self:
        if self.examples < self.centers:
            raise ValueError(
                f"{self.examples} examples cannot cover {self.centers} centers; "
                f"set examples to {self.centers} or more"
            )
        return self

    def outline(self) -> Outline:
        """Return N points, of as many classes as there are centers."""
        return Outline(self.examples, (self.features,), Classification(tuple(map(str, range(self.centers)))))

    def generate(self) -> tuple[Array, Array]:
        """Return scikit-learn's make_blobs."""
        x, y = sklearn_datasets("make_blobs")(
            self.examples,
            n_features=self.features,
            centers=self.centers,
            cluster_std=self.spread,
            random_state=self.seed,
        )
        return x, y
