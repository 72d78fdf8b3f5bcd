"""`jactrain explain` and `jactrain jacobian`, and what modes say of options that do not fit."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from jactrain.layers import layers


def test_explain_lists_every_mode_with_its_cost_and_says_which_to_use(
    jactrain: Callable, toy: Callable
) -> None:
    done = jactrain("explain", toy(("mode: reverse", "mode: {forward: {seeds: parameters}}")), "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert [row["layer"] for row in facts["chain"]] == ["linear_1", "tanh_1", "linear_2"]
    assert [row["parameters"] for row in facts["chain"]] == [20, 0, 15]
    modes = [way["mode"] for way in facts["gradient"]]
    assert set(modes) >= {"reverse", "forward", "mixed", "complex_step", "finite_difference", "spsa"}
    assert "forward(seeds=parameters)" in modes
    estimates = [way["exactness"] in ("unbiased", "biased") for way in facts["gradient"]]
    assert estimates == sorted(estimates)  # last, by themselves
    costs = [way["multiply_adds"] for way in facts["gradient"]]
    exact = costs[: estimates.index(True)]
    assert exact == sorted(exact)
    assert all(way["peak_bytes"] > 0 for way in facts["gradient"])
    assert facts["jacobian_parameters"][0]["mode"] == "reverse"
    assert {way["mode"] for way in facts["jacobian_inputs"]} == {"reverse", "forward", "mixed"}
    assert facts["recommended"] == {
        "gradient": "reverse",
        "jacobian_parameters": "reverse",
        "jacobian_inputs": "reverse",
    }


def test_explain_and_run_count_the_same_multiply_adds(jactrain: Callable, toy: Callable) -> None:
    config = toy()
    facts = json.loads(jactrain("explain", config, "--json").out)
    predicted = {way["mode"]: way["multiply_adds"] for way in facts["gradient"]}
    for mode in ("reverse", "forward", "mixed", "finite_difference", "random_forward", "spsa"):
        done = jactrain("gradient", config, "--mode", mode, "--out", "g.npz", "--json")
        assert json.loads(done.out)["multiply_adds"] == predicted[mode], mode


def test_explain_prints_the_plan_in_brackets_and_the_reason(jactrain: Callable, toy: Callable) -> None:
    narrow = (
        "network:\n  - linear: {units: 40}\n  - linear: {units: 1}\n  - linear: {units: 40}\n  - linear\n"
    )
    config = toy(("network:\n  - linear: {units: 4}\n  - tanh\n  - linear\n", narrow))
    done = jactrain("explain", config)
    assert done.code == 0, done.err
    assert "(A4 A3) · (A2 A1)" in done.out
    assert "Gradient: reverse, since one number, the loss" in done.out
    assert "times less than the better pure mode" in done.out


@pytest.mark.parametrize("command", ["explain", "validate", "run"])
def test_a_mode_that_costs_ten_times_the_best_is_told(
    jactrain: Callable, toy: Callable, command: str
) -> None:
    done = jactrain(command, toy(("mode: reverse", "mode: finite_difference")))
    assert done.code == 0, done.err
    assert "you chose finite_difference for a network with 35 parameters and 3 outputs" in done.err
    assert "you chose" not in jactrain(command, toy()).err


def test_auto_says_what_it_chose(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("run", toy(("mode: reverse", "mode: auto")))
    assert done.code == 0
    assert "auto chose reverse: " in done.err


def test_jacobian_writes_every_block_with_what_it_takes_to_repeat_it(
    jactrain: Callable, toy: Callable, folder: Path
) -> None:
    done = jactrain("jacobian", toy(), "--out", "j.npz", "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["shape"] == [20, 3, 35]
    with np.load(folder / "j.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    assert arrays["jacobian/linear_1/weight"].shape == (20, 3, 4, 4)
    assert arrays["jacobian/linear_2/bias"].shape == (20, 3, 3)
    assert np.array_equal(arrays["jacobian/linear_2/bias"], np.broadcast_to(np.eye(3), (20, 3, 3)))
    assert arrays["x"].shape == (20, 4)
    assert json.loads(str(arrays["config"]))["name"] == "toy"
    hidden = np.tanh(arrays["x"] @ arrays["parameters/linear_1/weight"] + arrays["parameters/linear_1/bias"])
    outputs = hidden @ arrays["parameters/linear_2/weight"] + arrays["parameters/linear_2/bias"]
    np.testing.assert_allclose(arrays["outputs"], outputs, atol=1e-5)


@pytest.mark.parametrize("mode", ["reverse", "forward", "mixed", "auto"])
def test_jacobian_in_the_inputs_is_the_slope_of_the_outputs(
    jactrain: Callable, toy: Callable, folder: Path, mode: str
) -> None:
    config = toy(("name: toy", "name: toy\ndtype: float64"))
    done = jactrain("jacobian", config, "--wrt", "inputs", "--mode", mode, "--out", "j.npz")
    assert (done.code, done.out) == (0, "j.npz\n")
    with np.load(folder / "j.npz", allow_pickle=False) as archive:
        arrays = dict(archive)
    first, last = arrays["parameters/linear_1/weight"], arrays["parameters/linear_2/weight"]
    hidden = np.tanh(arrays["x"] @ first + arrays["parameters/linear_1/bias"])
    slope = np.einsum("ih,nh,ho->noi", first, 1 - hidden**2, last)
    np.testing.assert_allclose(arrays["jacobian/inputs"], slope, atol=1e-12)


def test_jacobian_summary_is_the_spectrum_of_the_kernel(jactrain: Callable, toy: Callable) -> None:
    config = toy(("name: toy", "name: toy\ndtype: float64"))
    facts = json.loads(jactrain("jacobian", config, "--summary", "--json").out)
    values = facts["eigenvalues"]
    assert len(values) == facts["rows"] == 60
    assert values == sorted(values, reverse=True)
    assert facts["rank"] <= 35  # there are 35 parameters
    assert facts["condition"] == pytest.approx(values[0] / values[facts["rank"] - 1])
    text = jactrain("jacobian", config, "--summary").out
    assert text.startswith(f"J Jᵀ: 60 rows, rank {facts['rank']}, condition ")


def test_jacobian_asks_where_to_write(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("jacobian", toy())
    assert done.code == 2
    assert "--out FILE.npz" in done.err


def test_a_jacobian_too_large_to_write_is_refused(
    jactrain: Callable, toy: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jactrain.cli.jacobian._MOST_BYTES", 8399)  # 20 examples, 3 outputs, 35 parameters
    done = jactrain("jacobian", toy(), "--out", "j.npz")
    assert done.code == 2
    assert "fewer than 20 examples: --set training.batch_size=" in done.err
    assert not (folder / "j.npz").exists()


REFUSED = {
    "forward: {memory: 1KiB}": ["mode.forward.memory", "one gradient takes", "raise it"],
    "reverse: {memory: 1KiB}": ["mode.reverse.memory", "set checkpoints: revolve"],
    "spsa: {memory: 1B}": ["mode.spsa.memory", "the bound is 1 B"],
    "auto: {memory: 1B}": ["mode.auto.memory", "the bound is 1 B"],
    "random_forward: {directions: 36, distribution: orthogonal}": [
        "mode.random_forward.directions",
        "36 orthogonal directions are more than the 35 parameters",
        "draw them gaussian",
    ],
    "spsa: {distribution: orthogonal}": ["mode.spsa.distribution", "rademacher", "gaussian"],
    "feedback_alignment: {directions: 3}": ["unknown key 'directions'", "there are memory, seed"],
    "reverse: {checkpoints: binomial}": ["mode.reverse.checkpoints", "revolve"],
    "mixed: {seeds: outputs}": ["unknown key 'seeds'"],
    "random_forward: {directions: 0}": ["mode.random_forward.directions", "0"],
}


@pytest.mark.parametrize("mode", REFUSED)
def test_an_option_that_does_not_fit_is_refused_at_its_place(
    jactrain: Callable, toy: Callable, folder: Path, mode: str
) -> None:
    config = toy(("mode: reverse", f"mode:\n  {mode}"))
    done = jactrain("run", config)
    assert done.code == 2
    assert f"{config}:" in done.err.splitlines()[0]
    for part in REFUSED[mode]:
        assert part in done.err
    assert not (folder / "runs").exists()


PLUGIN = """\
from jactrain.extend import Cost, Elementwise, layers

@layers.register("rigid")
class Rigid(Elementwise):
    "The absolute value, without an extension to complex numbers."
    analytic = False
    keeps = "input"
    def value(self, xp, x):
        return xp.abs(x)
    def slope(self, xp, kept):
        return xp.sign(kept)
"""


def test_a_layer_without_an_analytic_extension_is_named_before_training(
    jactrain: Callable, toy: Callable, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "_kinds", dict(layers._kinds))  # what the plug-in registers is forgotten
    monkeypatch.setattr(sys, "path", [*sys.path])
    (folder / "rigid_plugin.py").write_text(PLUGIN)
    config = toy(("  - tanh\n", "  - rigid\n"))
    assert jactrain("run", config, "--plugin", "rigid_plugin").code == 0
    done = jactrain(
        "run", config, "--plugin", "rigid_plugin", "--set", "mode=complex_step", "--runs", "other"
    )
    assert done.code == 2
    assert "rigid_1 (Rigid) says that it has no analytic extension" in done.err
    assert not (folder / "other").exists()
