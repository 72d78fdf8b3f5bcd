"""Many small runs as one: seeds of one training together, and one after another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from benchmarks import peers
from benchmarks.case import Case, Subjects
from benchmarks.timing import Subject
from jactrain.config.models import Config
from jactrain.runs.run import run
from jactrain.runs.session import RunResult
from jactrain.runs.together import train_together

SEEDS = 32
# One after another they do the same again and again: so many are enough to know what one takes.
_SOME = 4
ALLOWED = {"float32": 1e-5, "float64": 1e-12}  # of weights beside those of separate runs


def case_name(dtype: str) -> str:
    """Return the name of the case."""
    return f"{SEEDS} seeds together, {dtype}"


def cases() -> list[Case]:
    """Return the seeds in either dtype, where there is JAX."""
    about = (
        "a seed of 64-64-64-10 (tanh, digits, batch 32, 30 epochs), a whole run with its folder, evaluation "
        f"and checkpoints, in a process that has imported everything: {SEEDS} seeds together, and {_SOME} "
        "one after another, each of which compiles its programs anew, as separate runs do"
    )
    if not peers.has("jax"):
        return []
    return [Case(case_name(dtype), partial(_subjects, dtype), 0.1, about=about) for dtype in ALLOWED]


def _subjects(dtype: str, smoke: bool) -> Subjects:
    """Return the ways to train; AssertionError unless both come to the same weights."""
    from jactrain.training.compiled.together import forget

    seeds, some = (2, 1) if smoke else (SEEDS, _SOME)
    configs = [_config(dtype, seed, 2 if smoke else 30) for seed in range(seeds)]
    numpy = [config.model_copy(update={"engine": _config(dtype, 0, 1, "numpy").engine}) for config in configs]

    def together() -> list[RunResult]:
        with TemporaryDirectory() as empty:
            found = train_together([partial(run, config, empty) for config in configs])
        return [outcome for outcome in found if isinstance(outcome, RunResult)]

    def anew() -> None:
        forget()
        together()

    def separately(configs: list[Config]) -> Callable[[], list[RunResult]]:
        def trained() -> list[RunResult]:
            with TemporaryDirectory() as empty:
                return [run(config, empty) for config in configs[:some]]

        return trained

    one_by_one = separately(configs)
    start = perf_counter()
    ours = together()
    between = perf_counter()
    pairs = list(zip(ours, one_by_one(), strict=False))
    end = perf_counter()
    assert (len(ours), len(pairs)) == (seeds, some)
    apart = max(float(np.abs(one.parameters - other.parameters).max()) for one, other in pairs)
    assert apart <= ALLOWED[dtype], f"weights are {apart:.2g} apart"
    told = f"weights within {apart:.1g} of those of separate runs"
    return {
        "together": Subject(anew, seeds, stated="all", told=told, first=between - start),
        "together, compiled before": Subject(together, seeds, stated="all", first=between - start),
        "one after another": Subject(one_by_one, some, stated="all", first=end - between),
        "one after another, NumPy": Subject(separately(numpy), some, stated="its own choice"),
    }


def _config(dtype: str, seed: int, epochs: int, engine: str = "jax") -> Config:
    return Config.model_validate(
        {
            "name": "digits",
            "seed": seed,
            "dtype": dtype,
            "data": {"source": "digits", "scale": "standard"},
            "network": [{"linear": {"units": 64}}, "tanh", {"linear": {"units": 64}}, "tanh", "linear"],
            "loss": "cross_entropy",
            "optimizer": {"sgd": {"learning_rate": 0.05, "momentum": 0.9}},
            "engine": engine,
            "training": {"epochs": epochs, "batch_size": 32},
        }
    )
