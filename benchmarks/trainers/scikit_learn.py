"""scikit-learn's `MLPClassifier`, trained by stochastic gradient descent with momentum.

It makes one output of two classes, and so has a little less to do on a network with two outputs.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks import problem
from benchmarks.problem import Training
from benchmarks.timing import Subject
from benchmarks.trainers.base import Trainer

_EPOCHS = 3  # of one run at least, so that its preparations weigh little


class ScikitLearn(Trainer):
    """One `partial_fit` is one epoch; used to see that its steps are the same, `fit` is what is timed."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._classifier = _classifier(training, epochs=1, shuffle=False)
        # A first pass makes its arrays, which then take our parameters and no velocity.
        self._classifier.partial_fit(training.x, training.y, classes=np.arange(training.sizes[-1]))
        for weight, bias, (own_weight, own_bias) in zip(
            self._classifier.coefs_,
            self._classifier.intercepts_,
            training.leaves(training.parameters),
            strict=True,
        ):
            weight[...], bias[...] = own_weight, own_bias
        for velocity in self._classifier._optimizer.velocities:
            velocity[...] = 0

    def epoch(self, order: np.ndarray) -> None:
        """Take the steps of one epoch."""
        self._classifier.partial_fit(self._training.x[order], self._training.y[order])

    def parameters(self) -> np.ndarray:
        """Return the parameters."""
        layers = zip(self._classifier.coefs_, self._classifier.intercepts_, strict=True)
        return np.concatenate([part.ravel() for layer in layers for part in layer])


def subjects(training: Training) -> dict[str, Subject]:
    """Return it with the threads it starts with, and with one."""
    epochs = max(_EPOCHS, training.epochs)

    def run() -> None:
        classifier = _classifier(training, epochs)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is to stop after these epochs
            classifier.fit(training.x, training.y)
        assert classifier.n_iter_ == epochs

    steps = epochs * training.steps
    return {
        "scikit-learn": Subject(run, steps),
        "scikit-learn, 1 thread": Subject(run, steps, threads=1),
    }


def _classifier(training: Training, epochs: int, shuffle: bool = True) -> MLPClassifier:
    return MLPClassifier(
        hidden_layer_sizes=training.sizes[1:-1],
        activation="tanh",
        solver="sgd",
        alpha=0.0,
        batch_size=training.batch,
        learning_rate_init=problem.LEARNING_RATE,
        momentum=problem.MOMENTUM,
        nesterovs_momentum=False,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        tol=0.0,
        shuffle=shuffle,
        random_state=0,
    )
