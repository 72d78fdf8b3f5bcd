"""Every configuration of `configs/`, for two steps: what its run leaves, and what can be done with it."""

import csv
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import jactrain as package
from jactrain.modes.base import Exactness
from jactrain.runs.directory import RunDirectory
from jactrain.runs.model import Model

CONFIGS = Path(__file__).parents[2] / "configs"
# Half of the training examples, or a little more: two steps an epoch.
HALF = {
    "csv": 48,
    "diabetes": 170,
    "digits": 720,
    "friedman": 400,
    "iris": 60,
    "moons": 150,
    "activity_perturbation": 720,
    "auto": 228,
    "autoencoder": 720,
    "complex_step": 150,
    "direct_feedback_alignment": 720,
    "feedback_alignment": 150,
    "random_forward": 720,
    "revolve": 150,
    "spsa": 150,
}


ESTIMATED = {Exactness.UNBIASED, Exactness.BIASED}


@dataclass(frozen=True)
class Finished:
    """A configuration, and what running it printed and left."""

    config: Path
    out: str
    err: str
    run: RunDirectory

    @property
    def meta(self) -> dict[str, Any]:
        return json.loads(self.run.meta.read_text())


def shortened(config: Path) -> list[str]:
    # Half of the data at once takes more memory.
    more = {
        "auto": ["mode={auto: {memory: 2MiB}}"],
        "revolve": ["mode={reverse: {checkpoints: revolve, memory: 768KiB}}"],
    }.get(config.stem, [])
    changes = [*more, "training.epochs=1", f"training.batch_size={HALF[config.stem]}", "agreement.every=1"]
    return [argument for change in changes for argument in ("--set", change)]


def lines(path: Path) -> list[dict[str, Any]]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{path} holds {constant}")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def members(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


@pytest.fixture(scope="module", params=sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def finished(
    request: pytest.FixtureRequest, jactrain: Callable, tmp_path_factory: pytest.TempPathFactory
) -> Finished:
    config, runs = request.param, tmp_path_factory.mktemp("runs")
    done = jactrain("run", config, *shortened(config), "--runs", runs)
    assert done.code == 0, done.err
    (folder,) = runs.iterdir()
    return Finished(config, done.out, done.err, RunDirectory(folder))


def test_a_run_ends_with_its_folder_in_plain_text(finished: Finished) -> None:
    assert finished.out.splitlines()[-1] == str(finished.run.path)
    assert "\x1b" not in finished.out + finished.err
    assert "Warning" not in finished.err
    assert re.fullmatch(r"\d{8}T\d{6}Z-[\w.-]+-[0-9a-f]{4}", finished.run.path.name)


def test_a_run_names_its_folder_before_it_trains(finished: Finished) -> None:
    told = finished.err.splitlines()
    into = told.index(f"into {finished.run.path}")
    assert told[into - 1].startswith("training ")
    assert all(not line.startswith("epoch ") for line in told[:into])


def test_a_run_leaves_a_complete_folder(finished: Finished) -> None:
    assert {path.name for path in finished.run.path.iterdir()} == {
        "config.yaml",
        "config.resolved.yaml",
        "meta.json",
        "metrics.jsonl",
        "agreement.jsonl",
        "weights.npz",
        "log.txt",
        "checkpoints",
        ".lock",
    }
    assert finished.run.config.read_bytes() == finished.config.read_bytes()
    assert "epoch 1/1" in finished.run.log.read_text()


def test_a_run_tells_where_it_comes_from(finished: Finished) -> None:
    meta = finished.meta
    assert (meta["status"], meta["exit_reason"]) == ("finished", "all epochs were trained")
    assert meta["seed"] == package.load_config(finished.config).seed
    assert meta["versions"]["jactrain"] == package.__version__
    assert meta["versions"]["numpy"] == np.__version__
    assert meta["versions"]["python"]
    assert meta["versions"]["scikit-learn"]
    assert meta["argv"][1] == "run"
    assert meta["schema_version"] == 1
    assert meta["started"] <= meta["ended"]
    assert {"machine", "blas", "git"} <= set(meta)


def test_a_run_records_metrics_and_agreement(finished: Finished) -> None:
    (metrics,) = lines(finished.run.metrics)
    assert (metrics["step"], metrics["epoch"]) == (2, 1)
    assert metrics["multiply_adds"] > 0
    assert metrics["seconds"] > 0
    score = "accuracy" if "accuracy" in finished.out else "r2"
    assert {"train_loss", "validation_loss", f"train_{score}", f"validation_{score}"} <= set(metrics)
    config = package.load_config(finished.run.resolved_config)
    # A mode that trains without being exact is itself compared, with an exact one.
    exact = config.mode.exactness is Exactness.EXACT
    reference = config.mode.label if exact else "reverse"
    compared = {mode.label: mode for mode in [*([] if exact else [config.mode]), *config.agreement.modes]}
    compared.pop(reference, None)
    assert [(line["step"], line["mode"]) for line in lines(finished.run.agreement)] == [
        (step, mode) for step in (0, 1) for mode in compared
    ]
    for line in lines(finished.run.agreement):
        assert line["reference"] == reference
        estimated = compared[line["mode"]].exactness in ESTIMATED
        assert line["verdict"] == ("not comparable" if estimated else "agree")
        assert estimated or line["relative_error"] <= line["allowed"] < 1e-2
        assert line["reason"]
        assert all(
            block["verdict"] == line["verdict"] for block in line["blocks"].values() if not block["kinked"]
        )


def test_weights_are_finite_numbers_and_names(finished: Finished) -> None:
    weights = members(finished.run.weights)
    assert any(name.startswith("parameters/linear_1/") for name in weights)
    assert all(np.isfinite(array).all() for array in weights.values() if array.dtype.kind == "f")


def test_the_resolved_configuration_repeats_the_run(
    finished: Finished, jactrain: Callable, tmp_path: Path
) -> None:
    done = jactrain("run", finished.run.resolved_config, "--runs", tmp_path)
    assert done.code == 0, done.err
    again = RunDirectory(Path(done.out.splitlines()[-1]))
    first, second = members(finished.run.weights), members(again.weights)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], strict=True)
    assert again.resolved_config.read_bytes() == finished.run.resolved_config.read_bytes()


def test_evaluate_repeats_the_closing_metrics(finished: Finished, jactrain: Callable) -> None:
    (closing,) = lines(finished.run.metrics)
    evaluated = json.loads(jactrain("evaluate", finished.run.path, "--json").out)
    for part in ("train", "validation"):
        for score, value in evaluated[part].items():
            assert score == "examples" or value == closing[f"{part}_{score}"]
    plain = jactrain("evaluate", finished.run.path)
    assert [line.split()[0] for line in plain.out.splitlines()] == ["part", "train", "validation"]


def test_predict_reads_csv_and_npz_alike(finished: Finished, jactrain: Callable, tmp_path: Path) -> None:
    dataset = package.load_config(finished.config).data.load()
    x = dataset.x[:30]
    table, archive, out = tmp_path / "x.csv", tmp_path / "x.npz", tmp_path / "predicted.csv"
    np.savez(archive, x=x)
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["remark", *reversed(dataset.features)])  # found by their names, in any order
        writer.writerows(["new", *reversed(row)] for row in x.tolist())
    expected = Model.load(finished.run).predict(x)
    for file in (table, archive):
        done = jactrain("predict", finished.run.path, "--input", file, "--json")
        assert json.loads(done.out)["predictions"] == expected.tolist()
    plain = jactrain("predict", finished.run.path, "--input", table)
    header, *rows = list(csv.reader(plain.out.splitlines()))
    task = dataset.task
    assert header == (["class"] if hasattr(task, "classes") else list(task.targets))
    assert len(rows) == len(x)
    written = jactrain("predict", finished.run.path, "--input", table, "--out", out)
    assert (written.out, out.read_text()) == ("", plain.out)


@pytest.mark.parametrize("name", ["nowhere.csv", "nowhere.npz"])
def test_inputs_that_are_not_there_are_looked_for_in_the_current_folder(
    finished: Finished, jactrain: Callable, name: str
) -> None:
    done = jactrain("predict", finished.run.path, "--input", name)
    assert done.code == 2
    assert done.err == (
        f"error: {name}: there is no such file; a relative path is relative to the current folder\n"
    )


def test_a_dry_run_shows_the_plan_and_writes_nothing(
    jactrain: Callable, folder: Path, finished: Finished
) -> None:
    done = jactrain("run", finished.config, "--dry-run")
    assert done.code == 0
    assert "multiply-adds a step" in done.out
    facts = json.loads(jactrain("run", finished.config, "--dry-run", "--json").out)
    assert facts["multiply_adds_per_step"] > 0
    assert facts["parameters"] > 0
    assert list(folder.iterdir()) == []


def test_json_puts_the_result_alone_on_stdout(jactrain: Callable, folder: Path) -> None:
    config = CONFIGS / "iris.yaml"
    done = jactrain("run", config, *shortened(config), "--json")
    facts = json.loads(done.out)
    assert all(line.startswith("note: ") for line in done.err.splitlines())
    assert (facts["epochs"], facts["steps"]) == (1, 2)
    assert Path(facts["folder"]).parent == Path("runs")
    assert {line["mode"] for line in facts["agreement"]} == {"finite_difference", "forward"}
    (line,) = lines(RunDirectory(Path(facts["folder"])).metrics)
    assert facts["metrics"].items() <= line.items()


def test_every_configuration_is_among_these() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(HALF)


def test_the_configuration_is_kept_to_the_byte(jactrain: Callable, toy: Callable) -> None:
    path = toy()
    given = b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n")
    path.write_bytes(given)
    done = jactrain("run", path, "--set", "name=changed")
    run = RunDirectory(Path(done.out.splitlines()[-1]))
    assert run.config.read_bytes() == given
    assert "name: changed" in run.resolved_config.read_text()


def test_two_runs_at_once_get_two_folders(jactrain: Callable, toy: Callable) -> None:
    path = toy()
    folders = {jactrain("run", path).out.splitlines()[-1] for _ in range(2)}
    assert len(folders) == len(list(Path("runs").iterdir())) == 2


@pytest.mark.parametrize("form", [["--plugin", "one_way_plug_in"], ["--plugin=one_way_plug_in"]])
def test_a_run_with_a_plug_in_is_read_back_with_it_alone(
    jactrain: Callable, toy: Callable, plug_in: str, form: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from jactrain.layers import layers

    known = dict(layers._kinds)
    path = toy(("- tanh", "- one_way"), ("mode: reverse", "mode: forward"), ("[forward]", "[complex_step]"))
    run = jactrain("run", path, *form).out.splitlines()[-1]
    Path("x.csv").write_text("5,3,1,0\n")
    commands = [("evaluate", run), ("predict", run, "--input", "x.csv")]
    assert all(jactrain(*command, *form).code == 0 for command in commands)

    # Another process has not imported the module.
    monkeypatch.setattr(layers, "_kinds", known)
    sys.modules.pop(plug_in)
    for command in commands:
        done = jactrain(*command)
        assert done.code == 2
        assert done.err == (
            f"error: {run} was trained with --plugin {plug_in}, and its configuration cannot be read "
            f"without; give --plugin {plug_in} again (from Python: import {plug_in})\n"
        )
    assert all(jactrain(*command, *form).code == 0 for command in commands)


def test_a_damaged_configuration_of_a_run_is_told_as_such(jactrain: Callable, toy: Callable) -> None:
    run = RunDirectory(Path(jactrain("run", toy()).out.splitlines()[-1]))
    run.resolved_config.write_text(run.resolved_config.read_text().replace("tanh", "tahn"))
    for damage in (lambda: None, lambda: run.meta.write_text("no json"), run.meta.unlink):
        damage()
        assert "there is no layer 'tahn'; did you mean tanh?" in jactrain("evaluate", run.path).err
