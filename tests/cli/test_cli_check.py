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


CUSTOM = """
import numpy as np
from jactrain.extend import Cost, Elementwise, Layer, layers, size_of

@layers.register("{name}")
class Mine({base}):
    \"\"\"A layer of one's own.\"\"\"
{body}
"""
PARAMETRIC = """
    def parameter_shapes(self, shape): return {"a": shape}
    def initial_parameters(self, rng, shape): return {"a": np.ones(shape)}
    def cost(self, shape): return Cost(*(size_of(shape),) * 5)
    def forward(self, xp, params, x, noise=None): return params["a"][:, None] * x, x
    def jvp(self, xp, params, residual, x_dot): return params["a"][:, None] * x_dot
    def vjp(self, xp, params, residual, y_bar): return params["a"][:, None] * y_bar
    def parameter_jvp(self, xp, params, residual, dots): return dots["a"][:, None] * residual
    def parameter_vjp(self, xp, params, residual, y_bar, per_example=False):
        bars = y_bar * residual
        return {"a": bars if per_example else bars.sum(1)}
"""
MISTAKES = {
    "no_stack_axis": ('params["a"][:, None] * x, x', 'params["a"] * x, x', "forward"),
    "wrong_shape": ("bars.sum(1)", "bars.sum((1, 2))", "parameter_vjp"),
    "no_residual": ('params["a"][:, None] * x, x', 'params["a"][:, None] * x', "forward"),
    "wrong_dtype": ('params["a"][:, None] * x_dot', 'params["a"][:, None] * x_dot * np.ones(1)', "jvp"),
    "raises": ('return params["a"][:, None] * y_bar', "raise ZeroDivisionError", "vjp"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_of_form_in_a_layer_of_ones_own_are_named_without_a_traceback(
    jactrain: Callable, toy: Callable, mistake: str
) -> None:
    right, wrong, product = MISTAKES[mistake]
    name = f"mine_{mistake}"
    assert right in PARAMETRIC
    body = PARAMETRIC.replace(right, wrong)
    Path(f"{name}.py").write_text(
        CUSTOM.replace("{name}", name).replace("{base}", "Layer").replace("{body}", body)
    )
    path = toy(("- tanh", f"- {name}"))
    done = jactrain("check", path, "--plugin", name)
    assert done.code == 1
    assert f"{name}_1: {product}" in done.out
    assert "Traceback" not in done.out + done.err
    found = json.loads(jactrain("check", path, "--plugin", name, "--json").out)
    assert (found["layers"][0]["layer"], found["verdict"]) == (f"{name}_1", "disagree")


ABSOLUTE = """
    keeps = "input"
    {analytic}
    def value(self, xp, x): return xp.abs(x)
    def slope(self, xp, kept): return xp.sign(kept)
    def kinks(self): return (0.0,)
"""


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_forward_that_complex_numbers_do_not_extend_is_told_and_its_products_are_not_accused(
    jactrain: Callable, toy: Callable, dtype: str
) -> None:
    for name, analytic in ((f"abs_said_{dtype}", "analytic = False"), (f"abs_unsaid_{dtype}", "")):
        body = ABSOLUTE.format(analytic=analytic)
        text = CUSTOM.replace("{name}", name).replace("{base}", "Elementwise").replace("{body}", body)
        Path(f"{name}.py").write_text(text)
        done = jactrain(
            "check", toy(("- tanh", f"- {name}")), "--plugin", name, "--set", f"dtype={dtype}", "--json"
        )
        found = json.loads(done.out)
        wrong = [(each["product"], each["law"]) for each in found["layers"] if each["verdict"] == "disagree"]
        if analytic:
            assert (done.code, wrong) == (0, [])
            laws = {each["law"] for each in found["layers"] if each["layer"] == f"{name}_1"}
            assert "central difference" in laws
        else:
            assert (done.code, wrong) == (1, [("forward", "analytic extension")])
            assert "set analytic = False" in found["layers"][0]["advice"]


def test_a_sound_network_is_told_in_tables(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("check", toy())
    assert done.code == 0
    first = done.out.splitlines()[0]
    assert first.startswith("toy, 32 examples, float32: ")
    assert "disagree" not in done.out
    for heading in (
        "products of layers and loss",
        "modes, each against the others",
        "smallest relative error of a whole product",
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
