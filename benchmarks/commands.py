"""Whole commands, each a process of its own, in alternating rounds; and what a run adds to its bare loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks import peers
from benchmarks.case import Case, Subjects
from benchmarks.timing import Subject
from jactrain.config.build import build
from jactrain.config.files import load_document
from jactrain.runs.run import run
from jactrain.runs.session import RunListener
from jactrain.training.experiment import Experiment
from jactrain.training.state import TrainingState
from jactrain.training.trainer import measure

_ROOT = Path(__file__).parents[1]
_CONFIG = _ROOT / "configs" / "digits.yaml"
_SCRIPTS = Path(__file__).parent / "scripts"
_PROGRAM = Path(sys.executable).parent / "jactrain"
APART = 0.02  # at most, of accuracies on validation examples

# What a peer needs, and its script.
_PEERS = {
    "scikit-learn script": ("sklearn", "digits_scikit_learn.py"),
    "JAX script": ("jax", "digits_jax.py"),
    "PyTorch script": ("torch", "digits_pytorch.py"),
}
_OWN = "its own choice"
DIGITS, HELP, OVERHEAD = "command, digits", "command, help", "run beside its loop"


def cases() -> list[Case]:
    """Return the cases of processes, and that of a run in this one."""
    return [
        Case(
            DIGITS, _digits, 0.2, about="30 epochs of configs/digits.yaml, from start to end of the process"
        ),
        Case(HELP, _help, 0.5, about="from start to end of the process"),
        Case(
            OVERHEAD, _overhead, 0.7, about="30 epochs of configs/digits.yaml, agreement off, in one process"
        ),
    ]


def _digits(smoke: bool) -> Subjects:
    """Return `jactrain run configs/digits.yaml` and a script for each peer that is there.

    The dataset is in jactrain's cache from the first run on, which is not counted. Raises AssertionError
    unless all come to the same accuracy.
    """
    ours = [*_jactrain(), "run", str(_CONFIG), "--set", "agreement=null"]
    commands = {"jactrain run": ours}
    for name, (module, script) in _PEERS.items():
        if peers.has(module) and peers.has("sklearn"):  # which has the digits
            commands[name] = [sys.executable, str(_SCRIPTS / script)]
    accuracies, subjects = {}, {}
    for name, command in commands.items():
        start = perf_counter()
        accuracy = accuracies[name] = _our_accuracy(ours) if command is ours else _accuracy(command)
        told = f"{accuracy:.2%} of the validation examples right"
        subjects[name] = Subject(_process(command), first=perf_counter() - start, told=told)
    spread = max(accuracies.values()) - min(accuracies.values())
    assert spread <= APART, f"the accuracies differ by more than {APART:.0%}: {accuracies}"
    return subjects


def _help(smoke: bool) -> Subjects:
    """Return `jactrain --help`, the import of what it is written with, and an empty Python."""
    return {
        "jactrain --help": Subject(_process([*_jactrain(), "--help"])),
        "import typer": Subject(_process([sys.executable, "-c", "import typer"])),
        "import numpy": Subject(_process([sys.executable, "-c", "import numpy"])),
        "python": Subject(_process([sys.executable, "-c", ""])),
    }


def _jactrain() -> list[str]:
    """Return the program that was installed, or the module where there is none."""
    return [str(_PROGRAM)] if _PROGRAM.exists() else [sys.executable, "-m", "jactrain"]


def _output(command: list[str], folder: str | Path = _ROOT) -> str:
    # What pip installs is compiled; what lies in a checkout, only if Python may write what it compiled.
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=variables)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stderr}"
    return done.stdout


def _process(command: list[str]) -> Callable[[], object]:
    """Return a run of `command` in a new folder that is deleted."""

    def process() -> None:
        with TemporaryDirectory() as empty:
            _output(command, empty)

    return process


def _accuracy(command: list[str]) -> float:
    return float(json.loads(_output(command))["validation"])


def _our_accuracy(command: list[str]) -> float:
    with TemporaryDirectory() as empty:
        facts = json.loads(_output([*command, "--json"], empty))
    return float(facts["metrics"]["validation_accuracy"])


class _Clock(RunListener):
    """The seconds from the start of a training to its end."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def on_start(self, experiment: Experiment, state: TrainingState) -> None:
        """Start."""
        self.seconds = perf_counter()

    def on_end(self, state: TrainingState) -> None:
        """Stop."""
        self.seconds = perf_counter() - self.seconds


def _overhead(smoke: bool) -> Subjects:
    """Return the bare loop of `configs/digits.yaml`, and what `run` takes for the same, in parts."""
    config, _ = load_document(_CONFIG, ["agreement=null", *(["training.epochs=2"] if smoke else [])])
    settings = config.training.model_copy(update={"checkpoints": None})
    without = config.model_copy(update={"training": settings})
    experiment = build(config)
    epochs = config.training.epochs

    def bare() -> None:
        state = TrainingState.start(experiment)
        with experiment.engine.start(experiment) as execution:
            for _ in range(epochs):
                execution.train_epoch(state)

    def evaluation() -> None:
        for _ in range(epochs):
            measure(experiment, experiment.initial_parameters)

    def steps() -> float:
        with TemporaryDirectory() as empty:
            return run(config, empty).seconds

    def training() -> float:
        clock = _Clock()
        with TemporaryDirectory() as empty:
            run(config, empty, listeners=[clock])
        return clock.seconds

    def unkept() -> float:
        clock = _Clock()
        with TemporaryDirectory() as empty:
            run(without, empty, listeners=[clock])
        return clock.seconds

    def whole() -> None:
        with TemporaryDirectory() as empty:
            run(config, empty)

    return {
        "bare loop": Subject(bare, stated=_OWN),
        "evaluation": Subject(evaluation, stated=_OWN, told="losses and accuracies of both parts, an epoch"),
        "run, its steps": Subject(steps, stated=_OWN, tells=True, told="the `seconds` that it records"),
        "run, its training": Subject(
            training, stated=_OWN, tells=True, told="with evaluation, metrics, checkpoints"
        ),
        "run, its training without checkpoints": Subject(unkept, stated=_OWN, tells=True),
        "run": Subject(whole, stated=_OWN, told="from the configuration to the weights in their file"),
    }
