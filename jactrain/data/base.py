"""What a dataset is, what is known of it before it is loaded, and the contract of a source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from jactrain.arrays import Array, Shape
from jactrain.errors import DataError
from jactrain.registry import Component, Registry


@dataclass(frozen=True)
class Classification:
    """The target is one of `classes`; a target is stored as an index into them."""

    classes: tuple[str, ...]


@dataclass(frozen=True)
class Regression:
    """The target is a vector of real numbers, one per name in `targets`."""

    targets: tuple[str, ...]


Task = Classification | Regression


def _entries(input_shape: Shape) -> tuple[str, ...]:
    """Return a name for every entry of an input, as a target: `input_0`, or `input_0_3` with two axes."""
    return tuple("_".join(["input", *map(str, index)]) for index in np.ndindex(*input_shape))


@dataclass(frozen=True)
class Outline:
    """What is known of a dataset without loading it: `N`, the shape of one input, and the task."""

    examples: int
    input_shape: Shape
    task: Task

    def autoencoded(self) -> Outline:
        """Return the same with the inputs as targets."""
        return Outline(self.examples, self.input_shape, Regression(_entries(self.input_shape)))


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class Dataset:
    """Examples in memory, read-only.

    x: (N, *input) float64
    y: (N,) int64, indices into the classes, for Classification; (N, m) float64 for Regression
    features: a name for each entry of an input with one axis, else `()`

    Raises DataError where these do not fit together.
    """

    x: Array
    y: Array
    task: Task
    features: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problem = _misfit(self)
        if problem:
            raise DataError(f"this is no dataset: {problem}")
        for name in ("x", "y"):
            view = getattr(self, name).view()  # the caller's own array stays writable
            view.setflags(write=False)
            object.__setattr__(self, name, view)

    @property
    def outline(self) -> Outline:
        """Return what `Source.outline` promises of this dataset."""
        return Outline(len(self.x), self.x.shape[1:], self.task)

    def autoencoded(self) -> Dataset:
        """Return the same with the inputs, flattened, as targets."""
        task = self.outline.autoencoded().task
        return Dataset(self.x, self.x.reshape(len(self.x), -1), task, self.features)

    def take(self, indices: Array) -> Dataset:
        """Return the examples at `indices`, (M,) integers, in that order."""
        return Dataset(self.x[indices], self.y[indices], self.task, self.features)


class Source(Component, ABC):
    """Where examples come from.

    A law: `source.outline() == source.load().outline`. Where the outline can be known without reading
    or computing anything, it is, so that a configuration is validated at once.

    outline_loads: whether `outline` has to load all examples, so that `load` costs nothing after it.
    """

    outline_loads: ClassVar[bool] = False

    @abstractmethod
    def outline(self) -> Outline:
        """Return the sizes and the task; DataError if a file cannot be used."""

    @abstractmethod
    def load(self) -> Dataset:
        """Return all examples, in the source's own order; DataError if a file cannot be used."""


sources: Registry[Source] = Registry("data source", "sources")


def _misfit(dataset: Dataset) -> str:
    """Return what is wrong with the shapes and dtypes of `dataset`, or an empty text."""
    x, y, task, features = dataset.x, dataset.y, dataset.task, dataset.features
    if x.dtype != np.float64 or x.ndim < 2:
        return f"x is (N, *input) float64, not {x.shape} {x.dtype}"
    if len(y) != len(x):
        return f"x holds {len(x)} examples and y {len(y)}"
    if features and x.shape[1:] != (len(features),):
        return f"there are {len(features)} feature names for inputs of shape {x.shape[1:]}"
    if isinstance(task, Regression):
        expected = (len(x), len(task.targets))
        if y.dtype != np.float64 or y.shape != expected:
            return f"regression targets are {expected} float64, not {y.shape} {y.dtype}"
        return ""
    if y.dtype != np.int64 or y.ndim != 1:
        return f"class indices are (N,) int64, not {y.shape} {y.dtype}"
    if y.size and not (y.min() >= 0 and y.max() < len(task.classes)):
        return f"class indices are 0 to {len(task.classes) - 1}, not {y.min()} to {y.max()}"
    return ""
