"""jactrain's own loop, on either of its engines."""

from __future__ import annotations

from contextlib import AbstractContextManager

import numpy as np

from benchmarks import peers, problem
from benchmarks.problem import Training
from benchmarks.timing import Subject
from benchmarks.trainers.base import Trainer
from jactrain.data.base import Classification
from jactrain.data.preparation import Scaling
from jactrain.modes import modes
from jactrain.optimizers import optimizers
from jactrain.training.engines import engines
from jactrain.training.experiment import Experiment, Part
from jactrain.training.settings import TrainingSettings
from jactrain.training.state import TrainingState


class Ours(Trainer):
    """`train_epoch` of one of the engines, which shuffles by itself."""

    def __init__(self, training: Training, engine: str = "numpy", mode: str = "reverse") -> None:
        self.experiment = experiment(training, engine, mode)
        self._execution = self.experiment.engine.start(self.experiment)
        self._state = TrainingState.start(self.experiment)

    def epoch(self, order: np.ndarray | None = None) -> None:
        """Take the steps of one epoch; the order is drawn from the experiment's own generator."""
        self._execution.train_epoch(self._state)

    def around(self) -> AbstractContextManager[object]:
        """Return the execution, which settles threads and dtypes as long as it is entered."""
        return self._execution

    def parameters(self) -> np.ndarray:
        """Return the parameters."""
        return self._state.parameters


def available() -> list[str]:
    """Return the names of the engines whose library is installed."""
    return ["numpy", *(name for name in engines.names() if name != "numpy" and peers.has(name))]


def called(engine: str) -> str:
    """Return the name of the subject that an engine is."""
    return "jactrain" if engine == "numpy" else f"jactrain, {engine.upper()} engine"


def subject(training: Training, trainer: Ours, first: float | None = None) -> Subject:
    """Return some epochs of one engine, which sets its threads by itself."""

    def run() -> None:
        for _ in range(training.epochs):
            trainer.epoch()

    return Subject(
        run,
        training.epochs * training.steps,
        stated="its own choice" if trainer.experiment.engine.kind == "numpy" else "all",
        around=trainer.around,
        first=first,
    )


def experiment(training: Training, engine: str, mode: str) -> Experiment:
    """Return the training as jactrain takes it: stochastic gradient descent with momentum."""
    names = tuple(str(label) for label in range(training.sizes[-1]))
    return Experiment(
        objective=training.objective,
        mode=modes.get(mode)(),
        optimizer=optimizers.get("sgd")(learning_rate=problem.LEARNING_RATE, momentum=problem.MOMENTUM),
        settings=TrainingSettings(batch_size=training.batch),
        dtype=np.dtype(training.dtype),
        seed=0,
        task=Classification(names),
        training=Part(training.x, training.targets, training.y),
        validation=None,
        input_scaling=Scaling.fit("none", training.x),
        target_scaling=None,
        features=tuple(f"x{number}" for number in range(training.sizes[0])),
        initial_parameters=training.parameters,
        engine=engines.get(engine)(),
    )
