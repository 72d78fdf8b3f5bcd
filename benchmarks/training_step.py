"""A training step, bare: shuffled once an epoch, batches, loss, gradient, momentum.

Nothing is logged or validated. Every subject starts from the same parameters and takes the same steps, which
is required before anything is timed.
"""

from __future__ import annotations

from functools import partial

from benchmarks import peers
from benchmarks.case import Case, Subjects
from benchmarks.problem import Training
from benchmarks.timing import Subject
from benchmarks.trainers import ours, products
from benchmarks.trainers.base import Trainer, require_same_steps

# While threads of the subject before still wait for more, they take a core: OpenBLAS's for some 30 ms. What
# is timed behind it lasts long enough for caches that are cold then to weigh little, as in a training.
_PAUSE = 0.03

LARGE = (784, 512, 512, 10)
DEEP = (64, *(8 * (32,)), 10)
_NETWORKS = (
    Training((2, 16, 2), 32, "", steps=100, epochs=10),
    Training((64, 64, 64, 10), 32, "", steps=100, epochs=6),
    Training((64, 64, 64, 10), 128, "", steps=50, epochs=4),
    Training(LARGE, 128, "", steps=8, epochs=3),
    Training(DEEP, 64, "", steps=50, epochs=4),
)
_DTYPES = ("float32", "float64")
_SMOKE_STEPS = 2

TRAININGS = tuple(
    Training(each.sizes, each.batch, dtype, each.steps, each.epochs)
    for each in _NETWORKS
    for dtype in _DTYPES
)
_FORWARD = tuple(Training((64, 64, 64, 10), 32, dtype, steps=20, epochs=4) for dtype in _DTYPES)


def case_name(training: Training) -> str:
    """Return the name of the case of a training."""
    return f"step, {training.name}"


def forward_case_name(training: Training) -> str:
    """Return the name of the case of forward mode on both engines."""
    return f"step by forward mode, {training.name}"


def cases() -> list[Case]:
    """Return the training step of every network in every dtype, and forward mode on both engines."""
    steps = [Case(case_name(each), partial(_subjects, each), 0.6, _PAUSE) for each in TRAININGS]
    forward = [Case(forward_case_name(each), partial(_forward, each), 0.5, _PAUSE) for each in _FORWARD]
    return steps + forward


def forward_case_names() -> list[str]:
    """Return the names of the cases of forward mode."""
    return [forward_case_name(each) for each in _FORWARD]


def _subjects(training: Training, smoke: bool) -> Subjects:
    training = _sized(training, smoke)
    trainers = _trainers(training)
    first = require_same_steps(training, trainers)
    made: dict[str, Subject] = {}
    for name, trainer in trainers.items():
        if isinstance(trainer, ours.Ours):
            made[name] = ours.subject(training, trainer, first[name])
        elif name == "PyTorch":
            from benchmarks.trainers import pytorch

            made |= pytorch.subjects(training, trainer)
        elif name.startswith("JAX"):
            from benchmarks.trainers import jax_compiled

            made[name] = jax_compiled.subject(training, trainer, first[name])
    if peers.has("sklearn"):
        from benchmarks.trainers import scikit_learn

        made |= scikit_learn.subjects(training)
    return made | products.subjects(training)


def _trainers(training: Training) -> dict[str, Trainer]:
    """Return those whose steps are compared; peers are imported late, since they may be missing."""
    found: dict[str, Trainer] = {
        ours.called(engine): ours.Ours(training, engine) for engine in ours.available()
    }
    if peers.has("jax"):
        from benchmarks.trainers.jax_compiled import JaxPerStep, JaxScan

        found["JAX per step"] = JaxPerStep(training)
        found["JAX scanning an epoch"] = JaxScan(training)
    if peers.has("torch"):
        from benchmarks.trainers.pytorch import PyTorch

        found["PyTorch"] = PyTorch(training)
    if peers.has("sklearn") and training.sizes[-1] > 2:  # of two classes it makes one output
        from benchmarks.trainers.scikit_learn import ScikitLearn

        found["scikit-learn"] = ScikitLearn(training)
    return found


def _forward(training: Training, smoke: bool) -> Subjects:
    training = _sized(training, smoke)
    trainers = {ours.called(engine): ours.Ours(training, engine, "forward") for engine in ours.available()}
    first = require_same_steps(training, trainers)
    return {name: ours.subject(training, trainer, first[name]) for name, trainer in trainers.items()}


def _sized(training: Training, smoke: bool) -> Training:
    if not smoke:
        return training
    return Training(training.sizes, training.batch, training.dtype, _SMOKE_STEPS)
