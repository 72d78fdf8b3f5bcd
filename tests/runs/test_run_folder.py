"""The folder of a run, files written whole, and models read back."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from jactrain.config.build import build
from jactrain.config.load import validated
from jactrain.config.models import Config
from jactrain.config.yaml import parse
from jactrain.errors import ConfigurationError, FileAccessError, RunError, ShapeError, UsageError
from jactrain.files import as_json, write_atomically, write_text
from jactrain.runs.directory import RunDirectory
from jactrain.runs.model import Model, load_run
from jactrain.runs.run import run
from jactrain.runs.session import RunResult

TEXT = """\
name: squares
dtype: float64
data: {source: {npz: {path: squares.npz}}, scale: standard, scale_targets: standard}
network: [linear: {units: 3}, tanh, linear]
loss: mean_squared_error
optimizer: {sgd: {learning_rate: 0.1}}
training: {epochs: 2, batch_size: 8}
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    rng = np.random.default_rng(0)
    x = rng.normal(10, 3, (40, 2))
    np.savez(tmp_path / "squares.npz", x=x, y=np.stack([x[:, 0] ** 2, x[:, 1], x.sum(1)], axis=1))
    return validated(parse(TEXT, "squares.yaml"), Config, {"folder": tmp_path})


@pytest.fixture
def result(config: Config, tmp_path: Path) -> RunResult:
    return run(config, tmp_path / "runs")


def test_a_run_from_python_leaves_its_configuration(result: RunResult, config: Config) -> None:
    directory = RunDirectory.open(result.folder)
    assert directory.config.read_bytes() == directory.resolved_config.read_bytes()
    assert (result.epochs, result.steps) == (2, 8)
    assert json.loads(directory.meta.read_text())["status"] == "finished"


def test_a_model_predicts_in_the_units_of_the_data(result: RunResult) -> None:
    model = Model.load(RunDirectory.open(result.folder))
    np.testing.assert_array_equal(model.parameters, result.parameters)
    experiment = result.experiment
    own = experiment.input_scaling.invert(experiment.training.x)
    error = model.predict(own) - experiment.training.y
    assert np.isclose(np.sqrt((error**2).mean()), result.metrics["train_rmse"])


def test_a_run_takes_the_path_of_a_configuration_too(tmp_path: Path, config: Config) -> None:
    path = tmp_path / "squares.yaml"
    path.write_text("# mine\n" + TEXT)
    for given in (path, str(path)):
        result = run(given, tmp_path / "runs")
        assert (result.folder / "config.yaml").read_bytes() == path.read_bytes()
    path.write_text(TEXT.replace("batch_size: 8", "batch_size: 80"))
    with pytest.raises(ConfigurationError, match=r"squares\.yaml:7:23: training\.batch_size: "):
        run(path, tmp_path / "runs")


def test_a_run_and_its_folder_predict_the_same(result: RunResult) -> None:
    x = np.random.default_rng(1).normal(10, 3, (5, 2))
    loaded = load_run(str(result.folder))
    np.testing.assert_array_equal(result.predict(x), loaded.predict(x), strict=True)
    assert result.predict(x).shape == (5, 3)


def test_a_single_yes_or_no_column_is_predicted_as_a_column(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(10, 3, (40, 2))
    np.savez(tmp_path / "squares.npz", x=x, y=(x[:, 0] > 10).astype(float))
    text = TEXT.replace("mean_squared_error", "binary_cross_entropy").replace("scale_targets: standard", "")
    config = validated(parse(text, "squares.yaml"), Config, {"folder": tmp_path})
    predicted = run(config, tmp_path / "runs").predict(x)
    assert predicted.shape == (40, 1)
    assert set(predicted.ravel()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (np.ones(2), r"inputs are \(N, 2\) with N at least 1 .*, not \(2,\); give one example as x\[None\]"),
        (np.ones((3, 4)), r"not \(3, 4\)$"),
        (np.ones((0, 2)), r"not \(0, 2\)$"),
        (3.0, r"not \(\)$"),
    ],
)
def test_inputs_of_another_shape_are_refused(result: RunResult, x: object, said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        result.predict(x)


def test_results_and_models_are_shown_without_their_data(result: RunResult) -> None:
    assert repr(result) == f"RunResult(folder={str(result.folder)!r}, metrics={result.metrics})"
    assert repr(load_run(result.folder)) == (
        "Model(input_shape=(2,), targets=['y1', 'y2', 'y3'], parameters=21)"
    )
    assert "array" not in repr(result.experiment)


def test_a_model_is_applied_in_portions(result: RunResult, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model.load(RunDirectory.open(result.folder))
    x = np.random.default_rng(1).random((11, 2))
    whole = model.predict(x)
    monkeypatch.setattr("jactrain.runs.model._PORTION", 4)
    np.testing.assert_allclose(model.predict(x), whole, rtol=1e-14)


def test_nothing_is_written_unless_everything_could_be_built(config: Config, tmp_path: Path) -> None:
    (tmp_path / "squares.npz").unlink()
    bad = validated(parse(TEXT, "squares.yaml"), Config, {"folder": tmp_path})
    with pytest.raises(ConfigurationError, match=r"data\.source\.npz: .*there is no such file"):
        run(bad, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_failure_while_training_is_recorded(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("jactrain.runs.recorder.Recorder.on_epoch", full)
    with pytest.raises(OSError, match="No space"):
        run(config, tmp_path / "runs")
    (folder,) = (tmp_path / "runs").iterdir()
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["status"] == "failed"
    assert "No space left on device" in meta["exit_reason"]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "has no weights.npz: this run was not trained to an end"),
        (lambda path: path.write_bytes(b"no archive"), "the trained parameters cannot be read: "),
        (lambda path: path.write_bytes(path.read_bytes()[:500]), "the trained parameters cannot be read: "),
        (lambda path: change(path, "parameters/linear_1/bias", np.zeros(4)), r"has shape \(4,\), but .*"),
        (lambda path: change(path, "classes", np.array([print])), "holds Python objects, which are never"),
        (lambda path: change(path, "parameters/linear_1/bias", np.array(["a"] * 3)), "not <U1 of"),
        (lambda path: change(path, "parameters/linear_1/bias", np.full(3, np.nan)), "finite numbers"),
        (lambda path: change(path, "input_shape", np.array([2.5])), "input_shape is 1 to 32 whole numbers"),
        (lambda path: change(path, "input_shape", np.array(["2"])), "input_shape is 1 to 32 whole numbers"),
        (lambda path: change(path, "input_shape", np.array(2)), "input_shape is 1 to 32 whole numbers"),
        (lambda path: change(path, "input_shape", np.array([-2])), "input_shape is 1 to 32 whole numbers"),
        (lambda path: change(path, "input_shape", np.ones(64, int)), "input_shape is 1 to 32 whole numbers"),
        (lambda path: change(path, "input_shape", np.array([3])), "features is none, or a name"),
        (lambda path: change(path, "classes", np.array([1, 2])), "classes is a list of texts, not int64"),
        (lambda path: change(path, "classes", np.array("a")), "classes is a list of texts, not <U1"),
        (lambda path: change(path, "classes", np.array(["a", "b"])), "one of them empty, not 2 and 3"),
        (lambda path: change(path, "targets", np.array([], str)), "one of them empty, not 0 and 0"),
        (lambda path: change(path, "features", np.array(["a"])), "features is none, or a name"),
        (lambda path: change(path, "scaling/inputs/scale", np.ones(5)), r"shape \(2,\), not float64"),
        (lambda path: change(path, "scaling/inputs/scale", np.zeros(2)), "numbers above 0, not some that"),
        (lambda path: change(path, "scaling/inputs/offset", np.array(["a", "b"])), "not <U1 of"),
        (lambda path: change(path, "scaling/targets/offset", np.full(3, np.inf)), "finite numbers, not some"),
        (lambda path: change(path, "scaling/targets/offset", np.ones(2)), "targets/scale is float32 or"),
    ],
)  # fmt: skip
def test_damaged_weights_are_refused(result: RunResult, damage, said: str) -> None:
    directory = RunDirectory.open(result.folder)
    damage(directory.weights)
    with pytest.raises(RunError, match=said):
        Model.load(directory)


def change(path: Path, name: str, value: np.ndarray) -> None:
    with np.load(path) as archive:
        arrays = dict(archive)
    np.savez(path, **{**arrays, name: value})


def test_a_folder_is_named_by_time_name_and_four_digits(tmp_path: Path) -> None:
    created = [RunDirectory.create(tmp_path / "deep" / "runs", "a.b").path for _ in range(3)]
    assert len(set(created)) == 3
    assert all(re.fullmatch(r"\d{8}T\d{6}Z-a\.b-[0-9a-f]{4}", path.name) for path in created)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for base in (tmp_path / "file", tmp_path / "file" / "runs"):
        with pytest.raises(FileAccessError, match="choose another place with --runs"):
            RunDirectory.create(base, "a")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "first")

    def fail(file) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, fail)
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["n" * 300, "nowhere/a.txt", "file/a.txt"])
def test_a_file_that_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot be written: .*; choose another place, or look at its"):
        write_text(tmp_path / name, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_longest_name_that_the_system_takes_can_be_written(tmp_path: Path) -> None:
    write_text(tmp_path / ("n" * 255), "text")
    assert (tmp_path / ("n" * 255)).read_text() == "text"


def test_a_path_that_the_system_refuses_is_no_run() -> None:
    with pytest.raises(UsageError, match="n… cannot be reached: File name too long"):
        load_run("n" * 5000)


def test_json_holds_null_for_what_is_not_finite() -> None:
    value = {"a": [float("nan"), (1.5, float("-inf"))], "b": {1: None}, "c": "é"}
    assert as_json(value) == '{"a": [null, [1.5, null]], "b": {"1": null}, "c": "é"}'


def test_an_experiment_is_built_from_python(config: Config) -> None:
    experiment = build(config)
    assert experiment.network.output_shape == (3,)
    assert experiment.features == ("x1", "x2")
    assert len(experiment.training.x) == 32
    np.testing.assert_allclose(experiment.training.x.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(experiment.training.targets.std(0), 1)
