"""A training that diverges: to where it goes back, how often, and what is told and kept."""

import json
import re
import signal

import numpy as np
import pytest
from run_folders import bits, checkpoints, halve, meta, only_run, sets

from jactrain.agreement.compare import Comparison
from jactrain.config.files import load_config
from jactrain.runs import session
from jactrain.runs.resume import resume
from jactrain.runs.run import run
from jactrain.runs.session import RunListener
from jactrain.training.checkpoint import load

HIGH = "optimizer={sgd: {learning_rate: 3e38}}"  # parameters of float32 do not stay finite
DIVERGING = """
name: diverging
dtype: float64
data: {source: {friedman1: {examples: 80}}, validation: 0.2, scale: none}
network: [{linear: {units: 6}}, linear]
loss: mean_squared_error
optimizer: {sgd: {learning_rate: 0.05}}
training: {epochs: 4, batch_size: 8, checkpoints: {share: 1}}
"""
# Diverges in the fifth epoch of 8 steps, and not again.
LATE = [
    "network=[linear]",
    "data.scale=standard",
    "optimizer.sgd.learning_rate=1e4",
    "training.epochs=6",
    "training.on_divergence={retries: 9, reduce_learning_rate: 1e-6}",
]


class Signal(RunListener):
    """Asks a training to stop at a step."""

    every = 1

    def __init__(self, step):
        self.step = step

    def on_step(self, state, batch, result):
        if state.step == self.step:
            signal.raise_signal(signal.SIGTERM)


def test_a_divergence_goes_back_with_a_lower_rate(config, jactrain, tmp_path):
    rule = "training.on_divergence={reduce_learning_rate: 1e-39, retries: 2}"
    code, _, err = jactrain("run", config, "--runs", tmp_path / "runs", *sets([HIGH, rule]))
    assert code == 0, err
    folder = only_run(tmp_path / "runs")
    notes = meta(folder)["retries"]
    assert len(notes) == 1
    assert "going back to the start with learning rates times" in notes[0]
    assert f"note: {notes[0]}" in err
    state = load(checkpoints(folder)[-1]).state
    assert (state.rate_factor, state.retries) == (1e-39, 1)
    assert meta(folder)["status"] == "finished"
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 4
    before = bits(folder)
    assert jactrain("resume", folder)[0] == 0
    assert bits(folder) == before


def test_a_divergence_goes_back_past_a_damaged_checkpoint(begun, jactrain, monkeypatch):
    """That one is told of and put aside; where none is whole, it is a divergence all the same."""
    changes = ["optimizer={sgd: {learning_rate: 0.1}}", "network=[linear: {units: 8}, relu, linear]"]
    rule = "training.on_divergence={reduce_learning_rate: 1e-39, retries: 1}"
    more = sets(["optimizer.sgd.learning_rate=3e38", "training.epochs=6", rule])
    folder = begun("runs", *changes)
    newest = checkpoints(folder)[-1]
    train = session.train

    def damaging(damaged):
        def trained(*arguments):
            for path in damaged:
                if path.is_file():
                    halve(path)
            return train(*arguments)

        return trained

    monkeypatch.setattr(session, "train", damaging([newest]))
    code, _, err = jactrain("resume", folder, *more)
    assert code == 0, err
    assert f"note: {newest} is damaged: " in err
    assert "; an older checkpoint is taken" in err
    assert "going back to the end of epoch 3" in err
    assert newest.with_suffix(".damaged").is_file()
    other = begun("others", *changes)
    monkeypatch.setattr(session, "train", damaging(checkpoints(other)))
    code, _, err = jactrain("resume", other, *more)
    assert code == 3, err
    assert "training diverged in" in err
    assert "no older checkpoint is whole: train anew with jactrain run" in err
    assert meta(other)["status"] == "diverged"


@pytest.mark.parametrize("steps", [(2,), (5,), (3, 5), (1, 2, 3, 4)])
def test_a_divergence_after_interruptions_goes_back_where_it_would_have(steps, tmp_path):
    """To an epoch's end, not into the steps that led to it."""
    path = tmp_path / "a.yaml"
    path.write_text(DIVERGING + "agreement: {modes: [forward], every: 3, examples: 8}\n")
    config = load_config(path, ["training.on_divergence={retries: 6, reduce_learning_rate: 0.2}"])
    undisturbed = run(config, tmp_path / "whole")
    (told,) = meta(undisturbed.folder)["retries"]
    assert "going back to the start" in told
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "runs", listeners=[Signal(steps[0])])
    folder = only_run(tmp_path / "runs")
    for step in steps[1:]:
        with pytest.raises(KeyboardInterrupt):
            resume(folder, listeners=[Signal(step)])
    assert len(checkpoints(folder)) == min(2, len(steps))
    resume(folder)
    assert bits(folder) == bits(undisturbed.folder)
    assert meta(folder)["retries"] == [told]


def test_an_epoch_s_end_is_kept_for_a_divergence_however_often_it_is_interrupted(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(DIVERGING.replace("0.05", "0.001"))
    with pytest.raises(KeyboardInterrupt):
        run(load_config(path), tmp_path / "runs", listeners=[Signal(9)])
    folder = only_run(tmp_path / "runs")
    for step in (10, 11, 12):
        with pytest.raises(KeyboardInterrupt):
            resume(folder, listeners=[Signal(step)])
    assert [file.name for file in checkpoints(folder)] == [
        f"step-{step:010}.npz" for step in (8, 12, 13)
    ]  # 8 steps are an epoch


def test_gradients_whose_squares_overflow_are_told_and_not_kept(config, jactrain, tmp_path):
    x = np.random.default_rng(0).standard_normal((40, 2)) * 1e20
    np.savez(tmp_path / "big.npz", x=x, y=x[:, :1] / 1e20)
    changes = ["network=[linear]", "loss=huber", "agreement=null"]
    changes += [f"data={{source: {{npz: {{path: {tmp_path / 'big.npz'}}}}}, scale: none, validation: 0.25}}"]
    code, _, err = jactrain("run", config, "--runs", tmp_path / "runs", *sets(changes))
    assert code == 3, err
    assert "the optimizer's second moment is not finite" in err
    assert not checkpoints(only_run(tmp_path / "runs"))


def test_retries_that_somebody_changed_are_counted_anew(begun, jactrain):
    folder = begun(
        "runs", "optimizer={sgd: {learning_rate: 0.1}}", "network=[linear: {units: 8}, relu, linear]"
    )
    (folder / "meta.json").write_text(json.dumps(meta(folder) | {"retries": 3}))
    rule = "training.on_divergence={reduce_learning_rate: 1e-39, retries: 1}"
    changes = ["optimizer.sgd.learning_rate=3e38", "training.epochs=6", rule]
    assert jactrain("resume", folder, *sets(changes))[0] == 0
    assert len(meta(folder)["retries"]) == 1


def test_retries_end(begun, jactrain):
    folder = begun(
        "runs", "optimizer={sgd: {learning_rate: 0.1}}", "network=[linear: {units: 8}, relu, linear]"
    )
    rule = "training.on_divergence={reduce_learning_rate: 0.9, retries: 2}"
    changes = ["optimizer.sgd.learning_rate=3e38", "training.epochs=9", rule]
    code, out, err = jactrain("resume", folder, *sets(changes))
    assert (code, out) == (3, "")
    assert "(retry 2 of 2)" in err
    error = err[err.rindex("error: ") :]
    assert re.search(r"linear_\d", error), error  # the layer
    assert f"jactrain resume {folder} --set optimizer.sgd.learning_rate=" in error
    assert (meta(folder)["status"], len(meta(folder)["retries"])) == ("diverged", 2)
    assert np.isfinite(load(checkpoints(folder)[-1]).state.parameters).all()
    # As the message says; what was changed before is in the configuration.
    code, _, err = jactrain("resume", folder, "--set", "optimizer.sgd.learning_rate=0.1")
    assert code == 0, err
    assert meta(folder)["epochs"] == 9


@pytest.mark.parametrize(("step", "back"), [(10, 3), (23, 3), (24, 3), (31, 4), (32, 3)])
def test_a_divergence_goes_back_to_the_last_end_of_an_epoch_that_has_a_checkpoint(step, back, tmp_path):
    """That may be one of an interruption after an epoch's last step."""
    path = tmp_path / "a.yaml"
    path.write_text(DIVERGING)
    config = load_config(path, [*LATE, "training.checkpoints={every: 3, share: 1, keep: 1}"])
    with pytest.raises(KeyboardInterrupt):
        run(config, tmp_path / "runs", listeners=[Signal(step)])
    folder = only_run(tmp_path / "runs")
    resume(folder)
    assert f"going back to the end of epoch {back} with" in meta(folder)["retries"][0]
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    assert [line["epoch"] for line in lines] == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("every", [1, 10])
def test_a_finished_training_is_not_lost_to_a_divergence_after_it(every, tmp_path):
    """Nor an end of an epoch that was due when checkpoints were kept more often."""
    path = tmp_path / "a.yaml"
    path.write_text(DIVERGING)
    often = f"training.checkpoints={{every: {every}, share: 1, keep: 1}}"
    first = run(load_config(path, [*LATE, often, "training.epochs=2"]), tmp_path / "runs")
    resume(first.folder, ["training.epochs=6", "training.checkpoints.every=10"])
    assert "going back to the end of epoch 2 with" in meta(first.folder)["retries"][0]


def test_a_divergence_at_the_end_of_an_epoch_that_was_interrupted_there_goes_back_before_it(tmp_path):
    """The epoch's losses overflow, though parameters and gradients did not: its end is none to go back to."""
    path = tmp_path / "a.yaml"
    path.write_text(DIVERGING)
    more = [*LATE, "training.batch_size=64", "training.epochs=45"]
    undisturbed = run(load_config(path, more), tmp_path / "whole")
    (told,) = meta(undisturbed.folder)["retries"]
    epoch = int(re.search(r"in epoch (\d+), ", told)[1])
    with pytest.raises(KeyboardInterrupt):
        run(load_config(path, more), tmp_path / "runs", listeners=[Signal(epoch - 1)])
    folder = only_run(tmp_path / "runs")
    resume(folder)
    assert meta(folder)["retries"] == [told]
    assert bits(folder) == bits(undisturbed.folder)


@pytest.mark.parametrize("before", ["null", "{patience: 50}"])
def test_early_stopping_that_was_switched_holds_after_a_divergence_too(before, begun, jactrain):
    """Checkpoints of before know a best epoch, or none, that is of no use since."""
    after = "{patience: 5}" if before == "null" else "null"
    folder = begun(
        "runs",
        "optimizer={sgd: {learning_rate: 0.1}}",
        "network=[linear: {units: 8}, relu, linear]",
        f"training.early_stopping={before}",
    )
    rule = "training.on_divergence={reduce_learning_rate: 1e-39, retries: 1}"
    changes = ["optimizer.sgd.learning_rate=3e38", "training.epochs=8", rule]
    code, out, err = jactrain("resume", folder, *sets([*changes, f"training.early_stopping={after}"]))
    assert code == 0, err
    assert "going back to the end of epoch 4" in err
    assert "stopped early" not in out
    assert meta(folder)["epochs"] == 8
    assert meta(folder)["kept_epoch"] in ((5, 6, 7, 8) if after != "null" else (8,))


def test_a_divergence_before_the_first_checkpoint_says_how_to_begin_again(config, jactrain, tmp_path):
    code, _, err = jactrain("run", config, "--runs", tmp_path / "runs", "--set", HIGH)
    folder = only_run(tmp_path / "runs")
    assert code == 3
    assert f"; begin again with: jactrain resume {folder} --set optimizer.sgd.learning_rate=" in err
    assert "; " not in meta(folder)["exit_reason"]
    code, _, err = jactrain("resume", folder, "--set", "optimizer.sgd.learning_rate=0.1")
    assert code == 0, err


@pytest.mark.parametrize(("retries", "factor"), [(1, 1e-39), (2, 1e-20), (4, 1e-10)])
def test_a_retry_that_was_cut_off_is_noted_once(retries, factor, begun, jactrain, monkeypatch):
    folder = begun(
        "runs", "optimizer={sgd: {learning_rate: 0.1}}", "network=[linear: {units: 8}, relu, linear]"
    )
    rule = f"training.on_divergence={{reduce_learning_rate: {factor}, retries: {retries}}}"
    train = session.train
    times = []

    def cut_off(*arguments):
        times.append(0)
        if len(times) == retries + 1:
            raise KeyboardInterrupt
        return train(*arguments)

    monkeypatch.setattr(session, "train", cut_off)
    changes = ["optimizer.sgd.learning_rate=3e38", "training.epochs=6", rule]
    assert jactrain("resume", folder, *sets(changes))[0] == 130
    before = meta(folder)["retries"]
    assert len(before) == retries
    assert jactrain("resume", folder)[0] == 0
    assert meta(folder)["retries"] == before


def test_where_every_epoch_s_end_is_damaged_a_divergence_tells_how_to_go_on_within_one(tmp_path, jactrain):
    path = tmp_path / "a.yaml"
    path.write_text(DIVERGING)
    with pytest.raises(KeyboardInterrupt):
        run(load_config(path, LATE), tmp_path / "runs", listeners=[Signal(9)])
    folder = only_run(tmp_path / "runs")
    within, end = checkpoints(folder)[::-1]
    assert (within.name, end.name) == ("step-0000000010.npz", "step-0000000008.npz")
    halve(end)
    code, _, err = jactrain("resume", folder, "--set", "training.checkpoints.every=9")
    assert code == 3
    assert f"; go on from its last checkpoint with: jactrain resume {folder} --set" in err
    code, _, err = jactrain("resume", folder, "--set", "optimizer.sgd.learning_rate=0.1")
    assert code == 0, err
    assert "from epoch 1, step 10 on" in err


def test_a_divergence_of_a_run_without_checkpoints_tells_where_its_metrics_are(config, jactrain, tmp_path):
    none = "training.checkpoints=null"
    code, _, err = jactrain("run", config, "--runs", tmp_path / "runs", *sets([HIGH, none]))
    assert code == 3
    assert f"; its metrics are in {only_run(tmp_path / 'runs')}\n" in err


def test_a_comparison_at_the_step_gone_back_to_is_told_once(tmp_path, monkeypatch):
    path = tmp_path / "a.yaml"
    path.write_text(DIVERGING)
    often = "agreement={modes: [forward], every: 4, examples: 8}"
    monkeypatch.setattr(Comparison, "is_wrong", True)
    result = run(load_config(path, [*LATE, often]), tmp_path / "runs")
    assert meta(result.folder)["retries"]
    (steps,) = result.disagreements.values()
    lines = map(json.loads, (result.folder / "agreement.jsonl").read_text().splitlines())
    assert steps == [line["step"] for line in lines]
