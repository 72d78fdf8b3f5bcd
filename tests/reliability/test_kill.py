"""A run that is killed, at any moment, and resumed ends with the bits of one that was not.

Twenty kills are in every run of the tests; `make soak` takes 200 random ones, and one before every call that
changes what is on the disk. Message and seed of a failure repeat it.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from run_folders import bits, only_run

KILLS = int(os.environ.get("JACTRAIN_KILLS", "20"))
EVERY_POINT = KILLS > 20
MODES = {
    "reverse": "reverse",
    "forward": "forward",
    "finite_difference": "finite_difference",
    "random_forward": {"random_forward": {"directions": 2}},
    "spsa": {"spsa": {"directions": 2}},
    "activity_perturbation": "activity_perturbation",
}
# Compiling takes seconds, so that only `make soak` takes all modes by JAX.
JAX_MODES = MODES if EVERY_POINT else ("reverse", "random_forward")
CASES = [*((mode, "numpy") for mode in MODES), *((mode, "jax") for mode in JAX_MODES)]


class Zygote:
    """Trainers forked from one process: `tests/reliability/zygote.py`."""

    def __init__(self):
        script = Path(__file__).with_name("zygote.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, **order):
        self._process.stdin.write(json.dumps(order, default=str) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self):
        self._process.communicate()


@pytest.fixture(scope="module")
def zygote():
    it = Zygote()
    yield it
    it.end()


def written(path, mode, engine):
    """Return a configuration whose training draws from every generator, and keeps every checkpoint."""
    path.write_text(
        yaml.safe_dump(
            {
                "name": "kill",
                "data": {"source": {"moons": {"examples": 80}}, "validation": 0.25},
                "network": [{"linear": {"units": 8}}, "tanh", {"dropout": {"rate": 0.2}}, "linear"],
                "loss": "cross_entropy",
                "mode": MODES[mode],
                "optimizer": {"adam": {"learning_rate": 0.01}},
                "engine": engine,
                "training": {
                    "epochs": 4,
                    "batch_size": 13,  # the last batch of an epoch is smaller
                    "checkpoints": {"share": 1.0},
                    "early_stopping": {"patience": 3},
                },
                "agreement": {"modes": ["forward"], "every": 3, "examples": 8},
            }
        )
    )
    return path


def kills(points, seconds, count, rng):
    """Yield `count` kills, in turn at a random moment and before a random point; then every point."""
    for number in range(count):
        if number % 2:
            yield {"kill_at": int(rng.integers(1, points + 1))}
        else:
            yield {"kill_after": float(rng.uniform(0, seconds))}
    if EVERY_POINT:
        yield from ({"kill_at": point} for point in range(1, points + 1))


@pytest.mark.parametrize(("mode", "engine"), CASES, ids=["-".join(case) for case in CASES])
def test_a_killed_run_goes_on_with_the_same_bits(mode, engine, zygote, tmp_path, record_property):
    config = written(tmp_path / "kill.yaml", mode, engine)
    whole = zygote.ask(action="run", config=config, runs=tmp_path / "whole")
    assert "error" not in whole, whole
    expected = bits(Path(whole["folder"]))
    number = CASES.index((mode, engine))
    rng = np.random.default_rng(number)
    share = KILLS // len(CASES) + (number < KILLS % len(CASES))
    killed = at = 0
    for at, kill in enumerate(kills(whole["calls"], whole["seconds"], share, rng)):
        runs = tmp_path / f"killed-{at}"
        killed += zygote.ask(action="run", config=config, runs=runs, **kill)["killed"]
        if only_run(runs) is not None and at % 3 == 0:  # and once more
            again = int(rng.integers(1, whole["calls"] // 2))
            zygote.ask(action="resume", folder=only_run(runs), runs=runs, kill_at=again)
        begun = only_run(runs)
        action = (
            {"action": "run", "config": config} if begun is None else {"action": "resume", "folder": begun}
        )
        resumed = zygote.ask(**action, runs=runs)
        assert "error" not in resumed, (kill, resumed)
        assert bits(only_run(runs)) == expected, f"{kill}, seed {number}"
    assert killed
    record_property("told", f"{mode}, {engine}: {killed} runs killed of {at + 1}, none lost, no bit differs")
