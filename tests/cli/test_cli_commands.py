"""gradient, init, list, describe, schema, and the options of all."""

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

import jactrain as package
from jactrain.config.models import REGISTRIES

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
TEMPLATES = ["classification", "csv", "regression"]


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_gradient_writes_all_that_it_takes_to_repeat_it(
    jactrain: Callable, folder: Path, config: Path
) -> None:
    gradients = {}
    for mode in ("reverse", "forward"):
        done = jactrain("gradient", config, "--mode", mode, "--out", f"{mode}.npz", "--json")
        assert done.code == 0, done.err
        facts = json.loads(done.out)
        assert facts["out"] == f"{mode}.npz"
        with np.load(folder / f"{mode}.npz", allow_pickle=False) as archive:
            gradients[mode] = dict(archive)
    reverse, forward = gradients["reverse"], gradients["forward"]
    parameters = [name for name in reverse if name.startswith("parameters/")]
    assert set(reverse) == {
        "loss",
        "x",
        "y",
        "config",
        *parameters,
        *(name.replace("parameters/", "gradient/") for name in parameters),
    }
    assert "parameters/linear_1/weight" in parameters
    settings = package.load_config(config)
    assert len(reverse["x"]) == len(reverse["y"]) == settings.training.batch_size == facts["examples"]
    assert json.loads(str(reverse["config"]))["name"] == settings.name
    exact = 1e-12 if settings.dtype == "float64" else 1e-5
    for name, array in reverse.items():
        if name.startswith("gradient/") or name == "loss":
            largest = np.abs(array).max()
            np.testing.assert_allclose(forward[name], array, rtol=0, atol=exact * largest)
        elif name != "config":
            np.testing.assert_array_equal(forward[name], array)


def test_the_gradient_file_repeats_the_loss_by_hand(jactrain: Callable, toy: Callable) -> None:
    jactrain("gradient", toy(), "--out", "g.npz")
    g = np.load("g.npz", allow_pickle=False)
    hidden = np.tanh(g["x"] @ g["parameters/linear_1/weight"] + g["parameters/linear_1/bias"])
    logits = hidden @ g["parameters/linear_2/weight"] + g["parameters/linear_2/bias"]
    chosen = np.take_along_axis(logits, g["y"][:, None], axis=1)[:, 0]
    assert np.isclose((np.log(np.exp(logits).sum(1)) - chosen).mean(), g["loss"], rtol=1e-6)


def test_gradient_prints_its_file_last(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("gradient", toy(), "--out", "g.npz", "--mode", "{finite_difference: {scheme: central}}")
    assert done.out == "g.npz\n"
    assert done.err.startswith("finite_difference: loss ")


@pytest.mark.parametrize("template", TEMPLATES)
def test_templates_are_valid(jactrain: Callable, folder: Path, template: str) -> None:
    (folder / "data.csv").write_text("rooms,price\n" + "".join(f"{n},{2 * n}\n" for n in range(40)))
    done = jactrain("init", "new.yaml", "--template", template)
    own_data = "put your file and columns into it, then: jactrain validate new.yaml"
    told = own_data if template == "csv" else "train it with: jactrain run new.yaml"
    assert (done.code, done.out) == (0, f"new.yaml written; {told}\n")
    assert jactrain("validate", "new.yaml").out == "new.yaml: valid\n"


def test_the_experiment_template_is_valid(jactrain: Callable, folder: Path) -> None:
    done = jactrain("init", "new.yaml", "--template", "experiment")
    assert (done.code, done.out) == (0, "new.yaml written; train its cells with: jactrain sweep new.yaml\n")
    planned = jactrain("sweep", "new.yaml", "--dry-run")
    assert planned.code == 0
    assert "18 cells" in planned.out


def test_the_csv_template_asks_for_its_file(jactrain: Callable, folder: Path) -> None:
    jactrain("init", "new.yaml", "--template", "csv")
    assert "data.csv: there is no such file" in jactrain("validate", "new.yaml").err


def test_init_overwrites_only_when_told(jactrain: Callable, folder: Path) -> None:
    assert json.loads(jactrain("init", "--json").out) == {
        "path": "config.yaml",
        "template": "classification",
    }
    (folder / "config.yaml").write_text("mine")
    assert jactrain("init").code == 2
    assert jactrain("init", ".").code == 2
    assert (folder / "config.yaml").read_text() == "mine"
    assert jactrain("init", "--force").code == 0
    assert jactrain("validate", "config.yaml").code == 0


def test_list_names_everything_registered(jactrain: Callable) -> None:
    listed = json.loads(jactrain("list", "--json").out)
    assert {group: [kind["name"] for kind in kinds] for group, kinds in listed.items()} == {
        registry.group: registry.names() for registry in REGISTRIES
    }
    assert all(kind["summary"] for kinds in listed.values() for kind in kinds)
    assert {kind["name"]: kind["exactness"] for kind in listed["modes"]}["spsa"] == "unbiased"
    assert not any("exactness" in kind for kind in listed["layers"])
    plain = jactrain("list", "modes").out
    assert all(kind["name"] in plain for kind in listed["modes"])
    assert "\x1b" not in plain


@pytest.mark.parametrize(
    ("group", "name"), [(registry.group, name) for registry in REGISTRIES for name in registry.names()]
)
def test_describe_tells_every_option(jactrain: Callable, group: str, name: str) -> None:
    (registry,) = (registry for registry in REGISTRIES if registry.group == group)
    done = jactrain("describe", group, name)
    assert done.code == 0
    exactness = f", {registry.get(name).exactness}" if group == "modes" else ""
    assert done.out.startswith(f"{name} ({registry.word}{exactness})\n")
    described = json.loads(jactrain("describe", group, name, "--json").out)
    assert [option["name"] for option in described["options"]] == list(registry.get(name).model_fields)
    assert all(option["name"] in done.out for option in described["options"])


def test_a_plug_in_is_listed_and_described(jactrain: Callable, plug_in: str) -> None:
    assert "Doubles, forward only." in jactrain("list", "layers", "--plugin", plug_in).out
    assert jactrain("describe", "layers", "one_way", "--plugin", plug_in).code == 0


def test_the_schema_accepts_every_configuration(jactrain: Callable, toy: Callable) -> None:
    schema = json.loads(jactrain("schema").out)
    assert schema == json.loads(jactrain("schema", "--json").out)
    validator = jsonschema.Draft7Validator(schema)
    jsonschema.Draft7Validator.check_schema(schema)
    for config in CONFIGS:
        validator.validate(yaml.safe_load(config.read_text()))
    assert not validator.is_valid(yaml.safe_load(toy(("mode:", "mod:")).read_text()))


def test_the_version_is_told(jactrain: Callable) -> None:
    assert jactrain("--version").out == f"jactrain {package.__version__}\n"


@pytest.mark.parametrize(
    "command",
    [
        "init",
        "validate",
        "explain",
        "check",
        "compare",
        "report",
        "jacobian",
        "run",
        "evaluate",
        "predict",
        "gradient",
        "list",
        "describe",
        "schema",
    ],
)
def test_the_help_of_a_command_begins_with_an_example(jactrain: Callable, command: str) -> None:
    done = jactrain(command, "--help")
    assert done.code == 0
    assert f"Example: jactrain {command}" in done.out
