"""A random classification problem."""

from typing import Self

from pydantic import Field, model_validator

from jactrain.arrays import Array
from jactrain.data.base import Classification, Outline, sources
from jactrain.data.scikit_learn import Generated, sklearn_datasets


@sources.register("classification")
class RandomClassification(Generated):
    """Gaussian clusters on the corners of a cube, one per class, among features of pure noise (Guyon 2003).

    No label is flipped, so that every class has examples.
    """

    features: int = Field(10, ge=1, le=100_000, description="size I of an input")
    informative: int = Field(
        5, ge=1, le=100_000, description="number of features that tell the classes apart"
    )
    classes: int = Field(2, ge=2, le=100_000, description="number of classes")

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        if self.informative > self.features:
            raise ValueError(
                f"{self.informative} of {self.features} features cannot be informative; "
                f"set informative to {self.features} or less, or features to {self.informative} or more"
            )
        if self.classes > 2**self.informative:
            raise ValueError(
                f"{self.informative} informative features make a cube of {2**self.informative} corners, "
                f"too few for {self.classes} classes; "
                f"set informative to {(self.classes - 1).bit_length()} or more"
            )
        if self.examples < self.classes:
            raise ValueError(
                f"{self.examples} examples cannot cover {self.classes} classes; "
                f"set examples to {self.classes} or more"
            )
        return self

    def outline(self) -> Outline:
        """Return N points, of `classes` classes."""
        return Outline(self.examples, (self.features,), Classification(tuple(map(str, range(self.classes)))))

    def generate(self) -> tuple[Array, Array]:
        """Return scikit-learn's make_classification."""
        x, y = sklearn_datasets("make_classification")(
            self.examples,
            n_features=self.features,
            n_informative=self.informative,
            n_redundant=0,
            n_classes=self.classes,
            n_clusters_per_class=1,
            flip_y=0.0,
            random_state=self.seed,
        )
        return x, y
