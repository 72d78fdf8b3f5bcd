"""Runs that are trained together: which can be, and that each leaves its own folder as ever."""

import json
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jactrain.config.load import validated
from jactrain.config.models import Config
from jactrain.config.yaml import parse
from jactrain.errors import DivergedError, RunError
from jactrain.runs import together
from jactrain.runs.resume import resume
from jactrain.runs.run import run
from jactrain.runs.session import RunResult
from jactrain.runs.together import End, groups, train_together

TEXT = """\
name: squares
dtype: float64
data: {source: {npz: {path: squares.npz}}, scale: standard, scale_targets: standard}
network: [linear: {units: 8}, tanh, linear]
loss: mean_squared_error
optimizer: {sgd: {learning_rate: 0.05, momentum: 0.9}}
engine: jax
training: {epochs: 4, batch_size: 8}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    rng = np.random.default_rng(0)
    x = rng.normal(10, 3, (52, 2))
    np.savez(tmp_path / "squares.npz", x=x, y=np.stack([x[:, 0] ** 2, x[:, 1], x.sum(1)], axis=1))
    return validated(parse(TEXT, "squares.yaml"), Config, {"folder": tmp_path})


def changed(config: Config, **changes: Any) -> Config:
    """Return the configuration with other settings, `key__option=value`."""
    plain = config.model_dump(mode="json")
    for key, value in changes.items():
        *outer, last = key.split("__")
        place = plain
        for name in outer:
            place = place[name]
        place[last] = value
    return Config.model_validate(plain, context={"folder": Path()})


def result(outcome: End) -> RunResult:
    assert isinstance(outcome, RunResult), outcome
    return outcome


def meta(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "meta.json").read_text()))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


# ------------------------------------------------------------------------------------------------- groups


def test_groups_are_of_seeds_rates_and_numbers(config: Config) -> None:
    configs = [
        config,
        changed(config, seed=1, name="other"),
        changed(config, optimizer__sgd__momentum=0.0),
        changed(config, optimizer__sgd__momentum=0.5, seed=2),
        changed(config, optimizer__sgd__learning_rate={"cosine": {"initial": 0.1}}),
        changed(config, network=[{"linear": {"units": 9}}, "tanh", "linear"]),
        changed(config, mode={"spsa": {"step": 1e-3}}),
        changed(config, mode={"spsa": {"step": 1e-2}}),
        changed(config, mode={"spsa": {"step": 1e-2, "directions": 2}}),
        changed(config, optimizer__sgd__clip_norm=1.0),
        changed(config, seed=7, optimizer__sgd__momentum=0.0, optimizer__sgd__learning_rate=0.2),
        changed(config, dtype="float32"),
        changed(config, training__epochs=5),
    ]
    assert groups(configs) == [[0, 1, 3, 4], [2, 10], [5], [6, 7], [8], [9], [11], [12]]


@pytest.mark.parametrize(
    "engine", ["numpy", {"jax": {"devices": 2}}, {"jax": {"distributed": True}}], ids=str
)
def test_other_engines_train_alone(config: Config, engine: Any) -> None:
    configs = [changed(config, engine=engine, seed=seed) for seed in range(3)]
    assert groups(configs) == [[0], [1], [2]]


def test_groups_are_bounded(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    configs = [changed(config, seed=seed) for seed in range(5)]
    assert groups(configs) == [[0, 1, 2, 3, 4]]
    assert groups(configs, most=2) == [[0, 1], [2, 3], [4]]
    monkeypatch.setattr(together, "_EXAMPLES", 3 * 8 * 52 * 2)
    assert groups(configs) == [[0, 1, 2], [3, 4]]
    monkeypatch.setattr(together, "_EXAMPLES", 1)
    assert groups(configs) == [[0], [1], [2], [3], [4]]


def test_configurations_that_cannot_be_built_are_grouped_all_the_same(config: Config, tmp_path: Path) -> None:
    (tmp_path / "squares.npz").unlink()
    assert groups([config, changed(config, seed=1)]) == [[0], [1]]
    assert groups([]) == []


# --------------------------------------------------------------------------------------------- the folders


@pytest.mark.parametrize(("dtype", "allowed"), [("float32", 1e-5), ("float64", 1e-12)])
def test_each_run_leaves_what_it_leaves_by_itself(
    config: Config, tmp_path: Path, dtype: str, allowed: float
) -> None:
    configs = [changed(config, seed=seed, dtype=dtype, name=f"seed{seed}") for seed in range(3)]
    outcomes = train_together([partial(run, each, tmp_path / "runs") for each in configs])
    for each, outcome in zip(configs, outcomes, strict=True):
        ours, alone = result(outcome), run(each, tmp_path / "alone")
        np.testing.assert_allclose(ours.parameters, alone.parameters, rtol=0, atol=allowed)
        assert ours.folder.name.split("-", 1)[1].startswith(each.name)
        assert {path.name for path in ours.folder.iterdir()} == {path.name for path in alone.folder.iterdir()}
        status = meta(ours.folder)
        assert (status["status"], status["seed"], status["steps"]) == ("finished", each.seed, alone.steps)
        assert status["engine"] == meta(alone.folder)["engine"] | {"together": True}
        for line, other in zip(lines(ours.folder), lines(alone.folder), strict=True):
            assert (line["step"], line["epoch"]) == (other["step"], other["epoch"])
            assert abs(line["train_loss"] - other["train_loss"]) <= allowed
        with np.load(ours.folder / "weights.npz") as saved:
            assert saved.files


def test_some_fail_and_the_others_do_not_mind(config: Config, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    jobs = [
        partial(run, config, runs),
        partial(run, changed(config, seed=1, optimizer__sgd__learning_rate=1e160), runs),
        partial(run, changed(config, seed=2, training__batch_size=80), runs),
        partial(resume, tmp_path / "nothing"),
        partial(run, changed(config, seed=3), runs),
    ]
    outcomes = train_together(jobs)
    diverged, refused, missing = outcomes[1:4]
    assert isinstance(diverged, DivergedError)
    assert "batch_size" in str(refused)
    assert isinstance(missing, RunError)
    for outcome, seed in ((outcomes[0], 0), (outcomes[4], 3)):
        alone = run(changed(config, seed=seed), tmp_path / "alone")
        np.testing.assert_allclose(result(outcome).parameters, alone.parameters, rtol=0, atol=1e-12)
    statuses = sorted(meta(folder)["status"] for folder in runs.iterdir() if folder.is_dir())
    assert statuses == ["diverged", "finished", "finished"]


def test_what_finds_no_thread_fails_and_the_others_do_not_wait_for_it(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        if thread.name == "training 1":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", started)
    jobs = [partial(run, changed(config, seed=seed), tmp_path / "runs") for seed in range(3)]
    first, second, third = train_together(jobs)
    assert str(second) == "can't start new thread"
    assert result(first).steps == result(third).steps


def test_one_goes_back_after_a_divergence(config: Config, tmp_path: Path) -> None:
    rule = {"reduce_learning_rate": 1e-162, "retries": 1}
    configs = [changed(config, seed=seed, training__on_divergence=rule) for seed in range(3)]
    configs[1] = changed(configs[1], optimizer__sgd__learning_rate=1e160)
    outcomes = train_together([partial(run, each, tmp_path / "runs") for each in configs])
    assert meta(result(outcomes[1]).folder)["retries"]
    for each, outcome in zip(configs, outcomes, strict=True):
        alone = run(each, tmp_path / "alone")
        np.testing.assert_allclose(result(outcome).parameters, alone.parameters, rtol=0, atol=1e-10)


def test_a_run_is_gone_on_with_among_new_ones_with_the_same_bits(config: Config, tmp_path: Path) -> None:
    configs = [changed(config, seed=seed) for seed in range(3)]
    whole = train_together([partial(run, each, tmp_path / "whole") for each in configs])
    asked = iter(range(10**6))
    (first,) = train_together([partial(run, configs[1], tmp_path / "runs")], stop=lambda: next(asked) > 9)
    assert isinstance(first, KeyboardInterrupt)
    (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
    assert meta(folder)["status"] == "interrupted"
    assert 0 < meta(folder)["steps"] < result(whole[1]).steps
    jobs = [partial(run, configs[0], tmp_path / "a"), partial(resume, folder)]
    for outcome, expected in zip(train_together(jobs), whole, strict=False):
        np.testing.assert_array_equal(result(outcome).parameters, result(expected).parameters)
    assert meta(folder)["resumed"][0]["notes"] == []


def test_a_stop_reaches_every_run(config: Config, tmp_path: Path) -> None:
    configs = [changed(config, seed=seed, training__epochs=100000) for seed in range(3)]
    runs = tmp_path / "runs"

    def stop() -> bool:
        return sum(file.stat().st_size > 0 for file in runs.glob("*/metrics.jsonl")) == 3

    outcomes = train_together([partial(run, each, runs) for each in configs], stop=stop)
    assert [type(outcome) for outcome in outcomes] == [KeyboardInterrupt] * 3
    for folder in (path for path in runs.iterdir() if path.is_dir()):
        assert meta(folder)["status"] == "interrupted"
        assert list((folder / "checkpoints").iterdir())
    assert all(
        isinstance(each, KeyboardInterrupt) for each in train_together([lambda: 1 / 0] * 2, stop=lambda: True)
    )


PROGRAM = """
import signal, sys, time
from functools import partial
from jactrain.config.files import load_config
from jactrain.runs.run import run
from jactrain.runs.together import train_together
import jactrain.runs.recorder as recorder

signal.signal(signal.SIGINT, signal.default_int_handler)
config = load_config(sys.argv[1])
jobs = [partial(run, config.model_copy(update={"seed": seed}), sys.argv[2]) for seed in range(3)]
outcomes = train_together(jobs, tell_stopping=lambda: print("stopping", flush=True))
print([type(outcome).__name__ for outcome in outcomes], flush=True)
"""


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_ends_all_of_them_so_that_they_can_be_gone_on_with(
    config: Config, tmp_path: Path, signals: int
) -> None:
    path, runs = tmp_path / "squares.yaml", tmp_path / "runs"
    path.write_text(TEXT.replace("epochs: 4", "epochs: 100000"))
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path), str(runs)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    while sum(file.stat().st_size > 0 for file in runs.glob("*/metrics.jsonl")) < 3:
        assert child.poll() is None
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == "stopping\n"
    if signals == 2:
        child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=30)
    assert out == "['KeyboardInterrupt', 'KeyboardInterrupt', 'KeyboardInterrupt']\n"
    folders = [folder for folder in runs.iterdir() if folder.is_dir()]
    assert len(folders) == 3
    assert {meta(folder)["status"] for folder in folders} == {"interrupted"}
    if signals == 1:
        first = folders[0]
        assert resume(first, [f"training.epochs={meta(first)['epochs'] + 1}"]).steps > meta(first)["epochs"]
