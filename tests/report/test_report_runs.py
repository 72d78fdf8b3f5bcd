"""Pages of runs, from their folders alone; and folders that are damaged."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_records import SCRIPT

from jactrain.errors import RunError
from jactrain.report.page import Noted, Page, render
from jactrain.report.run_record import read_run
from jactrain.report.runs import read_runs, runs_page
from jactrain.runs.session import ending

MakeRun = Callable[..., Path]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write(path: Path, records: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")


def page_of(*folders: Path) -> Page:
    return runs_page(read_runs(folders))


def titles(page: Page) -> list[str]:
    return [figure.title for figure in page.figures]


def test_one_run_has_its_headline_curves_agreement_configuration_and_environment(trained: Path) -> None:
    page = page_of(trained)
    last = lines(trained / "metrics.jsonl")[-1]
    assert f"validation accuracy of {100 * last['validation_accuracy']:.2f} % after 4 epochs" in page.headline
    assert "by reverse; the gradient agrees with that of forward to" in page.headline
    assert page.warnings == []
    assert titles(page) == [
        "Loss against epochs", "Loss against multiply-adds", "Accuracy against epochs",
        "Relative error over steps",
        "forward: relative error by parameter over steps",
        "finite_difference: relative error by parameter over steps",
    ]  # fmt: skip
    assert page.facts["Status"] == "finished"
    assert page.facts["Examples"] == "45 train and 15 validation"
    assert "moons" in page.configurations["Configuration"]
    assert page.environments["Environment"]["versions"]["numpy"]
    html = render(page)
    assert "linear_1/weight" in html
    assert len(html) < 1_000_000


def test_the_heat_map_has_a_row_for_each_parameter_and_a_column_for_each_step(trained: Path) -> None:
    figure = next(one for one in page_of(trained).figures if one.title.startswith("forward"))
    steps = sorted({line["step"] for line in lines(trained / "agreement.jsonl")})
    assert figure.drawing.columns == [f"{step:,}" for step in steps]
    assert figure.drawing.rows == ["linear_1/weight", "linear_1/bias", "linear_2/weight", "linear_2/bias"]
    assert len(figure.data.rows) == 4 * len(steps)


def test_verdicts_and_allowed_errors_are_shown_where_they_were_recorded(run: Path) -> None:
    judged = {"verdict": "agree", "allowed": 3e-6, "reason": "rounding of 12 terms", "kinked": 2}
    records = [
        line | judged | {"blocks": {name: block | judged for name, block in line["blocks"].items()}}
        for line in lines(run / "agreement.jsonl")
    ]
    records[-1] |= {"verdict": "disagree"}
    write(run / "agreement.jsonl", records)
    page = page_of(run)
    assert page.headline.endswith("finite_difference disagrees with it.")
    table = next(section for section in page.sections if section.title.startswith("Agreement")).tables[0]
    assert [column.name for column in table.columns][2] == "verdict"
    assert table.rows[0][2] == Noted("agree", notes=(1, 2))
    assert table.notes == ["rounding of 12 terms", "2 entries at a kink set apart"]
    html = render(page)
    assert "✓ agree" in html
    assert "✗ disagree" in html


def test_a_disagreement_before_the_last_comparison_is_told_of(run: Path) -> None:
    records = [line | {"verdict": "agree"} for line in lines(run / "agreement.jsonl")]
    mode = records[0]["mode"]
    number = sum(line["mode"] == mode for line in records)
    assert number > 1
    records[0] |= {"verdict": "disagree"}
    write(run / "agreement.jsonl", records)
    assert page_of(run).headline.endswith(
        f"; {mode} disagreed with it at 1 of {number} comparisons, the first at step {records[0]['step']}."
    )


def test_under_early_stopping_the_kept_epoch_counts(run: Path, make_run: MakeRun) -> None:
    metrics = lines(run / "metrics.jsonl")
    for line, loss in zip(metrics, (0.5, 0.2, 0.3, 0.4), strict=True):
        line["validation_loss"] = loss
    folder = make_run("20260101T000000Z-early-0001", exit_reason=ending(4, 9, 2), kept_epoch=2)
    write(folder / "metrics.jsonl", metrics)
    page = page_of(folder)
    assert ", at epoch 2 after 4 epochs" in page.headline
    table = page.sections[0].tables[0]
    assert [column.name for column in table.columns] == ["figure", "kept", "last epoch", "best", "at epoch"]
    assert ("validation loss", "0.2", "0.4", "0.2", 2) in [tuple(row) for row in table.rows]


def test_a_diverged_run_says_so(make_run: MakeRun) -> None:
    reason = "the loss is not finite at step 9"
    page = page_of(make_run("20260101T000000Z-far-0001", status="diverged", exit_reason=reason))
    assert "diverged after 4 epochs" in page.headline
    assert reason in page.headline


def damage_metrics(run: Path) -> None:
    path = run / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-20])


def damage_meta(run: Path) -> None:
    (run / "meta.json").write_text('{"name": "toy", "sta')


def run_on(run: Path) -> None:
    record = json.loads((run / "meta.json").read_text()) | {"status": "running"}
    del record["ended"], record["exit_reason"]
    (run / "meta.json").write_text(json.dumps(record))


def lose(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


def spoil(name: str, text: str) -> Callable[[Path], None]:
    return lambda run: (run / name).write_text(text) and None


DAMAGES = [
    (damage_metrics, "metrics.jsonl, without what cannot be read: line 4, the last, is cut off"),
    (damage_meta, "meta.json is not JSON: Unterminated string"),
    (run_on, "meta.json has no end: the run still goes on, or it was cut off"),
    (lose("meta.json"), "there is no file meta.json"),
    (lose("metrics.jsonl"), "there is no file metrics.jsonl"),
    (lose("agreement.jsonl"), "^there is no file agreement.jsonl"),
    (lose("config.resolved.yaml"), "there is no file config.resolved.yaml"),
    (spoil("config.resolved.yaml", "a: [1"), "^config.resolved.yaml:1:"),
    (spoil("config.resolved.yaml", "a: &x 1"), "^config.resolved.yaml:1:"),
    (spoil("config.resolved.yaml", "name: toy\ndata: x\nnetwork: []\n"),
     "config.resolved.yaml lacks loss, optimizer and training; it may have been cut off"),
    (spoil("agreement.jsonl", ""), "agreement.jsonl is empty, though the configuration asks for agreement"),
    (spoil("meta.json", '{"name": 3}'), "meta.json: the record is damaged: name: .*not 3"),
    (spoil("meta.json", "[]"), "meta.json: the record is damaged"),
    (spoil("agreement.jsonl", '{"step": 1}\n[]\n3\n"a"\n'), "line 1: .*mode: field required.* and 1 more"),
    (spoil("agreement.jsonl", '{"step": 1, "mode": "a", "relative_error": NaN}\n'), "NaN is no JSON number"),
    (spoil("agreement.jsonl", '{"step": 1, "mode": "a", "blocks": {"b": 3}}\n'), "blocks.b"),
    (spoil("metrics.jsonl", '{"step": "x"}\n{"epoch": 1}\n'), "an object of numbers; line 2: it has"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_what_is_damaged_is_named_and_the_rest_is_shown(
    run: Path, damage: Callable[[Path], None], message: str
) -> None:
    damage(run)
    page = page_of(run)
    (fault, *_) = read_run(run).faults
    assert fault in page.warnings
    assert re.search(message, "\n".join(page.warnings)), page.warnings
    html = render(page)
    assert "Not all could be read" in html
    assert len(page.figures) >= 3


def test_a_folder_of_which_nothing_can_be_shown_is_refused(tmp_path: Path, run: Path) -> None:
    with pytest.raises(RunError, match="there is no folder"):
        page_of(tmp_path / "nowhere")
    with pytest.raises(
        RunError, match=r"is no folder of a run or a comparison: it has none of config\.resolved\.yaml, meta"
    ):
        page_of(tmp_path)
    with pytest.raises(RunError, match="is a file; give a run's folder"):
        page_of(run / "meta.json")
    for name in ("metrics.jsonl", "agreement.jsonl"):
        (run / name).write_bytes(b"\x00\xff\n")
    with pytest.raises(RunError, match=r"has nothing to show: .*line 1: not JSON"):
        page_of(run)


def test_no_damage_of_a_few_bytes_fails_otherwise(run: Path) -> None:
    rng = np.random.default_rng(5)
    names = ["metrics.jsonl", "agreement.jsonl", "meta.json", "config.resolved.yaml"]
    whole = {name: (run / name).read_bytes() for name in names}
    for _ in range(60):
        name = names[rng.integers(len(names))]
        data = np.frombuffer(whole[name], np.uint8).copy()
        places = rng.integers(len(data), size=rng.choice([1, 3, 30]))
        data[places] = rng.integers(256, size=len(places))
        (run / name).write_bytes(data[: rng.integers(1, 2 * len(data))].tobytes())
        with contextlib.suppress(RunError):
            page_of(run)
        (run / name).write_bytes(whole[name])


def test_several_runs_have_their_curves_together_and_what_differs_in_their_settings(
    make_run: MakeRun,
) -> None:
    one = make_run("20260101T000000Z-toy-0001")
    other = make_run(
        "20260101T000001Z-toy-0002", ("learning_rate: 0.1", "learning_rate: 0.3"), ("- tanh", "- relu")
    )
    page = page_of(one, other, one)
    settings = next(section for section in page.sections if section.title == "Differing settings").tables[0]
    assert [column.name for column in settings.columns] == ["setting", "toy-0001", "toy-0002"]
    assert [tuple(row) for row in settings.rows] == [
        ("network.1", "tanh", "relu"),
        ("optimizer.sgd.learning_rate", "0.1", "0.3"),
    ]
    assert titles(page)[:4] == [
        "Validation loss against epochs", "Validation loss against training time",
        "Validation loss against multiply-adds", "Train loss against epochs",
    ]  # fmt: skip
    assert [series.label for series in page.figures[0].drawing.series] == ["toy-0001", "toy-0002"]
    assert page.headline.startswith("Both runs reach a validation accuracy of")
    assert [*page.configurations] == ["Configuration of toy-0001", "Configuration of toy-0002"]
    render(page)


def test_runs_of_one_name_are_told_apart_by_the_one_setting_that_differs(make_run: MakeRun) -> None:
    one = make_run("20260101T000000Z-toy-0001")
    other = make_run("20260101T000001Z-toy-0002", ("learning_rate: 0.1", "learning_rate: 0.3"))
    page = page_of(one, other, make_run("20260101T000001Z-other-0003"))
    labels = [series.label for series in page.figures[0].drawing.series]
    assert labels == ["toy (learning_rate: 0.1)", "toy (learning_rate: 0.3)", "other"]


def cut(folder: Path, count: int) -> None:
    write(folder / "metrics.jsonl", lines(folder / "metrics.jsonl")[:count])


def test_metrics_that_end_before_the_training_are_said_to_and_are_not_those_of_the_weights(
    make_run: MakeRun,
) -> None:
    short = make_run("20260101T000000Z-toy-0001")
    cut(short, 2)
    page = page_of(short)
    assert page.headline.startswith("toy: its metrics end after epoch 2 of 4, with a validation accuracy of")
    assert page.warnings == ["metrics.jsonl ends after epoch 2 of 4"]
    assert [column.name for column in page.sections[0].tables[0].columns][1] == "last epoch recorded"
    others = [make_run(f"20260101T000000Z-toy-{index:04}") for index in (2, 3)]
    several = page_of(short, *others)
    assert several.headline.endswith(
        "; toy-0001 (its metrics end after epoch 2 of 4) is damaged and not ranked."
    )
    assert "Those of toy-0001 are of the last epoch recorded" in several.sections[0].tables[0].note
    alone = page_of(short, others[0]).headline
    assert "2 runs: toy-0001 with a validation accuracy of" in alone
    assert "where its metrics end, after epoch 2 of 4" in alone


@pytest.mark.parametrize(
    ("meta", "end"),
    [
        ({}, "after epoch 2 of 4"),
        ({"epochs": 3}, "after epoch 2 of 3"),
        ({"epochs": 2, "steps": 6}, ""),
        ({"epochs": 2, "steps": 500}, "after step 6 of 500"),
        ({"epochs": 2, "steps": 8, "status": "diverged", "exit_reason": "the loss is not finite"}, ""),
        ({"epochs": None, "steps": None, "status": "running"}, "after epoch 2 of 4"),
    ],
)
def test_metrics_are_cut_short_where_the_record_tells_of_more(
    make_run: MakeRun, meta: dict[str, Any], end: str
) -> None:
    folder = make_run("20260101T000000Z-toy-0001", **meta)
    cut(folder, 2)
    assert read_run(folder).cut_short == end


def test_the_kept_epoch_is_what_the_record_says(make_run: MakeRun) -> None:
    run = read_run(make_run("20260101T000000Z-toy-0001", kept_epoch=2))
    assert run.kept == run.metrics[1]


def test_no_conclusion_is_drawn_from_a_configuration_that_lacks_a_part(make_run: MakeRun) -> None:
    one, other = make_run("20260101T000000Z-toy-0001"), make_run("20260101T000001Z-toy-0002")
    text = (other / "config.resolved.yaml").read_text()
    (other / "config.resolved.yaml").write_text(text[: text.index("loss:")])
    page = page_of(one, other)
    assert "toy-0002: config.resolved.yaml lacks loss, optimizer and training" in page.warnings[0]
    assert "different data" not in page.headline
    assert not any(section.title == "Differing settings" and section for section in page.sections)


def test_runs_on_different_data_are_not_compared(make_run: MakeRun) -> None:
    one = make_run("20260101T000000Z-toy-0001")
    other = make_run("20260101T000001Z-toy-0002", ("examples: 60", "examples: 600"))
    assert "2 runs on different data, whose figures do not compare" in page_of(one, other).headline


def test_runs_that_cannot_be_read_are_named_and_the_others_shown(make_run: MakeRun, tmp_path: Path) -> None:
    good = make_run("20260101T000000Z-toy-0001")
    half = make_run("20260101T000001Z-toy-0002")
    damage_metrics(half)
    (tmp_path / "empty").mkdir()
    page = page_of(good, tmp_path / "nowhere", half, tmp_path / "empty")
    assert len(page.warnings) == 4
    assert "there is no folder" in page.warnings[0]
    assert "is no folder of a run" in page.warnings[1]
    assert page.warnings[2].startswith("toy-0002: metrics.jsonl, without")
    assert page.warnings[3] == "toy-0002: metrics.jsonl ends after epoch 3 of 4"
    assert page.title == "2 runs side by side"
    with pytest.raises(RunError, match=r"there is no folder .*; .* is no folder of a run"):
        page_of(tmp_path / "nowhere", tmp_path / "empty")


def test_many_runs_make_one_page(make_run: MakeRun) -> None:
    folders = [make_run(f"20260101T000000Z-toy-{index:04}") for index in range(30)]
    page = page_of(*folders)
    assert "The first 24 of 30 runs are drawn." in page.figures[0].caption
    assert len(page.figures[0].drawing.series) == 24


def test_hostile_names_in_a_run_are_text(make_run: MakeRun) -> None:
    folder = make_run(
        "20260101T000000Z-<script>alert(1)<-0001", name=SCRIPT, argv=[SCRIPT], exit_reason=SCRIPT
    )
    records = [line | {SCRIPT: 1.0} for line in lines(folder / "metrics.jsonl")]
    write(folder / "metrics.jsonl", records)
    text = (folder / "agreement.jsonl").read_text().replace("linear_1/weight", SCRIPT.replace("/", "\\/"))
    (folder / "agreement.jsonl").write_text(text.replace('"forward"', json.dumps(SCRIPT)))
    for page in (page_of(folder), page_of(folder, make_run("20260101T000000Z-toy-0002"))):
        html = render(page)
        body = html[html.index("<body>") : html.rindex("<script>")]
        assert "<script" not in body
        assert "&lt;script&gt;alert(1)&lt;" in body
