"""`jactrain compare`: rows for all modes, whatever becomes of some."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[2] / "configs"


def rows_of(done: object) -> dict[str, dict]:
    return {row["mode"]: row for row in json.loads(done.out)["modes"]}


def test_every_mode_is_a_row_with_figures_and_a_page_is_written(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("compare", toy(), "--json", "--budget", "5")
    assert done.code == 0
    comparison = json.loads(done.out)
    folder = Path(comparison.pop("folder"))
    assert json.loads((folder / "comparison.json").read_text()) == comparison
    assert "<html" in (folder / "report.html").read_text()
    assert comparison["reference"] == "reverse"
    rows = rows_of(done)
    assert rows["reverse"]["verdict"] == "reference"
    for name in ("forward", "complex_step", "finite_difference", "mixed", "random_forward"):
        row = rows[name]
        assert row["verdict"] == "agree", row
        assert row["relative_error"] <= row["allowed"]
        assert row["multiply_adds"]["predicted"] == row["multiply_adds"]["counted"] > 0
        assert row["seconds"]["median"] > 0
        assert row["times_fastest"] >= 1
        assert row["peak_bytes"] > 0
        assert row["work"]["forward"] > 0
        assert row["blocks"][0]["parameter"] == "linear_1/weight"
    assert rows["feedback_alignment"]["verdict"] == "not comparable"
    assert comparison["headline"].startswith("forward agrees with reverse to ")
    assert "because for 35 parameters it applies" in comparison["headline"]


def test_modes_that_do_not_exist_or_cannot_run_are_rows_with_their_reason(
    jactrain: Callable, toy: Callable
) -> None:
    orthogonal = "{random_forward: {directions: 99, distribution: orthogonal}}"
    asked = f"revers, {{forward: {{memory: 1}}}}, {orthogonal}, forward"
    done = jactrain("compare", toy(), "--modes", asked, "--json")
    assert done.code == 0
    rows = rows_of(done)
    assert next(iter(rows)) == "reverse"
    assert "did you mean reverse?" in rows["revers"]["reason"]
    assert rows["revers"]["verdict"] == "skipped"
    assert rows["forward"]["verdict"] == "agree"
    refused = [row for row in rows.values() if row["verdict"] == "skipped"]
    assert len(refused) == 3
    assert all(row["seconds"] is None and row["reason"] for row in refused)


def test_a_mode_over_the_budget_is_skipped_with_its_predicted_time(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("compare", toy(), "--modes", "finite_difference,forward", "--budget", "0.00001", "--json")
    rows = rows_of(done)
    assert rows["finite_difference"]["verdict"] == "skipped"
    assert "predicted to take" in rows["finite_difference"]["reason"]
    assert rows["finite_difference"]["multiply_adds"]["predicted"] > 0


def test_training_and_growth_are_compared_too(jactrain: Callable, toy: Callable) -> None:
    done = jactrain(
        *("compare", toy(), "--modes", "forward,spsa", "--train", "--seeds", 2),
        *("--scaling", "width", "--sizes", "4,8,16", "--json"),
    )
    comparison = json.loads(done.out)
    training = comparison["training"]
    assert training["seeds"] == [0, 1]
    by_mode = {row["mode"]: row for row in training["modes"]}
    assert list(by_mode) == ["reverse", "forward", "spsa"]
    assert by_mode["forward"]["runs"][0]["divergence"][-1] < 1e-4
    assert by_mode["spsa"]["estimator"]["relative_variance"][0] > 1
    assert [point["size"] for point in comparison["scaling"]["modes"][0]["points"]] == [4, 8, 16]
    page = Path(comparison["folder"], "report.html").read_text()
    assert "spsa" in page


def test_the_tables_say_what_the_json_says(jactrain: Callable, toy: Callable) -> None:
    done = jactrain(
        "compare",
        toy(),
        "--modes",
        "forward",
        "--train",
        "--seeds",
        1,
        "--scaling",
        "depth",
        "--sizes",
        "1,2,4",
    )
    assert done.code == 0
    for told in (
        "forward agrees with reverse",
        "✓ agree",
        "= reference",
        "training, 1 epoch, over seed 0;",
        "growth with depth",
    ):
        assert told in done.out
    assert done.out.splitlines()[-1].endswith("report.html")
    assert "trained by forward" in done.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--sizes", "0"], "whole numbers from 1"),
        (["--sizes", "wide"], "whole numbers from 1"),
        (["--modes", ","], "--modes"),
        (["--modes", "{forward"], "--modes"),
    ],
)
def test_wrong_usage_ends_with_2_and_writes_nothing(
    jactrain: Callable, toy: Callable, arguments: list[str], told: str
) -> None:
    done = jactrain("compare", toy(), *arguments)
    assert done.code == 2
    assert told in done.err
    assert not Path("runs").exists()


def test_a_wrong_layer_shows_as_a_disagreement_and_ends_with_1(jactrain: Callable, toy: Callable) -> None:
    Path("wrong_in_compare.py").write_text(
        "from jactrain.layers import layers\nfrom jactrain.layers.tanh import Tanh\n\n"
        '@layers.register("wrong_in_compare")\nclass Wrong(Tanh):\n    """A tanh whose vjp is wrong."""\n\n'
        "    def vjp(self, *arguments):\n        return super().vjp(*arguments) * 2\n"
    )
    done = jactrain(
        *("compare", toy(("- tanh", "- wrong_in_compare")), "--plugin", "wrong_in_compare"),
        *("--modes", "forward,complex_step", "--json"),
    )
    assert done.code == 1
    comparison = json.loads(done.out)
    assert {row["verdict"] for row in comparison["modes"]} == {"reference", "disagree"}
    assert "disagrees with reverse" in comparison["headline"]
    wrong = rows_of(done)["forward"]
    assert {block["parameter"]: block["verdict"] for block in wrong["blocks"]}[
        "linear_1/weight"
    ] == "disagree"
    assert "linear_1/weight" in wrong["reason"]
