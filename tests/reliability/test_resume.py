"""Going on with runs: interrupted, damaged, edited, finished, under another engine."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from filelock import FileLock
from run_folders import bits, checkpoints, everything, halve, meta, only_run, resolved, sets

from jactrain.errors import CheckpointError
from jactrain.runs import data_record, model
from jactrain.runs.directory import RunDirectory
from jactrain.runs.lock import is_held, locked
from jactrain.training.checkpoint import load

# A shell that starts tests in the background lets them ignore SIGINT; the child must not inherit that.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from jactrain.cli import main; main()"
)
# Sleeps from the fifth comparison of modes on, so that a signal finds the training within an epoch.
SLOW = (
    "import time, jactrain.runs.recorder as recorder; agreement = recorder.Recorder.agreement; calls = []\n"
    "def slow(self, *arguments):\n"
    "    agreement(self, *arguments); calls.append(1); time.sleep(SECONDS if len(calls) > 4 else 0)\n"
    "recorder.Recorder.agreement = slow\n"
)


def started(config, runs, seconds):
    """Start a run in a process of its own; return it when it has compared modes for the fifth time."""
    program = SLOW.replace("SECONDS", str(seconds)) + PROGRAM
    arguments = ["run", str(config), "--runs", str(runs)]
    child = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    while child.poll() is None:
        folder = only_run(runs)
        lines = folder / "agreement.jsonl" if folder else None
        if lines is not None and lines.is_file() and lines.read_bytes().count(b"\n") >= 5:
            return child, folder
    raise AssertionError(child.communicate())


def test_a_training_is_not_taken_back(begun, jactrain):
    folder = begun()
    before = resolved(folder)
    code, _, err = jactrain("resume", folder, "--set", "training.epochs=2")
    assert code == 2
    assert "was trained for 4 epochs, and training.epochs is 2" in err
    assert resolved(folder) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_goes_on_with_the_same_bits(number, config, begun, jactrain, tmp_path):
    expected = bits(begun("whole"))
    child, folder = started(config, tmp_path / "runs of é", 0.15)
    child.send_signal(number)
    out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (130, "")
    command = f"jactrain resume {shlex.quote(str(folder))}"
    assert err.splitlines()[-1] == f"interrupted; go on with: {command}"
    assert "stopping at the end of this step" in err
    assert meta(folder)["status"] == "interrupted"
    assert load(checkpoints(folder)[-1]).state.order is not None  # within an epoch
    code, out, err = jactrain(*shlex.split(command)[1:])
    assert (code, out.splitlines()[-1]) == (0, str(folder)), err
    assert bits(folder) == expected
    assert meta(folder)["status"] == "finished"


def test_a_second_signal_stops_at_once(config, tmp_path):
    child, folder = started(config, tmp_path / "runs", 60)
    time.sleep(0.1)  # the line is there, and now it sleeps
    child.send_signal(signal.SIGINT)
    while "stopping" not in child.stderr.readline():
        assert child.poll() is None
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=10)
    assert child.returncode == 130
    assert err.splitlines()[-1] == f"interrupted; go on with: jactrain resume {folder}"
    assert meta(folder)["status"] == "interrupted"


def test_a_run_is_trained_by_one_process_at_a_time(config, tmp_path, jactrain):
    child, folder = started(config, tmp_path / "runs", 60)
    try:
        before = everything(folder)
        code, out, err = jactrain("resume", folder)
        assert (code, out) == (2, "")
        assert f"another process is training in {folder}" in err
        assert everything(folder) == before
    finally:
        child.kill()
        child.communicate()
    assert jactrain("resume", folder)[0] == 0


def flip_parameters(path):
    data = bytearray(path.read_bytes())
    data[data.index(b"parameters.npy") + 200] ^= 1
    path.write_bytes(data)


def change_parameters(path):
    """Change a number and write a faultless npz file, which only digests tell from the one that was."""
    with np.load(path) as file:
        arrays = dict(file)
    arrays["parameters"][0] += 1
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("damage", "member"),
    [(halve, ""), (flip_parameters, "parameters"), (change_parameters, "parameters")],
)
def test_a_damaged_checkpoint_is_passed_over(damage, member, begun, jactrain):
    folder = begun()
    expected, newest = bits(folder), checkpoints(folder)[-1]
    damage(newest)
    code, _, err = jactrain("resume", folder)
    assert code == 0, err
    (note,) = (line for line in err.splitlines() if line.startswith("note: ") and "damaged" in line)
    assert note.startswith(f"note: {newest} is damaged: ")
    assert note.endswith("an older checkpoint is taken")
    assert member in note.replace(str(newest), "")
    assert note.count(newest.name) == 1
    assert "anew" not in note
    assert "from epoch 3, step 15 on" in err
    assert bits(folder) == expected
    assert any("damaged" in each for each in meta(folder)["resumed"][-1]["notes"])


def test_a_run_whose_checkpoints_are_all_damaged_is_left_as_it_is(begun, jactrain):
    folder = begun()
    for path in checkpoints(folder):
        halve(path)
    before = everything(folder)
    code, out, err = jactrain("resume", folder)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {checkpoints(folder)[-1]} is damaged: ")
    assert "no older checkpoint is whole: train anew with" in err
    assert everything(folder) == before


def test_no_flipped_bit_of_a_checkpoint_is_believed(begun):
    path = checkpoints(begun())[-1]
    whole, data = load(path), path.read_bytes()
    refused = 0
    for number in np.random.default_rng(0).choice(8 * len(data), 300, replace=False):
        damaged = bytearray(data)
        damaged[number // 8] ^= 1 << number % 8
        path.write_bytes(damaged)
        try:
            came = load(path)
        except CheckpointError as error:
            assert str(path) in str(error)  # noqa: PT017 - times and the like in the file are no content
            refused += 1
        else:
            assert came.record == whole.record, number
            assert np.array_equal(came.state.parameters, whole.state.parameters), number
            assert came.state.optimizer.keys() == whole.state.optimizer.keys(), number
    assert refused > 200


def test_a_configuration_edited_by_hand_is_refused_and_by_set_recorded(begun, jactrain):
    folder = begun()
    path = folder / "config.resolved.yaml"
    before = path.read_text()
    path.write_text(before.replace("learning_rate: 0.01", "learning_rate: 0.02"))
    code, _, err = jactrain("resume", folder)
    assert code == 2
    said = "optimizer.adam.learning_rate was 0.01 when the checkpoint was written and is 0.02"
    assert f"{path}: {said}" in err
    path.write_text(before)
    changes = {"optimizer.adam.learning_rate": 0.02, "training.epochs": 5}
    code, _, err = jactrain("resume", folder, *sets(f"{key}={value}" for key, value in changes.items()))
    assert code == 0, err
    assert meta(folder)["resumed"][-1]["set"] == changes
    assert resolved(folder)["optimizer"]["adam"]["learning_rate"] == 0.02
    assert resolved(folder)["training"]["epochs"] == 5
    assert jactrain("resume", folder)[0] == 0


@pytest.mark.parametrize(("old", "new"), [("null", "{patience: 3}"), ("{patience: 3}", "null")])
def test_the_advice_on_an_edited_configuration_can_be_followed(old, new, begun, jactrain):
    """Between null and a mapping, too, old and new value are named and what is said works."""
    folder = begun("runs", f"training.early_stopping={old}")
    checkpoints(folder)[-1].unlink()  # so that there is something left to train
    document = resolved(folder)
    document["training"]["early_stopping"] = yaml.safe_load(new)
    (folder / "config.resolved.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    code, _, err = jactrain("resume", folder)
    assert code == 2
    was, now = re.search(r"was (.*) when the checkpoint was written and is (.*); put it back", err).groups()
    assert was != now, err
    code, _, err = jactrain("resume", folder, *shlex.split(re.search(r"--set .*", err)[0]))
    assert code == 0, err


@pytest.mark.parametrize(
    "change",
    [
        "network.0.linear.units=9",
        "network.2.dropout.rate=0.3",
        "seed=1",
        "dtype=float64",
        "loss=mean_squared_error",
        "training.batch_size=14",
    ],
)
def test_what_a_training_is_cannot_be_changed(change, begun, jactrain):
    folder = begun()
    before = everything(folder)
    code, out, err = jactrain("resume", folder, "--set", change)
    assert (code, out) == (2, "")
    assert f"{change.partition('=')[0]} was " in err
    assert "a training that has begun cannot change it" in err
    assert everything(folder) == before


def test_a_finished_run_trained_for_longer_has_the_bits_of_a_long_one(begun, jactrain):
    expected = bits(begun("long", "training.epochs=7"))
    folder = begun()
    code, _, err = jactrain("resume", folder, "--set", "training.epochs=7")
    assert code == 0, err
    assert bits(folder) == expected
    assert resolved(folder)["training"]["epochs"] == 7


def test_a_finished_run_stays_what_it_is(begun, jactrain):
    folder = begun()
    expected = bits(folder)
    code, out, err = jactrain("resume", folder)
    assert code == 0
    assert "from epoch 4, step 20 on" in err
    assert out.startswith("4 epochs, 20 steps")
    assert bits(folder) == expected
    assert meta(folder)["status"] == "finished"


def test_a_run_that_was_stopped_early_is_told_how_to_go_on(begun, jactrain):
    folder = begun("runs", "training.early_stopping={patience: 1, minimum_improvement: 10}")
    assert meta(folder)["epochs"] == 2
    code, _, err = jactrain("resume", folder)
    assert code == 0
    (advice,) = re.findall(r"was stopped early; --set (\S+) trains it for longer", err)
    code, _, err = jactrain("resume", folder, "--set", advice)
    assert (code, meta(folder)["epochs"]) == (0, 4), err


def test_a_change_need_not_be_said_again_after_a_kill(begun, jactrain, monkeypatch):
    """The training ends after `--set` was recorded, before its first checkpoint."""
    folder = begun()

    def end(*_):
        raise SystemExit(9)

    with monkeypatch.context() as patch:
        patch.setattr("jactrain.runs.session.train", end)
        assert jactrain("resume", folder, "--set", "training.epochs=6")[0] == 9
    assert resolved(folder)["training"]["epochs"] == 6
    code, _, err = jactrain("resume", folder)
    assert code == 0, err
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 6


def test_a_change_before_the_first_checkpoint_is_recorded(begun, jactrain):
    folder = begun()
    for path in [*checkpoints(folder), folder / "weights.npz"]:
        path.unlink()  # as of a run that was killed in its first epoch
    code, _, err = jactrain("resume", folder, "--set", "training.epochs=6")
    assert code == 0, err
    assert meta(folder)["resumed"][-1]["set"] == {"training.epochs": 6}
    assert resolved(folder)["training"]["epochs"] == 6


@pytest.mark.parametrize("name", ["metrics.jsonl", "agreement.jsonl"])
def test_lines_that_were_removed_are_not_replaced_by_zeros(name, begun, jactrain):
    folder = begun()
    checkpoints(folder)[-1].unlink()
    (folder / name).unlink()
    jactrain("resume", folder)
    assert not (folder / name).exists() or b"\0" not in (folder / name).read_bytes()


def test_a_run_without_checkpoints_is_not_resumed(begun, jactrain):
    folder = begun("runs", "training.checkpoints=null")
    before = everything(folder)
    code, out, err = jactrain("resume", folder)
    assert (code, out) == (2, "")
    assert f"{folder} keeps no checkpoints (training.checkpoints is null); train anew with jactrain" in err
    assert everything(folder) == before


def test_weights_of_before_a_training_went_on_are_told_apart(begun, jactrain):
    folder = begun(
        "runs", "optimizer={sgd: {learning_rate: 0.1}}", "network=[linear: {units: 8}, relu, linear]"
    )
    assert meta(folder)["weights"] == {"epoch": 4, "step": meta(folder)["steps"]}
    assert "note" not in jactrain("evaluate", folder)[2]
    changes = ["optimizer.sgd.learning_rate=3e38", "training.epochs=6"]
    assert jactrain("resume", folder, *sets(changes))[0] == 3
    code, _, err = jactrain("evaluate", folder)
    assert code == 0
    kept = "note: the weights are of epoch 4, kept at step 20; the training"
    assert err == (
        f"{kept} then went on, and diverged; go on with it: jactrain resume {folder} "
        "--set optimizer.sgd.learning_rate=…\n"
    )
    (folder / "meta.json").write_text(json.dumps(meta(folder) | {"status": "running"}))
    _, _, err = jactrain("evaluate", folder)
    assert err == (f"{kept} then went on, and was killed; go on with it: jactrain resume {folder}\n")


def test_other_data_are_refused_and_the_same_by_another_numpy_are_taken(begun, jactrain, monkeypatch):
    folder, path = begun(), "jactrain.runs.provenance.library_versions"
    expected = bits(folder)
    checkpoints(folder)[-1].unlink()
    monkeypatch.setattr(path, lambda: {"numpy": "99.0"})
    arrays = data_record._arrays

    def moved(by):
        def changed(experiment):
            x, *others = arrays(experiment)
            return [x * (1 + by), *others]

        return changed

    before = everything(folder)
    monkeypatch.setattr(data_record, "_arrays", moved(1e-2))
    code, _, err = jactrain("resume", folder)
    assert code == 2
    assert "others than those it was begun with; put them back, or start a new run with jactrain run" in err
    assert everything(folder) == before
    monkeypatch.setattr(data_record, "_arrays", moved(3e-7))
    code, _, err = jactrain("resume", folder)
    assert code == 0, err
    assert "the data are others in their last digits than those that the training was begun with" in err
    assert bits(folder) == expected


def test_a_run_killed_before_its_first_checkpoint_is_told_how_to_go_on(begun, jactrain):
    folder = begun()
    (folder / "weights.npz").unlink()
    for path in checkpoints(folder):
        path.unlink()
    code, _, err = jactrain("evaluate", folder)
    assert code == 2
    assert f"was not trained to an end; go on with it: jactrain resume {folder}" in err


def test_who_looks_whether_a_folder_is_locked_is_waited_for(begun, monkeypatch):
    monkeypatch.setattr("jactrain.runs.lock._PATIENCE", 5.0)  # a busy machine lets a timer wait, too
    folder = RunDirectory(begun())
    lock = FileLock(folder.lock, thread_local=False)
    lock.acquire()
    threading.Timer(0.02, lock.release).start()
    with locked(folder):
        assert is_held(folder)
    assert is_held(folder) is False


def test_early_stopping_may_be_switched_on_and_off(begun, jactrain):
    rule = "training.early_stopping={patience: 1, minimum_improvement: 10}"
    folder = begun("runs", rule)
    assert (meta(folder)["epochs"], meta(folder)["kept_epoch"]) == (2, 1)
    assert jactrain("resume", folder, "--set", "training.early_stopping=null")[0] == 0
    assert (meta(folder)["epochs"], meta(folder)["kept_epoch"]) == (4, 4)
    assert jactrain("resume", folder, *sets([rule, "training.epochs=8"]))[0] == 0
    assert (meta(folder)["epochs"], meta(folder)["kept_epoch"]) == (6, 5)


@pytest.mark.parametrize("name", ["metrics.jsonl", "agreement.jsonl"])
def test_lines_that_somebody_made_longer_are_cut_whole(name, begun, jactrain):
    folder = begun()
    lines = (folder / name).read_text().splitlines(keepends=True)
    (folder / name).write_text("".join([lines[0].replace("{", '{"mine": "a note", ', 1), *lines[1:]]))
    code, _, err = jactrain("resume", folder, "--set", "training.epochs=6")
    assert code == 0, err
    assert f"{name} was changed: byte " in err
    kept = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    assert kept[0]["mine"] == "a note"


def test_weights_are_evaluated_where_the_record_beside_them_is_a_pipe(begun, jactrain):
    folder = begun()
    (folder / "meta.json").unlink()
    os.mkfifo(folder / "meta.json")
    assert jactrain("evaluate", folder)[0] == 0


def test_a_run_goes_on_under_another_engine_and_back(begun, jactrain):
    pytest.importorskip("jax")
    with np.load(begun("whole", "dtype=float64", "training.epochs=9") / "weights.npz") as file:
        expected = dict(file)
    folder = begun("runs", "dtype=float64", "training.epochs=3")
    for epochs, engine in [(6, "jax"), (9, "numpy")]:
        changes = [f"training.epochs={epochs}", f"engine={engine}"]
        code, _, err = jactrain("resume", folder, *sets(changes))
        assert code == 0, err
        assert meta(folder)["engine"]["kind"] == engine
    with np.load(folder / "weights.npz") as file:
        names = [name for name in file.files if name.startswith("parameters/")]
        assert names
        for name in names:
            np.testing.assert_allclose(file[name], expected[name], rtol=0, atol=1e-10)


def test_runs_of_one_second_get_a_folder_each(tmp_path):
    runs = tmp_path / "a folder, größer ✓"
    made = {RunDirectory.create(runs, "one").path for _ in range(20)}
    assert len(made) == 20
    assert set(runs.iterdir()) == made


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="only Linux has a folder nobody can write into")
def test_where_the_current_folder_cannot_be_written_runs_go_elsewhere(
    config, jactrain, monkeypatch, tmp_path
):
    monkeypatch.chdir("/proc")
    code, out, err = jactrain("run", config)
    assert (code, out) == (2, "")
    assert "a folder in runs cannot be made" in err
    assert "choose another place with --runs" in err
    runs = tmp_path / "els ewhere ü"
    code, out, err = jactrain("run", config, "--runs", runs)
    assert code == 0, err
    assert out.splitlines()[-1] == str(only_run(runs))
    assert jactrain("resume", only_run(runs))[0] == 0


def test_the_best_weights_of_other_data_are_not_kept(begun, jactrain):
    """They belong to another scale of the inputs."""
    rule = "training.early_stopping={patience: 50}"
    folder = begun("runs", rule)
    changes = ["data.scale=minmax", "training.epochs=8", "optimizer.adam.learning_rate=1e-9"]
    code, _, err = jactrain("resume", folder, *sets(changes))
    assert code == 0, err
    assert meta(folder)["kept_epoch"] > 4
    shown = json.loads(jactrain("evaluate", folder, "--json")[1])
    last = json.loads((folder / "metrics.jsonl").read_text().splitlines()[meta(folder)["kept_epoch"] - 1])
    assert shown["train"]["loss"] == last["train_loss"]


def test_another_kind_of_optimizer_is_refused_with_what_trains_with_it(begun, jactrain):
    folder = begun()
    change = "optimizer={sgd: {learning_rate: 0.1}}"
    code, _, err = jactrain("resume", folder, "--set", change, "--set", "training.epochs=6")
    assert code == 2
    assert "a training that has begun cannot change it; start a new run with jactrain run" in err
    command = shlex.split(re.search(r"start a new run with jactrain (.*)", err)[1])
    code, out, err = jactrain(*command, "--runs", folder.parent)
    assert code == 0, err
    assert list(resolved(Path(out.splitlines()[-1]))["optimizer"]) == ["sgd"]


def test_settings_that_nothing_would_be_trained_with_are_refused_and_not_recorded(begun, jactrain):
    folder = begun()
    before = bits(folder), meta(folder), resolved(folder)
    code, _, err = jactrain("resume", folder, "--set", "optimizer.adam.learning_rate=0.001")
    assert code == 2
    told = f"nothing would be trained with what is set: {folder} was trained to its end; --set training"
    assert told in err
    assert (bits(folder), meta(folder), resolved(folder)) == before
    assert jactrain("resume", folder)[0] == 0


def test_weights_of_a_run_that_is_being_trained_are_told_without_advice(begun, jactrain):
    folder = begun()
    (folder / "meta.json").write_text(json.dumps(meta(folder) | {"status": "running"}))
    with locked(RunDirectory(folder)):
        code, _, err = jactrain("evaluate", folder)
    assert (code, err) == (
        0,
        "note: the weights are of epoch 4, kept at step 20; the training goes on at this moment\n",
    )


def test_weights_of_a_run_that_nobody_can_ask_after_are_told_so(begun, jactrain, monkeypatch):
    folder = begun()
    (folder / "meta.json").write_text(json.dumps(meta(folder) | {"status": "running"}))
    monkeypatch.setattr(model, "is_held", lambda directory: None)
    code, _, err = jactrain("evaluate", folder)
    assert code == 0
    assert err.endswith("the training goes on at this moment, or was killed\n")


def test_inputs_near_the_largest_numbers_are_trained_on_and_known_again(config, jactrain, tmp_path):
    x = np.random.default_rng(0).uniform(0.5, 1, (40, 3)) * 3e38
    np.savez(tmp_path / "large.npz", x=x, y=x[:, :1] / 3e38)
    changes = ["network=[linear: {units: 2}, tanh, linear]", "loss=mean_squared_error", "agreement=null"]
    source = f"{{npz: {{path: {tmp_path / 'large.npz'}}}}}"
    changes.append(f"data={{source: {source}, scale: none, validation: 0.25}}")
    code, _, err = jactrain("run", config, "--runs", tmp_path / "runs", *sets(changes))
    assert code == 0, err
    folder = only_run(tmp_path / "runs")
    assert checkpoints(folder)
    assert jactrain("resume", folder, "--set", "training.epochs=5")[0] == 0


def test_what_cannot_be_resumed_is_not_advised_to(begun, jactrain):
    folder = begun()
    config = folder / "config.resolved.yaml"
    config.write_text(config.read_text().replace("engine: numpy", "engine: {jax: {distributed: true}}"))
    (folder / "weights.npz").unlink()
    code, _, err = jactrain("evaluate", folder)
    assert code == 2
    assert "jactrain resume" not in err
