"""What the documents say is run: Python blocks, YAML blocks, links, the example of a custom layer."""

import inspect
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jactrain.config.build import check
from jactrain.config.load import validated
from jactrain.config.models import Config
from jactrain.config.yaml import parse
from jactrain.layers.base import Layer
from jactrain.layers.forms import Cost
from jactrain.sweeps.reading import read_sweep

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "runs/README.md"])
README = (ROOT / "README.md").read_text(encoding="utf-8")


LAYERS = (ROOT / "docs/custom_layers.md").read_text(encoding="utf-8")


def blocks(language: str, document: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document, re.DOTALL)


@pytest.mark.parametrize("block", blocks("python"))
def test_the_python_of_the_readme_runs(block: str, tmp_path: Path) -> None:
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def outline(transcript: str) -> list[str]:
    """Return the lines of what a run prints, without what differs from one machine to another."""
    lines = (re.sub(r"\w+/\w+\[[\d, ]+\]|runs/\S+", "…", line) for line in transcript.splitlines())
    lines = (" ".join(re.sub(r"-?\d[\d.,]*(e[-+]\d+)?", "0", line).split()) for line in lines)
    return [line for line in lines if line and not line.startswith("epoch ")]


def test_the_demonstration_of_the_readme_is_what_its_run_prints(tmp_path: Path) -> None:
    shown = re.search(r"\$ make demo\n(.*?)```", README, re.DOTALL)
    assert shown
    done = subprocess.run(
        [sys.executable, "-m", "jactrain", "run", str(ROOT / "configs/digits.yaml")],
        cwd=tmp_path,
        env=os.environ | {"JACTRAIN_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert outline(shown[1]) == outline(done.stderr + done.stdout)
    assert " mode " in shown[1]


def test_the_configuration_of_the_readme_is_valid() -> None:
    blueprint = check(validated(parse(blocks("yaml")[0], "README.md"), Config))
    assert blueprint.network.output_shape == (10,)


def test_the_experiment_of_the_readme_is_valid(tmp_path: Path) -> None:
    folder = tmp_path / "configs/experiments"
    folder.mkdir(parents=True)
    (tmp_path / "configs/moons.yaml").write_bytes((ROOT / "configs/moons.yaml").read_bytes())
    (folder / "modes.yaml").write_text(blocks("yaml")[1])
    assert len(read_sweep(folder / "modes.yaml").cells) == 3 * 2 * 10


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_point_to_files_that_are_there(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
    missing = [
        target
        for target in targets
        if not target.startswith("http") and not (document.parent / target).exists()
    ]
    assert not missing


def test_the_custom_layer_trains_as_a_plug_in_and_its_products_agree(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "jactrain", "run", "snake.yaml", "--plugin", "snake", "--json"),
            *("--runs", str(tmp_path), "--set", "training.epochs=2"),
        ],
        cwd=ROOT / "docs/examples",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    errors = [measurement["relative_error"] for measurement in json.loads(done.stdout)["agreement"]]
    assert len(errors) == 2
    assert max(errors) < 1e-9


def test_the_elementwise_layer_trains_and_its_slope_agrees_with_its_value(tmp_path: Path) -> None:
    module, _ = blocks("python", LAYERS)
    (tmp_path / "arctan.py").write_text(module, encoding="utf-8")
    config = (ROOT / "docs/examples/snake.yaml").read_text(encoding="utf-8")
    (tmp_path / "my.yaml").write_text(config.replace("snake: {frequency: 0.5}", "arctan"), encoding="utf-8")
    changes = ["training.epochs=2", "agreement.modes=[forward, complex_step, finite_difference]"]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "jactrain", "run", "my.yaml", "--plugin", "arctan", "--json"),
            *(argument for change in changes for argument in ("--set", change)),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    errors = {line["mode"]: line["relative_error"] for line in json.loads(done.stdout)["agreement"]}
    assert errors.keys() == {"forward", "complex_step", "finite_difference"}
    assert max(errors["forward"], errors["complex_step"]) < 1e-12
    assert errors["finite_difference"] < 1e-6


def test_the_layer_with_a_kink_passes_the_check(tmp_path: Path) -> None:
    _, module = blocks("python", LAYERS)
    (tmp_path / "hinge.py").write_text(module, encoding="utf-8")
    config = (ROOT / "docs/examples/snake.yaml").read_text(encoding="utf-8")
    changed = config.replace("snake: {frequency: 0.5}", "hinge: {height: 0.3}")
    (tmp_path / "my.yaml").write_text(changed, encoding="utf-8")
    for dtype in ("float32", "float64"):
        done = subprocess.run(
            [
                *(sys.executable, "-m", "jactrain", "check", "my.yaml", "--plugin", "hinge", "--json"),
                *("--set", f"dtype={dtype}"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        found = json.loads(done.stdout)
        assert {each["verdict"] for each in found["layers"] if each["layer"] == "hinge_1"} == {"agree"}


def test_the_table_of_methods_is_that_of_a_layer() -> None:
    rows = [line.split("|")[1] for line in LAYERS.splitlines() if line.startswith("| `") and "(" in line]
    told = re.findall(r"`(\w+)\(", "".join(rows))
    own = [name for name, value in vars(Layer).items() if callable(value) and not name.startswith("_")]
    assert sorted(told) == sorted(own)
    signatures = re.findall(r"`(\w+)\(([\w, ]+)\)`", "".join(rows))
    for name, arguments in signatures:
        assert arguments == ", ".join(list(inspect.signature(getattr(Layer, name)).parameters)[1:])


def test_the_fields_of_a_cost_are_told() -> None:
    table = LAYERS.partition("| field | of |")[2]
    assert re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))) == list(
        Cost._fields
    )


def test_the_direction_of_imports_is_the_one_that_is_held() -> None:
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    held = " → ".join(contracts[0]["layers"]).replace("jactrain.", "")
    assert f"`{held}`" in contributing


def test_the_table_of_modes_is_what_the_tool_prints(tmp_path: Path) -> None:
    text = (ROOT / "docs/modes.md").read_text(encoding="utf-8")
    shown = re.search(r"<!-- jactrain (.*?) -->\n```\n(.*?)```", text, re.DOTALL)
    assert shown
    done = subprocess.run(
        [sys.executable, "-m", "jactrain", *shlex.split(shown[1])],
        cwd=ROOT,
        env=os.environ | {"JACTRAIN_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [line.rstrip() for line in done.stdout.splitlines()] == shown[2].splitlines()


def figureless(text: str) -> list[str]:
    """Return the lines of a comparison without its figures, which differ from machine to machine."""
    lines = (re.sub(r"-?\d[\d.,]*(e-?\d+|e[+]\d+)?", "0", line) for line in text.splitlines())
    sentences = re.compile(r"^(forward agrees|Nothing|\d)")  # whose words follow from times
    return [" ".join(line.split()) for line in lines if line.strip() and not sentences.match(line)]


@pytest.mark.parametrize(
    ("command", "shown"),
    re.findall(
        r"<!-- jactrain (compare .*?) -->\n```\n(.*?)```",
        (ROOT / "docs/modes.md").read_text(encoding="utf-8"),
        re.DOTALL,
    ),
)
def test_what_is_told_of_training_side_by_side_is_what_the_tool_prints(
    command: str, shown: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jactrain", *shlex.split(command), "--runs", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"JACTRAIN_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *printed, page = done.stdout.splitlines()
    assert page.endswith("report.html")
    assert figureless("\n".join(printed)) == figureless(shown)
    # What does not depend on the clock is the same to the digits shown, but for rounding.
    trained = re.compile(r"^(reverse|forward) +(0\.\d+) +(\d+\.\d+) %", re.MULTILINE)
    ours, theirs = (trained.findall(text) for text in ("\n".join(printed), shown))
    assert [name for name, *_ in ours] == [name for name, *_ in theirs]
    for (_, loss, score), (_, told_loss, told_score) in zip(ours, theirs, strict=True):
        assert float(loss) == pytest.approx(float(told_loss), rel=0.2)
        assert float(score) == pytest.approx(float(told_score), abs=2)
