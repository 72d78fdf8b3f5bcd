"""The choice of an engine, as a user makes it and gets it wrong."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft7Validator

from jactrain.layers import layers
from jactrain.optimizers import optimizers

ELSEWHERE = "from jactrain.cli import main; import sys; sys.argv[0] = 'jactrain'; main()"
WITHOUT_JAX = f"import sys; sys.modules['jax'] = None; {ELSEWHERE}"


def engine(value: str) -> tuple[str, str]:
    """Return the change of the toy configuration that adds an engine, in its line 12."""
    return "{modes: [forward]}\n", f"{{modes: [forward]}}\nengine: {value}\n"


def started(code: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, as `code` starts it."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def run_of(done_out: str) -> Path:
    """Return the folder that a run printed last."""
    return Path(done_out.splitlines()[-1])


def left_by(run: Path) -> tuple[list[dict], dict[str, np.ndarray]]:
    """Return the metrics of a run without its seconds, and its weights."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    with np.load(run / "weights.npz") as file:
        weights = {name: file[name] for name in file.files if file[name].dtype.kind == "f"}
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines], weights


# -------------------------------------------------------------------------------------------- what works


def test_a_run_by_jax_leaves_what_one_by_numpy_leaves(jactrain: Callable, toy: Callable) -> None:
    options = ["--set", "dtype=float64", "--set", "training.epochs=3"]
    runs = [run_of(jactrain("run", toy(engine(name)), *options).out) for name in ("numpy", "jax")]
    computed_by = [json.loads((run / "meta.json").read_text())["engine"] for run in runs]
    assert [one["kind"] for one in computed_by] == ["numpy", "jax"]
    assert [len(computed_by[1]["devices"]), computed_by[1]["processes"]] == [1, 1]
    (metrics, weights), (others, found) = map(left_by, runs)
    assert len(metrics) == 3
    for line, other in zip(metrics, others, strict=True):
        assert other == pytest.approx(line, rel=1e-10)
    assert weights.keys() == found.keys() != set()
    for name, array in weights.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-10, atol=1e-10)
    verdicts = [
        json.loads(line)["verdict"] for line in (runs[1] / "agreement.jsonl").read_text().splitlines()
    ]
    assert set(verdicts) == {"agree"}
    evaluated, expected = (json.loads(jactrain("evaluate", run, "--json").out) for run in runs)
    assert evaluated["validation"] == pytest.approx(expected["validation"], rel=1e-10)


def test_numpy_trains_where_there_is_no_jax(toy: Callable) -> None:
    done = started(WITHOUT_JAX, "run", toy())
    assert (done.returncode, done.stdout.splitlines()[-1][:5]) == (0, "runs/"), done.stderr


def test_engines_are_listed_and_described(jactrain: Callable) -> None:
    (listed,) = json.loads(jactrain("list", "engines", "--json").out).values()
    assert [one["name"] for one in listed] == ["jax", "numpy"]
    for name, expected in (("jax", ["devices", "distributed"]), ("numpy", ["threads"])):
        described = json.loads(jactrain("describe", "engines", name, "--json").out)
        assert [option["name"] for option in described["options"]] == expected
        assert all(option["description"] for option in described["options"])
    assert "pip install jactrain[jax]" in jactrain("describe", "engines", "jax").out


@pytest.mark.parametrize(
    ("value", "valid"),
    [
        ("jax", True),
        ({"jax": {"devices": 2, "distributed": True}}, True),
        ({"numpy": {"threads": None}}, True),
        ("jaxx", False),
        ({"jax": {"devices": 0}}, False),
        ({"jax": {"threads": 1}}, False),
        (3, False),
    ],
    ids=str,
)
def test_the_schema_knows_engines(jactrain: Callable, value: object, valid: bool) -> None:
    schema = json.loads(jactrain("schema").out)
    whole = {"$defs": schema["$defs"], **schema["properties"]["engine"]}
    assert Draft7Validator(whole).is_valid(value) == valid


# ----------------------------------------------------------------------------------------- what is refused


def require_refusal(code: int, errors: str, said: list[str]) -> None:
    """Fail unless a command ended with these words and nothing written."""
    assert code == 2, errors
    assert "Traceback" not in errors
    for part in said:
        assert part in errors
    assert not Path("runs").exists()


@pytest.mark.parametrize("command", ["validate", "run"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("jaxx", ["toy.yaml:12:1: engine: there is no engine 'jaxx'; did you mean jax?"]),
        ("{jax: {device: 2}}", ["toy.yaml:12:16: engine.jax.device: unknown key", "did you mean devices?"]),
        ("{jax: {devices: 0}}", ["toy.yaml:12:16: engine.jax.devices: expected a number greater than 0"]),
        ("{numpy: {threads: two}}", ["toy.yaml:12:18: engine.numpy.threads: expected an integer"]),
        (
            "{jax: {devices: 1000}}",
            [
                "toy.yaml:12:16: engine.jax.devices: 1000 devices are asked for, but JAX finds ",
                "set devices: ",
                ", or leave it out",
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistaken_engine_is_told_with_its_place(
    jactrain: Callable, toy: Callable, command: str, value: str, said: list[str]
) -> None:
    done = jactrain(command, toy(engine(value)))
    require_refusal(done.code, done.err, said)


def test_jax_that_is_not_installed_is_told_how_to_install(toy: Callable) -> None:
    done = started(WITHOUT_JAX, "run", toy(engine("jax")))
    said = "toy.yaml:12:1: engine: engine jax needs JAX, which is not installed: pip install 'jactrain[jax]'"
    require_refusal(done.returncode, done.stderr, [said, "or choose engine: numpy"])


@pytest.mark.parametrize(
    ("value", "variables", "said"),
    [
        (
            "{jax: {devices: 3}}",
            {"XLA_FLAGS": "--xla_force_host_platform_device_count=8"},
            ["toy.yaml:12:16: engine.jax.devices: a batch of 20 examples cannot be divided evenly among 3 "],
        ),
        (
            "{jax: {distributed: true}}",
            {"JAX_COORDINATOR_ADDRESS": "", "JAX_NUM_PROCESSES": "two", "JAX_PROCESS_ID": ""},
            [
                "toy.yaml:12:16: engine.jax.distributed: this process cannot join the others: ",
                "'two'; start it",
            ],
        ),
    ],
    ids=["devices", "distributed"],
)
def test_devices_that_do_not_fit_are_told_with_their_place(
    toy: Callable, value: str, variables: dict[str, str], said: list[str]
) -> None:
    done = started(ELSEWHERE, "run", toy(engine(value)), JAX_PLATFORMS="cpu", **variables)
    require_refusal(done.returncode, done.stderr, said)


LOOKING = '''\
from jactrain.extend import Cost, Layer, layers, size_of
@layers.register("looking")
class Looking(Layer):
    """The identity, written with branches on values."""
    def cost(self, input_shape):
        return Cost(*(size_of(input_shape),) * 5)
    def forward(self, xp, params, x, noise=None):
        return x, None
    def jvp(self, xp, params, residual, x_dot):
        return x_dot
    def vjp(self, xp, params, residual, y_bar):
        return y_bar if (y_bar > 0).any() else y_bar
'''


@pytest.fixture
def looking(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Write a module with a layer whose vjp looks at values, and return its name; it is forgotten again."""
    (folder / "looking_plug_in.py").write_text(LOOKING)
    monkeypatch.setattr(layers, "_kinds", dict(layers._kinds))
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield "looking_plug_in"
    sys.modules.pop("looking_plug_in", None)


@pytest.mark.parametrize("command", ["validate", "run"])
def test_a_layer_that_jax_cannot_trace_is_named_with_its_product(
    jactrain: Callable, toy: Callable, looking: str, command: str
) -> None:
    done = jactrain(command, toy(("- tanh", "- looking"), engine("jax")), "--plugin", looking)
    said = "toy.yaml:12:1: engine: engine jax cannot trace vjp of looking_1 (Looking): "
    require_refusal(done.code, done.err, [said, "or choose engine: numpy"])


@pytest.mark.parametrize(("name", "mode"), [("numpy", "reverse"), ("jax", "forward")])
def test_such_a_layer_trains_by_numpy_and_by_modes_that_do_not_use_the_product(
    jactrain: Callable, toy: Callable, looking: str, name: str, mode: str
) -> None:
    changes = [("- tanh", "- looking"), ("mode: reverse", f"mode: {mode}"), engine(name)]
    done = jactrain("run", toy(*changes), "--plugin", looking, "--set", "agreement=null")
    assert (done.code, done.out.splitlines()[-1][:5]) == (0, "runs/"), done.err


def test_two_processes_train_one_network_and_validate_waits_for_nobody(folder: Path, toy: Callable) -> None:
    path = toy(engine("{jax: {distributed: true}}"))
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = f"localhost:{free.getsockname()[1]}"

    def joined(number: int, *arguments: object) -> subprocess.CompletedProcess[str]:
        variables = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
        return started(ELSEWHERE, *arguments, **variables, JAX_PROCESS_ID=str(number))

    assert joined(0, "validate", path).stdout == f"{path}: valid\n"
    with ThreadPoolExecutor() as pool:
        done = [pool.submit(joined, number, "run", path, "--set", "agreement=null") for number in range(2)]
        both = [each.result() for each in done]
    assert [process.returncode for process in both] == [0, 0], both
    assert all("on 2 of 2 devices" in process.stderr for process in both)
    (_, weights), (_, others) = (left_by(run_of(process.stdout)) for process in both)
    for name, array in weights.items():
        np.testing.assert_array_equal(array, others[name])


def test_an_optimizer_that_gives_another_form_back_is_refused(
    jactrain: Callable, toy: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "growing_plug_in.py").write_text(GROWING)
    monkeypatch.setattr(optimizers, "_kinds", dict(optimizers._kinds))
    monkeypatch.setattr(sys, "path", [*sys.path])
    done = jactrain("run", toy(), "--plugin", "growing_plug_in", "--set", "optimizer=growing")
    sys.modules.pop("growing_plug_in", None)
    assert done.code == 2
    assert "optimizer growing is given parameters float32 (3,) and gives more " in done.err
    assert not Path("runs").exists()


GROWING = '''
from jactrain.extend import optimizers
from jactrain.optimizers.sgd import SGD


@optimizers.register("growing")
class Growing(SGD):
    """A state that grows."""

    def update(self, xp, state, parameters, gradient, learning_rate):
        return parameters - learning_rate * gradient, {**state, "more": gradient}
'''
