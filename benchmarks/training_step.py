"""A bare training step with momentum: jactrain, scikit-learn, eager PyTorch.

All three see the same batches, compute the loss as well as its gradient, and update by momentum.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks import problem
from benchmarks.timing import Subject
from jactrain.errors import DivergedError
from jactrain.modes import modes
from jactrain.optimizers import optimizers

_EPOCHS = 3  # of one run of scikit-learn, so that its preparations weigh little


def subjects() -> dict[str, Subject]:
    """Return what is timed."""
    return {
        "jactrain": Subject(_jactrain(), problem.STEPS),
        "scikit-learn": Subject(_scikit_learn(), _EPOCHS * problem.STEPS),
        "PyTorch": Subject(_torch(), problem.STEPS),
    }


def _jactrain() -> Callable[[], None]:
    """Return one epoch of what the trainer does in a step, without its batches and events."""
    objective = problem.objective()
    rng = np.random.default_rng(0)
    mode = modes.get("reverse")()
    optimizer = optimizers.get("sgd")(learning_rate=problem.LEARNING_RATE, momentum=problem.MOMENTUM)
    plan = mode.prepare(objective, problem.BATCH, np.float32)
    parameters = objective.network.initial_parameters(rng, np.float32)
    state = optimizer.initial_state(np, parameters)
    epoch = problem.batches(objective)

    def run() -> None:
        nonlocal parameters, state
        for step, batch in enumerate(epoch):
            result = mode.value_and_gradient(objective, parameters, batch, plan, rng)
            if not (math.isfinite(result.value) and math.isfinite(result.gradient.sum())):
                raise DivergedError("the benchmark's training diverged")
            rate = optimizer.learning_rate.rate(step / problem.STEPS, 1)
            parameters, state = optimizer.step(np, state, parameters, result.gradient, rate)

    return run


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
            shuffle=False,
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
    epoch = list(zip(x.split(problem.BATCH), y.split(problem.BATCH), strict=True))
    linear, tanh = torch.nn.Linear, torch.nn.Tanh
    a, b, c, d = problem.SIZES
    network = torch.nn.Sequential(linear(a, b), tanh(), linear(b, c), tanh(), linear(c, d))
    optimizer = torch.optim.SGD(network.parameters(), lr=problem.LEARNING_RATE, momentum=problem.MOMENTUM)
    loss_of = torch.nn.CrossEntropyLoss()

    def run() -> None:
        for inputs, targets in epoch:
            optimizer.zero_grad()
            loss = loss_of(network(inputs), targets)
            loss.backward()
            optimizer.step()
            if not math.isfinite(loss.item()):
                raise DivergedError("the benchmark's training diverged")

    return run
