"""Which modes a run compares, and what it says of the comparison."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("mode", "listed", "compared", "said"),
    [
        ("forward", "[forward, finite_difference]", ["reverse", "finite_difference"], "reverse is compared"),
        ("forward", "[forward, reverse]", ["reverse"], "it is left out"),
        ("reverse", "[reverse, forward]", ["forward"], "it is left out"),
        ("{forward: {seeds: outputs}}", "[forward]", ["forward"], ""),
        ("reverse", "[{reverse: {checkpoints: sqrt}}]", ["reverse(checkpoints=sqrt)"], ""),
    ],
)
def test_the_training_mode_is_not_compared_with_itself(
    jactrain: Callable, toy: Callable, mode: str, listed: str, compared: list[str], said: str
) -> None:
    path = toy(("[forward]", listed))
    done = jactrain("run", path, "--set", f"mode={mode}", "--json")
    facts = json.loads(done.out)
    assert [measurement["mode"] for measurement in facts["agreement"]] == compared
    log = Path(facts["folder"], "log.txt").read_text()
    assert said in done.err
    assert said in log
    assert ("note: " in done.err) == ("note: " in log) == bool(said)
    assert (said in jactrain("validate", path, "--set", f"mode={mode}").err) == (said in done.err)
    assert ("note: " in jactrain("run", path, "--set", f"mode={mode}", "--dry-run").err) == bool(said)


@pytest.mark.parametrize("mode", ["reverse", "forward", "finite_difference"])
@pytest.mark.parametrize("template", ["classification", "regression"])
def test_a_template_trains_by_any_mode_set_on_the_command_line(
    jactrain: Callable, folder: Path, template: str, mode: str
) -> None:
    jactrain("init", "new.yaml", "--template", template)
    assert jactrain("run", "new.yaml", "--set", f"mode={mode}", "--dry-run").code == 0


def test_reverse_takes_no_place_where_a_layer_lacks_its_products(
    jactrain: Callable, toy: Callable, plug_in: str
) -> None:
    path = toy(("- tanh", "- one_way"), ("[forward]", "[forward, finite_difference]"))
    done = jactrain("run", path, "--plugin", plug_in, "--set", "mode=forward", "--json")
    assert "it is left out" in done.err
    assert [measurement["mode"] for measurement in json.loads(done.out)["agreement"]] == ["finite_difference"]
    done = jactrain(
        *("run", path, "--plugin", plug_in),
        *("--set", "mode=forward", "--set", "agreement.modes=[forward]"),
    )
    assert done.code == 2
    assert "--set 'agreement.modes=[finite_difference]'" in done.err


def test_differences_alone_can_be_compared_with_differences(
    jactrain: Callable, toy: Callable, plug_in: str
) -> None:
    text = Path(f"{plug_in}.py").read_text().partition("    def jvp")[0]
    Path(f"{plug_in}.py").write_text(text)
    path = toy(("- tanh", "- one_way"), ("[forward]", "[finite_difference]"))
    done = jactrain("run", path, "--plugin", plug_in, "--set", "mode=finite_difference")
    assert done.code == 2
    (line,) = (line for line in done.err.splitlines() if "compare with another: " in line)
    advised = line.partition("--set '")[2].rstrip("'")
    options = ["--set", "mode=finite_difference", "--set", advised]
    assert jactrain("run", path, "--plugin", plug_in, *options).code == 0


def test_agreement_says_at_which_step_and_on_how_many_examples(jactrain: Callable, toy: Callable) -> None:
    path = toy(("epochs: 1", "epochs: 2"), ("[forward]", "[forward], every: 5, examples: 7"))
    done = jactrain("run", path)  # 120 examples in batches of 20: 6 steps an epoch
    assert " agreement with reverse after 10 of 12 steps, on 7 examples\n" in done.out
    assert "\n mode     relative error  allowed       cosine  verdict" in done.out
    assert "\n forward: rounding: " in done.out
    facts = json.loads(jactrain("run", path, "--json").out)
    assert facts["steps"] == 12
    assert [(line["step"], line["examples"]) for line in facts["agreement"]] == [(10, 7)]


def test_no_agreement_is_told_where_none_was_measured(jactrain: Callable, toy: Callable) -> None:
    path = toy(("agreement: {modes: [forward]}\n", ""))
    assert "agreement" not in jactrain("run", path).out
    assert json.loads(jactrain("run", path, "--json").out)["agreement"] == []
