"""`jactrain compare`: rows for all modes, whatever becomes of some."""

import contextlib
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jactrain.modes import modes

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
    assert rows["forward(seeds=parameters)"]["verdict"] == "agree"
    literal = "forward(seeds=parameters), the recursion as it is first written, agrees with reverse to "
    assert comparison["headline"].startswith(literal)
    assert " forward, factored, agrees with reverse to " in comparison["headline"]


def test_modes_may_stand_in_brackets_as_in_a_configuration(jactrain: Callable, toy: Callable) -> None:
    asked = "[reverse, {forward: {seeds: parameters}}, finite_difference(scheme=five_point)]"
    done = jactrain("compare", toy(), "--modes", asked, "--json")
    assert done.code == 0
    assert list(rows_of(done)) == [
        "reverse",
        "forward(seeds=parameters)",
        "finite_difference(scheme=five_point)",
    ]


def test_modes_that_do_not_exist_or_cannot_run_are_rows_with_their_reason(
    jactrain: Callable, toy: Callable
) -> None:
    orthogonal = "{random_forward: {directions: 99, distribution: orthogonal}}"
    asked = f"revers, {{forward: {{memory: 1}}}}, {orthogonal}, forward"
    done = jactrain("compare", toy(), "--modes", asked, "--json")
    assert done.code == 2
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
        "training, 1 epoch, over seed 0:",
        "by depth",
    ):
        assert told in done.out
    assert done.out.splitlines()[-1].endswith("report.html")
    assert done.err.splitlines() == [f"trained by {mode}, seed 0: 1 epoch" for mode in ("reverse", "forward")]


def test_a_mode_is_asked_for_as_tables_print_it_or_as_configurations_have_it(
    jactrain: Callable, toy: Callable
) -> None:
    for asked in ("forward(seeds=parameters)", "{forward: {seeds: parameters}}"):
        done = jactrain(
            "compare", toy(), "--modes", f"{asked}, spsa(directions=2, distribution=gaussian)", "--json"
        )
        assert done.code == 0
        assert list(rows_of(done)) == [
            "reverse",
            "forward(seeds=parameters)",
            "spsa(directions=2, distribution=gaussian)",
        ]
    told = shlex.split(json.loads(done.out)["command"])
    assert told[:2] == ["jactrain", "compare"]
    assert told[4].startswith("{forward: {seeds: parameters}}, spsa(")


def test_an_interrupted_comparison_exits_with_130_and_leaves_nothing(
    jactrain: Callable, toy: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(modes.get("spsa"), "differentiate", interrupt)
    done = jactrain("compare", toy(), "--modes", "spsa", "--figures", "deep/figures", "--runs", "some/runs")
    assert (done.code, done.out) == (130, "")
    assert done.err == "interrupted; nothing written\n"
    assert [path.name for path in Path().iterdir()] == ["toy.yaml"]


def test_a_mode_that_raises_is_a_row_and_ends_with_1(
    jactrain: Callable, toy: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by \x1b[31mdesign")

    monkeypatch.setattr(modes.get("spsa"), "differentiate", broken)
    done = jactrain("compare", toy(), "--modes", "spsa,forward", "--train")
    assert done.code == 1
    assert (
        "1 mode agrees with reverse, 1 has failed (spsa: ZeroDivisionError: by \\x1b[31mdesign)." in done.out
    )
    assert " spsa: failed: ZeroDivisionError: by \\x1b[31mdesign\n" in done.out
    assert "\x1b" not in done.out


def on_a_terminal(command: list[str]) -> tuple[int, str]:
    """Return the exit code of `command` and what it shows on a terminal of 80 columns."""
    terminal, end = os.openpty()
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb"}
    running = subprocess.Popen(command, stdin=end, stdout=end, stderr=end, env=environment)
    os.close(end)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is gone when the program is
        while data := os.read(terminal, 4096):
            shown += data
    os.close(terminal)
    return running.wait(), shown.decode()


WIDE = "activity_perturbation(directions=3, distribution=gaussian), forward(seeds=parameters)"


def test_on_a_terminal_of_80_columns_no_line_is_longer_and_no_number_is_broken(toy: Callable) -> None:
    pytest.importorskip("pty")
    arguments = ["compare", str(toy()), "--modes", f"{WIDE}, spsa, direct_feedback_alignment", "--train"]
    arguments += ["--seeds", "2", "--scaling", "width", "--sizes", "1,2,3,4,5,6,7", "--budget", "2"]
    program = "import sys; from jactrain.cli import main; sys.argv[0] = 'jactrain'; main()"
    code, shown = on_a_terminal([sys.executable, "-c", program, *arguments])
    assert code == 0
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown).replace("\r\n", "\n").split("\n")
    assert max(len(line.rpartition("\r")[2]) for line in lines[:-2]) <= 80
    told = "\n".join(lines)
    assert "epoch 1 of 1, seed 1, by spsa" in told
    assert any(line.strip() == "(directions=3)" for line in lines)
    assert "…" not in told
    rows = [line.split() for line in lines if line.startswith("spsa  ")]
    assert len(rows) == 5  # agreement, cost, training, and two of growth
    number = re.compile(r"[-–+\d.,e%]+|[KMG]?i?B|±|\?|✓|not|comparable|agree|/")
    assert [word for row in rows for word in row[1:] if not number.fullmatch(word)] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--sizes", "0"], "whole numbers from 1"),
        (["--sizes", "wide"], "whole numbers from 1"),
        (["--seeds", 2], "add --train"),
        (["--sizes", "4,8"], "--sizes need --scaling"),
        (["--budget", 0], "seconds above 0, not 0"),
        (["--budget", "nan"], "seconds above 0, not nan"),
        (["--budget", "inf"], "seconds above 0, not inf"),
        (["--figures", "toy.yaml"], "toy.yaml is a file"),
        (["--figures", "toy.yaml/figures"], "toy.yaml/figures cannot be made"),
        (["--runs", "toy.yaml", "--figures", "figures"], "cannot be made: it is a file"),
        (["--set", "training.batch_size=9999"], "9999"),
        (["--scaling", "width", "--set", "network=[linear]"], "no hidden linear layer"),
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
    assert [path.name for path in Path().iterdir()] == ["toy.yaml"]


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
