"""What an experiment's file says, as validated models."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, Self

from pydantic import Field, FiniteFloat, PositiveInt, model_validator

from jactrain.config.wording import dotted
from jactrain.errors import KeyPath
from jactrain.registry import Options, PlacedValueError

_LARGEST = 2**53  # integers up to here are exact whatever they are kept as


class Range(Options):
    """Values that one setting is drawn from; exactly one of the keys is given."""

    uniform: tuple[FiniteFloat, FiniteFloat] | None = Field(
        None, description="Numbers from the first to the second."
    )
    log_uniform: tuple[FiniteFloat, FiniteFloat] | None = Field(
        None, description="Numbers whose logarithms are uniform; both ends are greater than 0."
    )
    integers: tuple[int, int] | None = Field(None, description="Integers from the first to the second.")
    choice: list[Any] | None = Field(None, min_length=1, description="One of these.")

    @model_validator(mode="before")
    @classmethod
    def _pairs_from_lists(cls, value: Any) -> Any:
        """Take lists as YAML has them; strict validation knows tuples only."""
        if not isinstance(value, dict):
            return value
        return {
            key: tuple(item) if isinstance(item, list) and key != "choice" else item
            for key, item in value.items()
        }

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        given = self.model_fields_set
        if len(given) != 1 or getattr(self, next(iter(given))) is None:
            raise ValueError("give one of uniform, log_uniform, integers, choice: {log_uniform: [1e-4, 1]}")
        ends = self.uniform or self.log_uniform or self.integers
        if ends is not None and not ends[0] < ends[1]:
            raise ValueError(f"the first end, {ends[0]}, must be less than the second, {ends[1]}")
        if self.log_uniform is not None and self.log_uniform[0] <= 0:
            raise ValueError("both ends of log_uniform must be greater than 0")
        if self.uniform is not None and math.isinf(self.uniform[1] - self.uniform[0]):
            raise ValueError("the ends of uniform are too far apart; take log_uniform")
        if self.integers is not None and max(map(abs, self.integers)) > _LARGEST:
            raise ValueError(f"integers are drawn up to {_LARGEST:,}")
        return self

    def ends(self) -> list[Any]:
        """Return the values at the ends of the range; all of them, if they are listed."""
        return list(self.uniform or self.log_uniform or self.integers or self.choice or ())


class Random(Options):
    """Settings that are drawn."""

    over: dict[str, Range] = Field(
        min_length=1, description="Ranges by dotted key, such as optimizer.sgd.learning_rate."
    )
    count: PositiveInt | None = Field(
        None, description="How many are drawn; left out where a search draws them."
    )
    seed: int = Field(0, ge=0, description="Where these draws come from.")


class Optuna(Options):
    """A search by Optuna, which asks for the next trial and is told what came of it."""

    trials: PositiveInt = Field(description="How many trainings there are in all.")
    metric: str = Field(
        "validation_loss", description="What is to be best: the metric of the weights that a run keeps."
    )
    direction: Literal["minimize", "maximize"] | None = Field(
        None, description="What is best; left out, losses and errors are minimized, scores maximized."
    )
    pruning: bool = Field(
        True, description="End trials early that at an epoch's end are worse than the median of the others."
    )
    pruning_after: int = Field(
        5, ge=0, description="Epochs that every trial is trained for, whatever the others came to."
    )
    seed: int = Field(0, ge=0, description="Where the sampler's draws come from.")

    @property
    def maximizes(self) -> bool:
        """Whether more is better."""
        if self.direction is not None:
            return self.direction == "maximize"
        return self.metric.endswith(("accuracy", "r2"))


class Search(Options):
    """Who chooses the settings of the next training."""

    optuna: Optuna


class Experiment(Options):
    """A base configuration, and what is varied in it.

    The cells are the product of `grid`, `zip`, `random` and `seeds`; keys are dotted, as for `--set`, and
    values may be whole components.
    """

    base: str | dict[str, Any] = Field(
        description="The configuration that is varied: a path, relative to this file, or the thing itself."
    )
    set: dict[str, Any] = Field(
        default_factory=dict, description="Values by dotted key that the base has otherwise, in all cells."
    )
    grid: dict[str, list[Any]] = Field(
        default_factory=dict, description="Lists of values by key; every combination is trained."
    )
    zip: dict[str, list[Any]] = Field(
        default_factory=dict, description="Lists of values by key, of one length, that change together."
    )
    random: Random | None = Field(None, description="Values drawn from ranges.")
    search: Search | None = Field(
        None, description="Have the values of random.over chosen by a search, from what came of earlier ones."
    )
    seeds: PositiveInt | list[int] = Field(
        1, description="So many repeats of every setting, with seeds from the base's on; or a list."
    )
    name: str | None = Field(
        None,
        description="Pattern of the cells' names, such as {mode}-{optimizer.sgd.learning_rate}-{seed}; "
        "{hash} stands for a hash of the settings.",
    )
    together: Literal["auto", "off"] = Field(
        "auto",
        description="With engine jax, train cells that differ only in seeds and numbers as one program.",
    )

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        for part, lists in (("grid", self.grid), ("zip", self.zip)):
            for key, values in lists.items():
                if not values:
                    raise PlacedValueError("no values; list some, or leave the key out", (part, key))
        lengths = {key: len(values) for key, values in self.zip.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{key} has {length}" for key, length in lengths.items())
            raise PlacedValueError(
                f"lists are of one length here, and {told}; use grid for every combination", ("zip",)
            )
        over = {} if self.random is None else self.random.over
        parts: dict[str, KeyPath] = {}
        places: list[tuple[KeyPath, Iterable[str]]] = [
            (("set",), self.set),
            (("grid",), self.grid),
            (("zip",), self.zip),
            (("random", "over"), over),
        ]
        for place, keys in places:
            for key in keys:
                if key in parts:
                    told = f"given in {dotted(parts[key])}, too; keep one of them"
                    raise PlacedValueError(told, (*place, key))
                parts[key] = place
        if "seed" in parts:
            told = "given by seeds: 10, or by a list: seeds: [3, 5]"
            raise PlacedValueError(told, (*parts["seed"], "seed"))
        if "name" in parts:
            told = "cells have names of their own; name: at the top gives a pattern for them"
            raise PlacedValueError(told, (*parts["name"], "name"))
        if isinstance(self.seeds, list) and (not self.seeds or min(self.seeds) < 0):
            raise PlacedValueError("one integer of at least 0, or more, in a list", ("seeds",))
        if self.search is not None:
            if self.random is None or self.grid or self.zip or self.random.count is not None:
                raise PlacedValueError(
                    "a search chooses all values from random.over, and how many from its trials: move what "
                    "grid and zip list to random.over as choice, and leave random.count out",
                    ("search",),
                )
            if self.seeds != 1 and (isinstance(self.seeds, int) or len(self.seeds) > 1):
                raise PlacedValueError("a search trains each trial once; give one seed: [3]", ("seeds",))
        elif self.random is not None and self.random.count is None:
            raise PlacedValueError("a count is missing, of how many are drawn: count: 20", ("random",))
        return self
