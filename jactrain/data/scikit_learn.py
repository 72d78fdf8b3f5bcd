"""What the sources that come from scikit-learn share: a known outline, the cache, and the late import."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from jactrain.arrays import Array
from jactrain.data.base import Classification, Dataset, Outline, Source
from jactrain.data.cache import cached
from jactrain.data.names import numbered


class ScikitLearnSource(Source):
    """A source whose outline follows from its options; `sklearn.datasets` is asked once, then the cache."""

    @abstractmethod
    def compute(self) -> Dataset:
        """Return the dataset from scikit-learn itself."""

    def load(self) -> Dataset:
        """Return the dataset; imports scikit-learn only if it is not in the cache."""
        return cached(self.kind, self.model_dump(mode="json"), self.outline(), self.compute)

    def dataset(self, x: Array, y: Array, features: tuple[str, ...]) -> Dataset:
        """Return x, (N, I), and y, (N,) or (N, m), of any number type, as a dataset of this outline."""
        outline = self.outline()
        if isinstance(outline.task, Classification):
            return Dataset(x.astype(np.float64), y.astype(np.int64), outline.task, features)
        targets = y.astype(np.float64).reshape(len(x), len(outline.task.targets))
        return Dataset(x.astype(np.float64), targets, outline.task, features)


class Bundled(ScikitLearnSource):
    """A dataset that is part of scikit-learn: a function without a seed, and an outline in one line."""

    known: ClassVar[Outline]
    loader: ClassVar[str]
    loader_options: ClassVar[dict[str, Any]] = {}

    def outline(self) -> Outline:
        """Return the outline that stands in the class."""
        return self.known

    def compute(self) -> Dataset:
        """Return the dataset that scikit-learn brings along; nothing is downloaded."""
        bunch = sklearn_datasets(self.loader)(**self.loader_options)
        return self.dataset(bunch.data, bunch.target, tuple(map(str, bunch.feature_names)))


class Generated(ScikitLearnSource):
    """A dataset drawn by scikit-learn; its features are named x1, x2 and so on."""

    examples: int = Field(500, ge=2, le=10_000_000, description="number of examples N")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the drawing, scikit-learn's random_state")

    @abstractmethod
    def generate(self) -> tuple[Array, Array]:
        """Return x, (N, I), and y, (N,) or (N, m), from scikit-learn."""

    def compute(self) -> Dataset:
        """Return the dataset, drawn anew from `seed`."""
        x, y = self.generate()
        return self.dataset(x, y, numbered("x", x.shape[1]))


def sklearn_datasets(name: str) -> Any:
    """Return the function `name` of `sklearn.datasets`; heavy, so never called to validate."""
    import sklearn.datasets  # heavy: 0.9 s

    return getattr(sklearn.datasets, name)
