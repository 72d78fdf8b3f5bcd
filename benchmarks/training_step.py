"""The bare training loop with momentum: jactrain, scikit-learn, eager PyTorch.

All three shuffle the examples every epoch, take batches of one size, compute the loss as well as its
gradient, and update by momentum. Nothing is logged or validated; ours and PyTorch's stop at a loss that is
not finite.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks import problem
from benchmarks.timing import Subject
from jactrain.errors import DivergedError
from jactrain.modes.gradients import Gradients
from jactrain.training.state import TrainingState
from jactrain.training.trainer import train_epoch

_EPOCHS = 3  # of one run of scikit-learn, so that its preparations weigh little


def subjects() -> dict[str, Subject]:
    """Return what is timed."""
    return {
        "jactrain": Subject(_jactrain(), problem.STEPS),
        "scikit-learn": Subject(_scikit_learn(), _EPOCHS * problem.STEPS),
        "PyTorch": Subject(_torch(), problem.STEPS),
    }


def _jactrain() -> Callable[[], None]:
    """Return one epoch of the trainer's own loop."""
    experiment = problem.experiment()
    state = TrainingState.start(experiment)
    gradients = Gradients(experiment.mode, experiment.objective)
    return lambda: train_epoch(experiment, state, gradients)


def _scikit_learn() -> Callable[[], None]:
    x, y = problem.examples()

    def run() -> None:
        classifier = MLPClassifier(
            hidden_layer_sizes=problem.SIZES[1:-1],
            activation="tanh",
            solver="sgd",
            alpha=0.0,
            batch_size=problem.BATCH,
            learning_rate_init=problem.LEARNING_RATE,
            momentum=problem.MOMENTUM,
            nesterovs_momentum=False,
            max_iter=_EPOCHS,
            n_iter_no_change=_EPOCHS + 1,
            tol=0.0,
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is to stop after these epochs
            classifier.fit(x, y)
        assert classifier.n_iter_ == _EPOCHS

    return run


def _torch() -> Callable[[], None]:
    torch.manual_seed(0)
    x, y = (torch.from_numpy(array) for array in problem.examples())
    linear, tanh = torch.nn.Linear, torch.nn.Tanh
    a, b, c, d = problem.SIZES
    network = torch.nn.Sequential(linear(a, b), tanh(), linear(b, c), tanh(), linear(c, d))
    optimizer = torch.optim.SGD(network.parameters(), lr=problem.LEARNING_RATE, momentum=problem.MOMENTUM)
    loss_of = torch.nn.CrossEntropyLoss()

    def run() -> None:
        for index in torch.randperm(len(x)).split(problem.BATCH):
            optimizer.zero_grad()
            loss = loss_of(network(x[index]), y[index])
            loss.backward()
            optimizer.step()
            if not math.isfinite(loss.item()):
                raise DivergedError("the benchmark's training diverged")

    return run
