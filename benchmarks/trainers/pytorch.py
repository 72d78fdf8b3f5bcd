"""Eager PyTorch: the loop of its tutorials."""

from __future__ import annotations

import math

import numpy as np
import torch

from benchmarks import problem
from benchmarks.problem import Training
from benchmarks.timing import Subject
from benchmarks.trainers.base import Trainer, shuffling


class PyTorch(Trainer):
    """A `Sequential`, `CrossEntropyLoss` and `SGD`; a loss that is not finite stops it, as it does ours."""

    def __init__(self, training: Training) -> None:
        self._x, self._y = torch.from_numpy(training.x), torch.from_numpy(training.y)
        self._batch = training.batch
        modules: list[torch.nn.Module] = []
        for weight, bias in training.leaves(training.parameters):
            linear = torch.nn.Linear(*weight.shape, dtype=self._x.dtype)
            with torch.no_grad():
                linear.weight.copy_(torch.from_numpy(weight.T.copy()))
                linear.bias.copy_(torch.from_numpy(bias.copy()))
            modules += [linear, torch.nn.Tanh()]
        self._network = torch.nn.Sequential(*modules[:-1])
        self._optimizer = torch.optim.SGD(
            self._network.parameters(), lr=problem.LEARNING_RATE, momentum=problem.MOMENTUM
        )
        self._loss = torch.nn.CrossEntropyLoss()

    def epoch(self, order: np.ndarray) -> None:
        """Take the steps of one epoch."""
        for index in torch.from_numpy(order).split(self._batch):
            self._optimizer.zero_grad()
            loss = self._loss(self._network(self._x[index]), self._y[index])
            loss.backward()
            self._optimizer.step()
            if not math.isfinite(loss.item()):
                raise FloatingPointError("the benchmark's training diverged")

    def parameters(self) -> np.ndarray:
        """Return the parameters."""
        linear = [module for module in self._network if isinstance(module, torch.nn.Linear)]
        each = [part for module in linear for part in (module.weight.T, module.bias)]
        return np.concatenate([part.detach().numpy().ravel() for part in each])


def subjects(training: Training, trainer: PyTorch) -> dict[str, Subject]:
    """Return it with the threads it starts with, and with one."""
    run, steps = shuffling(trainer, training), training.epochs * training.steps
    return {"PyTorch": Subject(run, steps), "PyTorch, 1 thread": Subject(run, steps, threads=1)}
