"""Every mistake ends in a message with its place and a way out, exit code 2, and nothing written."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

PROGRAM = [sys.executable, "-m", "jactrain"]

SOURCE = "source: iris, scale: standard"
SQUARED = ("cross_entropy", "mean_squared_error")


def from_file(kind: str, name: str) -> tuple[str, str]:
    return SOURCE, f"source: {{{kind}: {{path: {name}}}}}"


def last(layer: str) -> tuple[str, str]:
    return "  - linear\nloss", f"  - {layer}\nloss"


def second(layer: str) -> tuple[str, str]:
    return "- tanh", f"- {layer}"


# Changes of the toy configuration, then what is said of them.
MISTAKES: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "unknown key": ([("mode:", "mod:")], ["toy.yaml:8:1: mod: unknown key 'mod'; did you mean mode?"]),
    "unknown key within": (
        [("batch_size", "batchsize")],
        ["toy.yaml:10:23: training.batchsize: unknown key 'batchsize'; did you mean batch_size?"],
    ),
    "unknown kind": (
        [second("tahn")],
        ["toy.yaml:5:5: network.1: there is no layer 'tahn'; did you mean tanh?"],
    ),
    "wrong type": (
        [("epochs: 1", "epochs: one")],
        ["toy.yaml:10:12: training.epochs: expected an integer, not 'one'"],
    ),
    "name of a loss elsewhere": (
        [("cross_entropy", "mse")],
        ["toy.yaml:7:1: loss: there is no loss 'mse'; did you mean mean_squared_error?"],
    ),
    "name of a mode elsewhere": (
        [("mode: reverse", "mode: backprop")],
        ["toy.yaml:8:1: mode: there is no mode 'backprop'; did you mean reverse?"],
    ),
    "name of a mode in the plural": (
        [("mode: reverse", "mode: finite_differences")],
        ["toy.yaml:8:1: mode: there is no mode 'finite_differences'; did you mean finite_difference?"],
    ),
    "an optimizer that is a number": (
        [("optimizer: {sgd: {learning_rate: 0.1}}", "optimizer: 0.1")],
        ["toy.yaml:9:1: optimizer: an optimizer is its name ("],
    ),
    "nothing to compare": (
        [("[forward]", "[]")],
        ["toy.yaml:11:13: agreement.modes: ", "write agreement: null (--set agreement=null)"],
    ),
    "missing key": ([("loss: cross_entropy\n", "")], ["toy.yaml:1:1: missing key 'loss'"]),
    "out of range": (
        [("rate: 0.1", "rate: -1")],
        ["toy.yaml:9:19: optimizer.sgd.learning_rate: expected a number greater than 0", "not -1"],
    ),
    "not finite": (
        [("rate: 0.1", "rate: .nan")],
        ["toy.yaml:9:19: optimizer.sgd.learning_rate: expected a number greater than 0", "not nan"],
    ),
    "name that is a path": ([("name: toy", "name: ../toy")], ["toy.yaml:1:1: name: ", "not '../toy'"]),
    "no layers": (
        [("  - linear: {units: 4}\n  - tanh\n  - linear\n", "  []\n")],
        ["toy.yaml:3:1: network: expected a length of at least 1"],
    ),
    "linear after a matrix": (
        [from_file("npz", "matrix.npz"), SQUARED],
        ["toy.yaml:4:5: network.0: linear_1: ", "shape (3, 4); put `flatten` before it"],
    ),
    "residual that changes the size": (
        [second("residual: {network: [linear: {units: 5}]}")],
        ["toy.yaml:5:5: network.1: residual_1: ", "input (4,)", "linear_1, gives (5,); make the two equal"],
    ),
    "residual within a residual": (
        [second("residual: {network: [tanh, residual: {network: [linear: {units: 5}, tanh]}]}")],
        ["toy.yaml:5:32: network.1.residual.network.1: residual_1/residual_1: ", "(4,)", "tanh_1, gives (5,"],
    ),
    "loss for numbers": (
        [SQUARED],
        ["toy.yaml:7:1: loss: mean_squared_error compares numbers", "3 classes; use cross_entropy"],
    ),
    "loss for classes": (
        [("iris", "diabetes")],
        ["toy.yaml:7:1: loss: cross_entropy compares classes", "use mean_squared_error"],
    ),
    "loss for two classes": (
        [("cross_entropy", "binary_cross_entropy")],
        ["toy.yaml:7:1: loss: binary_cross_entropy takes two classes", "have 3; use cross_entropy"],
    ),
    "units that are not the classes": (
        [last("linear: {units: 7}")],
        [
            "toy.yaml:6:5: network.2: cross_entropy needs 3 outputs for these targets, but linear_2 gives 7",
            "\n    end the network with `linear` without units, or with units: 3",
        ],
    ),
    "an activation at the end": (
        [last("tanh")],
        ["toy.yaml:6:5: network.2: cross_entropy needs 3 outputs", "tanh_2 gives 4"],
    ),
    "binary labels outside 0 to 1": (
        [from_file("npz", "large.npz"), ("cross_entropy", "binary_cross_entropy")],
        ["toy.yaml:7:1: loss: binary_cross_entropy takes targets from 0 to 1, but example ", "use mean_sq"],
    ),
    "csv with a missing value": (
        [from_file("csv", "missing.csv"), SQUARED],
        ["toy.yaml:2:17: data.source.csv: ", "missing.csv:3: column 'b': the value is missing\n", "   Every"],
    ),
    "csv with text among numbers": (
        [from_file("csv", "text.csv"), SQUARED],
        ["toy.yaml:2:17: data.source.csv: ", "text.csv:3: column 'b': 'x' is text, not a number\n"],
    ),
    "csv with many mistakes": (
        [from_file("csv", "bad.csv"), SQUARED],
        ["bad.csv:2: column 'a'", "bad.csv:3: column 'b'", "bad.csv:4: this row has 2 cells, the first "],
    ),
    "csv that is empty": (
        [from_file("csv", "empty.csv"), SQUARED],
        ["toy.yaml:2:17: data.source.csv: ", "empty.csv: the file is empty; a table has a row"],
    ),
    "data that are not there": (
        [from_file("csv", "nowhere.csv"), SQUARED],
        ["toy.yaml:2:17: data.source.csv: ", "nowhere.csv: there is no such file; a relative path is"],
    ),
    "npz with a nan": (
        [from_file("npz", "nan.npz"), SQUARED],
        ["toy.yaml:2:17: data.source.npz: ", "nan.npz: x[3, 1] is nan", "mend or remove these examples"],
    ),
    "npz that is too large to scale": (
        [(SOURCE, "source: {npz: {path: extreme.npz}}, scale: standard"), SQUARED],
        ["toy.yaml:2:44: data.scale: inputs as large as 1.7e+308 cannot be scaled; use smaller units"],
    ),
    "classes of one example": (
        [(SOURCE, "source: {npz: {path: single.npz}}"), ("batch_size: 20", "batch_size: 1")],
        ["toy.yaml:2:1: data.validation: 0.2 of 3 examples leaves none for validation", "set validation: 0"],
    ),
    "fewer examples than a batch": (
        [("batch_size: 20", "batch_size: 200")],
        ["toy.yaml:10:23: training.batch_size: a batch of 200 is larger than the", "at most 120"],
    ),
    "a batch larger than classes leave": (
        [from_file("csv", "classes.csv"), ("batch_size: 20", "batch_size: 10")],
        ["toy.yaml:10:23: training.batch_size: a batch of 10 is larger than the training part of 9 (10 ex"],
    ),
    "memory that does not suffice": (
        [("mode: reverse", "mode: {reverse: {memory: 1KiB}}")],
        ["toy.yaml:8:18: mode.reverse.memory: ", "1 KiB"],
    ),
    "memory that does not suffice to compare": (
        [("[forward]", "[{forward: {memory: 1KiB}}]")],
        ["toy.yaml:11:32: agreement.modes.0.forward.memory: ", "1 KiB"],
    ),
    "not YAML": (
        [("epochs: 1,", "epochs: 1")],
        ["toy.yaml:10:32: expected ',' or '}'", "close the mapping with '}'"],
    ),
    "a key twice": (
        [("agreement:", "mode: forward\nagreement:")],
        ["toy.yaml:11:1: the key 'mode' is here a second time, after toy.yaml:8:1", "keep one of the two"],
    ),
    "an alias": (
        [("mode: reverse", "mode: &m reverse")],
        ["toy.yaml:8:7: anchors and aliases are not read: m", "write the value out"],
    ),
    "agreement with itself": (
        [("[forward]", "[reverse]")],
        [
            "toy.yaml:11:21: agreement.modes.0: reverse is the training mode",
            "\n    compare with another: --set 'agreement.modes=[forward]'\n",
            "\n    or with none: --set agreement=null",
        ],
    ),
    "agreement twice": (
        [("[forward]", "[forward, forward]")],
        ["toy.yaml:11:30: agreement.modes.1: forward is listed twice", "leave one out"],
    ),
    "early stopping without validation": (
        [("iris", "iris, validation: 0"), ("epochs: 1", "epochs: 1, early_stopping: {patience: 3}")],
        ["toy.yaml:10:23: training.early_stopping: ", "data.validation is 0", "keep some examples"],
    ),
    "layers of one name": (
        [second("tanh: {name: linear_1}")],
        ["toy.yaml:5:5: network.1: linear_1: two layers are called linear_1; give one of them another"],
    ),
    "layers of one name within": (
        [second("residual: {network: [linear: {units: 4, name: a}, tanh: {name: a}]}")],
        ["toy.yaml:5:55: network.1.residual.network.1: residual_1/a: two layers are called a"],
    ),
    "linear without units in the middle": (
        [("linear: {units: 4}", "linear")],
        ["toy.yaml:4:5: network.0: linear_1: linear has no `units`; only the network's last layer"],
    ),
    "no parameters": (
        [("  - linear: {units: 4}\n  - tanh\n  - linear\n", "  - tanh\n")],
        ["toy.yaml:3:1: network: no layer has parameters, so there is nothing to train", "add `linear`"],
    ),
    "more parameters than memory": (
        [("units: 4", "units: 1000000000000")],
        ["toy.yaml:3:1: network: 8,000,000,000,003 parameters are more", "lower the units"],
    ),
}  # fmt: skip


@pytest.fixture
def data(folder: Path) -> None:
    """Write the data files that the mistakes name."""
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 3)), rng.random(40)
    np.savez(folder / "matrix.npz", x=rng.random((40, 3, 4)), y=y)
    np.savez(folder / "large.npz", x=x, y=5 * y)
    np.savez(folder / "nan.npz", x=np.where(np.arange(120).reshape(40, 3) == 10, np.nan, x), y=y)
    np.savez(folder / "extreme.npz", x=1.7e308 * (-1.0) ** np.arange(120).reshape(40, 3), y=y)
    np.savez(folder / "single.npz", x=x[:3], y=np.arange(3))
    (folder / "missing.csv").write_text("a,b,price\n1,2,3\n1,,3\n4,5,6\n")
    (folder / "text.csv").write_text("a,b,price\n1,2,3\n1,x,3\n4,5,6\n")
    (folder / "bad.csv").write_text("a,b,price\nx,2,3\n1,nan,3\n4,5\n")
    (folder / "empty.csv").write_text("")
    labels = enumerate("aabcdefghi")
    (folder / "classes.csv").write_text("x,kind\n" + "".join(f"{n},{kind}\n" for n, kind in labels))


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize(("changes", "said"), MISTAKES.values(), ids=MISTAKES)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_mistake_is_told_with_its_place_and_nothing_is_written(
    jactrain: Callable, toy: Callable, command: str, changes: list[tuple[str, str]], said: list[str]
) -> None:
    path = toy(*changes)
    before = sorted(Path().iterdir())
    done = jactrain(command, path)
    assert done.code == 2
    assert done.out == ""
    assert "Traceback" not in done.err
    for part in said:
        assert part in done.err
    assert sorted(Path().iterdir()) == before


@pytest.mark.usefixtures("data")
def test_a_batch_of_all_that_classes_leave_for_training_is_accepted(
    jactrain: Callable, toy: Callable
) -> None:
    # A fifth of 10 examples is 2, but of these classes only one has an example to give.
    path = toy(from_file("csv", "classes.csv"), ("batch_size: 20", "batch_size: 9"))
    assert jactrain("validate", path).code == 0
    assert "1 step," in jactrain("run", path).out


def test_all_mistakes_of_form_are_told_at_once(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("validate", toy(second("tahn"), ("mode:", "mod:"), ("epochs: 1", "epochs: one")))
    places = [line.partition(": ")[0] for line in done.err.splitlines() if line.startswith("toy.yaml")]
    assert places == ["toy.yaml:5:5", "toy.yaml:8:1", "toy.yaml:10:12"]


def test_all_mistakes_of_meaning_are_told_at_once(jactrain: Callable, toy: Callable) -> None:
    path = toy(
        ("iris", "iris, validation: 0"),
        last("linear: {units: 7}"),
        ("batch_size: 20", "batch_size: 200, early_stopping: {}"),
        ("[forward]", "[reverse]"),
    )
    done = jactrain("validate", path)
    places = [line.partition(": ")[0] for line in done.err.splitlines() if line.startswith("toy.yaml")]
    assert places == ["toy.yaml:6:5", "toy.yaml:10:23", "toy.yaml:10:40", "toy.yaml:11:21"]


def test_a_loss_that_does_not_fit_hides_no_other_mistake(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("validate", toy(SQUARED, ("batch_size: 20", "batch_size: 200")))
    assert "toy.yaml:7:1: loss: " in done.err
    assert "toy.yaml:10:23: training.batch_size: " in done.err


def test_mistakes_are_told_as_data(jactrain: Callable, toy: Callable) -> None:
    good = Path("good.yaml")
    good.write_text(toy().read_text())
    done = jactrain("validate", good, toy(last("linear: {units: 7}"), ("[forward]", "[reverse]")), "--json")
    assert done.code == 2
    assert done.err == ""
    first, second = json.loads(done.out)
    assert first == {"config": "good.yaml", "valid": True, "mistakes": [], "text": ""}
    assert (second["config"], second["valid"]) == ("toy.yaml", False)
    assert [mistake["path"] for mistake in second["mistakes"]] == [["network", 2], ["agreement", "modes", 0]]
    assert second["mistakes"][0]["message"].endswith("linear_2 gives 7")
    assert second["mistakes"][0]["advice"].startswith("end the network with")
    assert second["text"].startswith("toy.yaml:6:5: ")
    places = [[mistake[key] for key in ("file", "line", "column")] for mistake in second["mistakes"]]
    assert places == [["toy.yaml", 6, 5], ["toy.yaml", 11, 21]]


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["toy.yaml", "--set", "mode.x=1"], [None, None, None]),
        (["toy.yaml", "--set", "training.epochs=x"], [None, None, None]),
        (["nowhere.yaml"], ["nowhere.yaml", None, None]),
        (["open.yaml"], ["open.yaml", 1, 9]),
    ],
)
def test_a_mistake_without_a_place_in_a_file_has_null_for_it(
    jactrain: Callable, toy: Callable, arguments: list[str], place: list[object]
) -> None:
    toy()
    Path("open.yaml").write_text("name: [a\n")
    ((mistake,),) = (each["mistakes"] for each in json.loads(jactrain("validate", *arguments, "--json").out))
    assert [mistake["file"], mistake["line"], mistake["column"]] == place


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("epochs", "--set epochs: expected KEY=VALUE with a dotted key"),
        ("=3", "expected KEY=VALUE with a dotted key"),
        ("training.epochs=x", "training.epochs: expected an integer, not 'x'"),
        ("training.epoch=3", "unknown key 'epoch'; did you mean epochs?"),
        ("network.9.linear=3", "network is a list of 3 items and has no item 9"),
        ("name.x=3", "name is 'toy' and has no key 'x'"),
        ("mode.forward.seeds=outputs", "--set 'mode={forward: {seeds: outputs}}'"),
        ("optimizer.adam.learning_rate=0.1", "--set 'optimizer={adam: {learning_rate: 0.1}}'"),
        ("agreement.modes=[]", "--set agreement=null"),
        ("training.epochs=[", "the text ends inside a list or a mapping"),
        ("network.0.linear.units=1e3", "expected an integer, not 1000.0"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_mistake_in_an_override_names_the_argument(
    jactrain: Callable, toy: Callable, command: str, assignment: str, said: str
) -> None:
    done = jactrain(command, toy(), "--set", assignment)
    assert done.code == 2
    assert f"--set {assignment}: " in done.err
    assert said in done.err
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("to.yaml", "to.yaml: there is no such file\n    did you mean toy.yaml"),
        (".", "this is a folder, not a file\n    name a configuration file in it"),
        ("huge.yaml", "huge.yaml: this has 10,000,000 bytes; a configuration has at most 1,000,000"),
        ("bytes.yaml", "bytes.yaml:1:7: the byte 0xff is not UTF-8\n"),
        ("empty.yaml", "empty.yaml:1:1: the configuration is empty"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(
    jactrain: Callable, toy: Callable, command: str, name: str, said: str
) -> None:
    toy()
    with Path("huge.yaml").open("wb") as file:
        file.truncate(10_000_000)
    Path("bytes.yaml").write_bytes(b"name: \xff\n")
    Path("empty.yaml").touch()
    done = jactrain(command, name)
    assert done.code == 2
    assert said in done.err
    assert not Path("runs").exists()


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_a_product_that_a_layer_lacks_is_named(
    jactrain: Callable, toy: Callable, plug_in: str, mode: str
) -> None:
    path = toy(second("one_way"), ("mode: reverse", f"mode: {mode}"), ("[forward]", "[finite_difference]"))
    done = jactrain("run", path, "--plugin", plug_in)
    if mode == "forward":
        assert (done.code, done.out.splitlines()[-1][:5]) == (0, "runs/")
        return
    assert done.code == 2
    assert "toy.yaml:8:1: mode: mode reverse needs vjp of every layer, but one_way_1 (OneWay)" in done.err
    assert "choose finite_difference" in done.err
    assert not Path("runs").exists()


def test_a_plug_in_that_is_not_there_is_named(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("run", toy(), "--plugin", "nowhere_at_all")
    assert done.code == 2
    assert "the plug-in 'nowhere_at_all' cannot be imported (ModuleNotFoundError" in done.err
    assert "name of a Python module that is installed or lies in the current folder" in done.err


@pytest.mark.parametrize("command", [("list", "modes"), ("list", "modes", "--json"), ("run",), ("predict",)])
def test_a_closed_output_is_no_traceback(command: tuple[str, ...], toy: Callable) -> None:
    if command == ("run",):
        command = ("run", str(toy()))
    if command == ("predict",):
        subprocess.run([*PROGRAM, "run", str(toy())], check=True, capture_output=True)
        np.savez("x.npz", x=np.zeros((2, 4)))
        command = ("predict", str(next(Path("runs").iterdir())), "--input", "x.npz")
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "toy.yaml", "--runs", "toy.yaml"], "choose another place with --runs"),
        (["evaluate", "nowhere"], "there is no run at nowhere; give the folder that `jactrain run` printed"),
        (["evaluate", "."], "is no run's folder: it has no config.resolved.yaml"),
        (["predict", "nowhere", "--input", "x.csv"], "there is no run at nowhere"),
        (["gradient", "toy.yaml", "--out", "no/g.npz"], "there is no folder no to write g.npz into"),
        (["gradient", "toy.yaml", "--out", "."], "is a folder; give the name of a file"),
        (["gradient", "toy.yaml", "--out", "g.npz", "--mode", "revers"], "did you mean reverse?"),
        (["list", "layer"], "there is no kind of component 'layer'; did you mean layers?"),
        (["describe", "layer", "tanh"], "there is no kind of component 'layer'; did you mean layers?"),
        (["describe", "layers", "tahn"], "there is no layer 'tahn'; did you mean tanh?"),
        (["init", "toy.yaml"], "is there already; choose another name, or overwrite it with --force"),
        (["init", "new.yaml", "--template", "regresion"], "did you mean regression?"),
        (["init", "no/new.yaml"], "there is no folder no; make it first"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["run"], "Missing argument"),
        (["run", "toy.yaml", "--nonsense"], "No such option: --nonsense"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage_is_told(jactrain: Callable, toy: Callable, arguments: list[str], said: str) -> None:
    text = toy().read_text()
    done = jactrain(*arguments)
    assert done.code == 2
    assert said in done.err
    assert "Traceback" not in done.err
    assert [path.name for path in Path().iterdir()] == ["toy.yaml"]
    assert Path("toy.yaml").read_text() == text


def test_debug_shows_the_traceback(jactrain: Callable, toy: Callable) -> None:
    from jactrain.errors import ConfigurationError

    with pytest.raises(ConfigurationError):
        jactrain("--debug", "run", toy(("mode:", "mod:")))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("mine.py", "mine"),
        ("./mine.py", "mine"),
        ("sub/mine.py", "sub.mine"),
        ("../mine.py", ""),
        ("no such file.py", ""),
    ],
)
def test_a_plug_in_given_as_a_file_is_told_as_a_module(given: str, meant: str, jactrain: Callable) -> None:
    done = jactrain("list", "layers", "--plugin", given)
    assert done.code == 2
    assert done.err.rstrip().endswith(f"current folder: --plugin {meant}" if meant else "current folder")


def test_kinds_of_one_s_own_need_their_plug_in(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("validate", toy(("- tanh", "- swishy_of_mine")))
    assert "; one of your own has to be imported first (--plugin)" in done.err
    assert "--plugin" not in jactrain("validate", toy(("- tanh", "- tahn"))).err


def test_a_sweep_s_folder_is_known_as_one(jactrain: Callable, toy: Callable) -> None:
    Path("e.yaml").write_text(f"base: {toy()}\nseeds: 1\n")
    assert jactrain("sweep", "e.yaml").code == 0
    for command in ("resume", "evaluate"):
        assert "runs/e is no run's folder: it is a sweep's" in jactrain(command, "runs/e").err
