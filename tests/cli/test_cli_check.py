"""`jactrain check`: what it finds, names and prints."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jactrain.modes import modes

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"

PLUG_IN = '''
from jactrain.layers import layers
from jactrain.layers.tanh import Tanh

@layers.register("{name}")
class Wrong(Tanh):
    """A tanh whose {product} is wrong."""

    def {product}(self, *arguments, **options):
        return {fault}(super().{product}(*arguments, **options))
'''


def plug_in(name: str, product: str, fault: str) -> str:
    Path(f"{name}.py").write_text(PLUG_IN.format(name=name, product=product, fault=fault))
    return name


@pytest.mark.parametrize("config", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_every_configuration_is_right(jactrain: Callable, folder: Path, config: str) -> None:
    done = jactrain("check", CONFIGS / f"{config}.yaml", "--json", "--budget", "1", "--examples", "8")
    found = json.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert found["verdict"] == "agree"
    assert not [each for each in found["layers"] if each["verdict"] == "disagree"]
    assert {each["mode"] for each in found["modes"]} | {each["reference"] for each in found["modes"]} >= (
        set(modes.names()) - {"auto"}
    )
    assert not list(folder.iterdir())


def test_json_has_the_documented_fields(jactrain: Callable, toy: Callable) -> None:
    found = json.loads(jactrain("check", toy(), "--json").out)
    assert {"verdict", "layers", "modes", "sensitivity", "examples", "dtype"} <= set(found)
    assert {"layer", "product", "law", "error", "allowed", "reason", "verdict"} <= set(found["layers"][0])
    assert {"mode", "reference", "relative_error", "cosine", "allowed", "reason", "verdict"} <= set(
        found["modes"][0]
    )
    assert {"layer", "product", "smallest_caught"} == set(found["sensitivity"][0])
    laws = {(each["layer"], each["product"], each["law"]) for each in found["layers"]}
    assert ("linear_1", "parameter_vjp", "adjoint") in laws
    assert ("tanh_1", "jvp", "complex step") in laws
    assert ("cross_entropy", "vjp", "adjoint") in laws
    assert all(0 < each["smallest_caught"] < 1e-3 for each in found["sensitivity"])


@pytest.mark.parametrize(
    ("product", "fault"), [("vjp", "(lambda y: y * y.dtype.type(0.999))"), ("jvp", "(lambda y: -y)")]
)
def test_a_wrong_rule_ends_with_1_and_is_named_with_both_values(
    jactrain: Callable, toy: Callable, product: str, fault: str
) -> None:
    name = plug_in(f"wrong_{product}", product, fault)
    path = toy(("- tanh", f"- {name}"))
    done = jactrain("check", path, "--plugin", name)
    assert done.code == 1
    (told,) = (line for line in done.out.splitlines() if f"{name}_1: {product} is wrong" in line)
    assert "the worst entry is" in told
    assert ", not " in told
    lines = [line.split() for line in done.out.splitlines()]
    heading = lines.index(["layer", "product", "law", "error", "allowed", "verdict"])
    assert lines[heading + 1][:2] == [f"{name}_1", product]
    found = json.loads(jactrain("check", path, "--plugin", name, "--json").out)
    assert found["verdict"] == "disagree"
    wrong = [each for each in found["layers"] if each["verdict"] == "disagree"]
    assert {each["layer"] for each in wrong} == {f"{name}_1"}
    assert all(each["value"] != each["reference"] for each in wrong)


def test_a_sound_network_is_told_in_tables(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("check", toy())
    assert done.code == 0
    first = done.out.splitlines()[0]
    assert first.startswith("toy, 32 examples, float32: ")
    assert "disagree" not in done.out
    for heading in (
        "products of the layers",
        "modes, each against the others",
        "smallest relative error that is caught",
    ):
        assert heading in done.out
    assert "rounding: 4 ε √" in done.out
    every = jactrain("check", toy(), "--all").out
    assert len(every.splitlines()) > len(done.out.splitlines())


def test_a_mode_over_the_budget_is_a_row_with_its_predicted_time(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("check", toy(), "--budget", "0", "--json")
    rows = json.loads(done.out)["modes"]
    assert done.code == 0
    assert {row["verdict"] for row in rows} == {"skipped"}
    assert all("predicted to take" in row["reason"] for row in rows)


def test_digits_takes_less_than_five_seconds(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jactrain", "check", str(CONFIGS / "digits.yaml")]
    before = os.times()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    after = os.times()
    assert done.returncode == 0, done.stderr
    # Of one core: the clock on the wall also counts what else the machine does.
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    assert spent < 5
