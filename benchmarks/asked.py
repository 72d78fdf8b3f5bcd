"""The figures that are asked for: how many times as long others take as a subject, at least."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any, NamedTuple

from benchmarks import commands, sweeps, together, training_step
from benchmarks.problem import Training
from benchmarks.timing import Times, spread
from benchmarks.trainers import products

_SMALL_BATCH = 32


class Asked(NamedTuple):
    """In `case`, the quickest of `others` takes at least `least` times as long as `subject`.

    `others` are settings of one peer, such as its threads, or several of which each is asked for. least:
    None for a figure that is reported only. name: instead of `others / subject`.
    """

    case: str
    subject: str
    others: tuple[str, ...]
    least: float | None
    name: str = ""


_PYTORCH = ("PyTorch", "PyTorch, 1 thread")
_SCIKIT_LEARN = ("scikit-learn", "scikit-learn, 1 thread")
_PRODUCTS = ("products", "products, 1 thread")
_ENGINE = "jactrain, JAX engine"


def _of_step(training: Training) -> list[Asked]:
    case, large = training_step.case_name(training), training.sizes == training_step.LARGE
    pytorch = 1.1 if large else 4 if training.batch == _SMALL_BATCH else 3
    peak = 0.85 if large and training.dtype == "float32" else None
    return [
        Asked(case, "jactrain", _PYTORCH, pytorch),
        Asked(case, "jactrain", ("JAX per step",), 0.95 if large else 1.2),
        Asked(case, "jactrain", _SCIKIT_LEARN, 2.5),
        Asked(case, "jactrain", ("JAX scanning an epoch",), None),
        Asked(case, _ENGINE, ("JAX scanning an epoch",), 0.95),
        Asked(case, "jactrain", _PRODUCTS, peak, "fraction of the peak of its own products"),
    ]


# How seeds are trained separately, and how many times as long that takes at least.
_SEPARATE = {"one after another": 4, "one after another, NumPy": None}


def _of_seeds(case: str, other: str) -> Asked:
    return Asked(case, "together", (other,), _SEPARATE[other])


ASKED: tuple[Asked, ...] = (
    *(asked for training in training_step.TRAININGS for asked in _of_step(training)),
    *(Asked(case, _ENGINE, ("jactrain",), 1.5) for case in training_step.forward_case_names()),
    Asked("gradient, float32", "forward", ("reverse",), 1 / 16),
    Asked("forward order", "jactrain", ("JAX jacfwd", "PyTorch jacfwd"), 400),
    Asked("forward order", "jactrain", ("reverse",), 1 / 16),
    Asked("differences", "jactrain", ("scipy 3-point",), 8),
    Asked("J_x f", "mixed", ("reverse", "forward"), 10),
    Asked("S_k", "mixed", ("reverse", "forward"), 1.5),
    Asked("kernel", "gram", ("dense, multiplied",), 20),
    Asked("J_θ f, dense", "jactrain", ("JAX",), 1),
    Asked("J_θ f, products", "J v", ("J v, dense",), None),
    Asked("J_θ f, products", "J v", ("JAX jvp",), None),
    Asked("J_θ f, products", "Jᵀ u", ("Jᵀ u, dense",), None),
    Asked("J_θ f, products", "Jᵀ u", ("JAX vjp",), None),
    Asked(commands.DIGITS, "jactrain run", ("scikit-learn script",), 2),
    Asked(commands.DIGITS, "jactrain run", ("JAX script",), 4),
    Asked(commands.DIGITS, "jactrain run", ("PyTorch script",), 6),
    Asked(commands.HELP, "jactrain --help", ("import typer",), None),
    Asked(commands.OVERHEAD, "run, its steps", ("bare loop",), 1 / 1.1),
    Asked(commands.OVERHEAD, "run, its training", ("bare loop",), None),
    Asked(commands.OVERHEAD, "run, its training", ("run, its training without checkpoints",), 1 / 1.05),
    Asked(commands.OVERHEAD, "run", ("bare loop",), None),
    *(_of_seeds(together.case_name(dtype), other) for dtype in together.ALLOWED for other in _SEPARATE),
    Asked(sweeps.SWEEP, "a cell beside its training", ("what it may take",), 1),
    Asked(sweeps.SWEEP, "sweep, 2 jobs", ("sweep, 1 job",), 1.7),
)


def figures(case: str, times: Mapping[str, Times]) -> list[dict[str, Any]]:
    """Return the figures of one case, as they are printed and kept; those of missing peers are left out."""
    found = []
    for asked in ASKED:
        others = [name for name in asked.others if name in times]
        if asked.case == case and asked.subject in times and others:
            found.append(_figure(asked, others, times))
    return found


def _figure(asked: Asked, others: list[str], times: Mapping[str, Times]) -> dict[str, Any]:
    """Judge how often the subject fits into the quickest of the others, round by round."""
    quickest = min(others, key=lambda name: median(times[name].rounds))
    rounds = zip(times[quickest].rounds, times[asked.subject].rounds, strict=True)
    seen = spread([theirs / ours for theirs, ours in rounds])
    return {
        "case": asked.case,
        "name": asked.name or f"{quickest} / {asked.subject}",
        "asked": asked.least,
        "seen": seen._asdict(),
        "ok": None if asked.least is None else seen.median >= asked.least,
    }


def rates(case: str, times: Mapping[str, Times]) -> dict[str, float]:
    """Return how the step of a training uses this machine: fractions of two peaks of matrix products.

    step: billions of multiply-adds a second, of those in matrix products; square: the same of one large
    product; of_square: their ratio, round by round; empty for another case.
    """
    for training in training_step.TRAININGS:
        if training_step.case_name(training) == case:
            count = products.multiply_adds(training)
            pairs = list(zip(times["jactrain"].rounds, times["square product"].rounds, strict=True))
            return {
                "multiply_adds": count,
                "step": count / median(step for step, _ in pairs) / 1e9,
                "square": products.square_multiply_adds() / median(square for _, square in pairs) / 1e9,
                "of_square": median(
                    count / step * square / products.square_multiply_adds() for step, square in pairs
                ),
            }
    return {}
