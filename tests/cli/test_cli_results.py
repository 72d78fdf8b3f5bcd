"""Every mode's own configuration, trained to the end: to the result that docs/modes.md states."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# The least validation score; runs reach a little more, on any machine.
LEAST = {
    "digits": ("validation_accuracy", 0.97),
    "moons": ("validation_accuracy", 0.95),
    "iris": ("validation_accuracy", 0.9),
    "random_forward": ("validation_accuracy", 0.95),
    "activity_perturbation": ("validation_accuracy", 0.95),
    "spsa": ("validation_accuracy", 0.92),
    "feedback_alignment": ("validation_accuracy", 0.94),
    "direct_feedback_alignment": ("validation_accuracy", 0.95),
    "complex_step": ("validation_r2", 0.8),
    "auto": ("validation_accuracy", 0.95),
    "revolve": ("validation_accuracy", 0.93),
}


@pytest.mark.parametrize("name", LEAST)
def test_a_configuration_trains_to_its_stated_result(jactrain: Callable, tmp_path: Path, name: str) -> None:
    config = ROOT / "configs" / f"{name}.yaml"
    done = jactrain("run", config, "--runs", tmp_path, "--set", "agreement=null", "--json")
    assert done.code == 0, done.err
    score, least = LEAST[name]
    assert json.loads(done.out)["metrics"][score] >= least


def test_the_autoencoder_halves_the_variance_of_what_it_has_not_seen(
    jactrain: Callable, tmp_path: Path
) -> None:
    config = ROOT / "configs" / "autoencoder.yaml"
    done = jactrain("run", config, "--runs", tmp_path, "--set", "agreement=null", "--json")
    assert json.loads(done.out)["metrics"]["validation_loss"] <= 0.5


def test_the_table_of_results_names_every_configuration() -> None:
    text = (ROOT / "docs" / "modes.md").read_text(encoding="utf-8")
    for path in (ROOT / "configs").glob("*.yaml"):
        assert f"configs/{path.name}" in text
