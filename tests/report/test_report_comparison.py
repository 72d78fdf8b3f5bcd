"""The page of a comparison: what is in it, what is left out, and records that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_records import comparison

from jactrain.errors import RunError
from jactrain.report.comparison import comparison_page
from jactrain.report.page import Noted, Page, Table, verdict
from jactrain.report.record import read_comparison


def names(page: Page) -> list[str]:
    return [figure.name for figure in page.figures]


def table_of(page: Page, section: str) -> Table:
    return next(one.tables[0] for one in page.sections if one.title == section)


def caption(page: Page, name: str) -> str:
    return next(figure.caption for figure in page.figures if figure.name == name)


def mode(**changes: Any) -> dict[str, Any]:
    return dict(comparison()["modes"][2]) | changes


def training(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = comparison()["training"]
    found["modes"][0]["runs"][0] |= changes
    return found


def test_a_whole_record_has_every_figure(page: Page) -> None:
    assert names(page) == [
        "cost-against-error", "seconds", "multiply-adds", "peak-memory", "error-by-parameter",
        "loss-by-steps", "loss-by-seconds", "loss-by-multiply-adds", "metric-by-steps", "divergence",
        "estimator-bias", "estimator-relative_bias", "estimator-relative_variance", "estimator-cosine",
        "loss-drop-a-multiply-add", "loss-drop-a-second",
        "scaling-seconds", "scaling-multiply-adds", "scaling-memory",
    ]  # fmt: skip


def test_the_table_has_a_row_for_every_mode_with_its_verdict_and_reason(page: Page) -> None:
    table = table_of(page, "The modes side by side")
    assert [row[0].value for row in table.rows] == [mode["mode"] for mode in comparison()["modes"]]
    rows = {
        row[0].value: dict(zip((column.name for column in table.columns), row, strict=True))
        for row in table.rows
    }
    assert rows["forward"]["verdict"] == Noted("agree")
    assert rows["forward"]["relative error"] == 9.1e-8
    assert rows["forward"]["mode"] == Noted("forward", "exact")
    assert rows["spsa(directions=16)"]["verdict"] == Noted("agree on average")
    assert [table.notes[number - 1] for number in rows["one_way"]["verdict"].notes] == [
        "one_way_1 has no vjp, which one_way needs"
    ]
    assert [table.notes[number - 1] for number in rows["finite_difference"]["verdict"].notes] == [
        "rounding of float32 losses is as large as the difference", "3 entries at a kink set apart",
    ]  # fmt: skip


def test_each_reason_is_noted_once() -> None:
    record = comparison()
    for one in record["modes"]:
        one |= {"reason": "rounding", "kinked": 0}
    table = table_of(comparison_page(record), "The modes side by side")
    assert table.notes == ["rounding"]
    assert [row[1].notes for row in table.rows] == [()] + [(1,)] * (len(table.rows) - 1)


def test_captions_are_computed_from_the_data(page: Page) -> None:
    assert "Least: wrong_rule with 200 µs. Most: complex_step with 41 ms, 205 times" in caption(
        page, "seconds"
    )
    assert "equal wherever both are known" in caption(page, "multiply-adds")
    assert "at most by a factor of 1.13" in caption(page, "peak-memory")
    assert "29.6, of spsa(directions=16) in linear_1/bias" in caption(page, "error-by-parameter")
    assert "forward is 4.0e-07 of the way" in caption(page, "divergence")
    assert "So do random_forward(directions=16) and spsa(directions=16): no bias" in caption(
        page, "estimator-bias"
    )
    assert "feedback_alignment has a bias of" in caption(page, "estimator-relative_bias")
    assert "feedback_alignment" not in caption(page, "estimator-relative_variance")
    assert "Left out: mixed, bit for bit the same as reverse." in caption(page, "cost-against-error")
    assert "wrong_rule diverged" in caption(page, "loss-by-steps")
    assert "reverse and forward change places" in caption(page, "scaling-seconds")


def test_accuracies_are_percentages_and_the_best_comes_first(page: Page) -> None:
    assert caption(page, "metric-by-steps").startswith(
        "At the end reverse and forward are highest with 98.83 %, and spsa(directions=16) is lowest"
    )
    record = comparison()
    record["training"]["metric"] = "validation_rmse"
    assert "is lowest with 0.8336, and reverse" in caption(comparison_page(record), "metric-by-steps")


def test_without_training_and_scaling_there_is_nothing_of_them() -> None:
    page = comparison_page(comparison() | {"training": None, "scaling": None})
    assert names(page) == [
        "cost-against-error", "seconds", "multiply-adds", "peak-memory", "error-by-parameter",
    ]  # fmt: skip
    assert [section.title for section in page.sections] == [
        "The modes side by side", "What a gradient costs", "Where they differ",
    ]  # fmt: skip


def test_where_nothing_ran_there_are_no_figures_but_every_mode_with_its_reason() -> None:
    failed = comparison()["modes"][-1] | {
        "reason": "no vjp",
        "multiply_adds": {"predicted": None, "counted": None},
    }
    modes = [failed | {"mode": mode} for mode in ("reverse", "mixed")]
    page = comparison_page(comparison() | {"modes": modes, "training": None, "scaling": None})
    assert names(page) == []
    table = table_of(page, "The modes side by side")
    assert [row[1] for row in table.rows] == [Noted("failed", notes=(1,))] * 2
    assert table.notes == ["no vjp"]


def test_trainings_of_which_none_took_a_step_have_no_curves() -> None:
    record = comparison()
    for mode in record["training"]["modes"]:
        mode |= {"runs": [], "status": "skipped", "estimator": None, "cosine_at_start": None}
        mode |= {"loss_drop_per_multiply_add": None, "loss_drop_per_second": None}
    assert not any(
        name.startswith(("loss", "metric", "divergence")) for name in names(comparison_page(record))
    )


def test_a_mode_keeps_its_style_in_every_figure(page: Page) -> None:
    styles: dict[str, set[int]] = {}
    for figure in page.figures:
        for series in getattr(figure.drawing, "series", ()):
            styles.setdefault(series.label, set()).add(series.style)
    assert styles["reverse"] == {0}
    assert all(len(found) == 1 for found in styles.values())
    assert len({min(found) for found in styles.values()}) == len(styles)


def test_a_mode_whose_loss_grew_is_not_called_finished() -> None:
    record = comparison()
    for run in record["training"]["modes"][3]["runs"]:
        run["train_loss"] = [2.4 + 100 * epoch for epoch in range(11)]
    page = comparison_page(record)
    table = table_of(page, "Training")
    assert [row[1].value for row in table.rows] == [*["finished"] * 3, "its loss grew", "finished",
                                                    "diverged", "failed"]  # fmt: skip
    assert verdict("its loss grew") == "– its loss grew"
    assert "The loss of spsa(directions=16) grew" in caption(page, "loss-by-steps")


def test_a_bias_within_its_standard_errors_is_none_and_one_beyond_is_real() -> None:
    record = comparison()
    estimator = record["training"]["modes"][2]["estimator"]
    estimator["relative_bias"] = [5 * error for error in estimator["bias_standard_error"]]
    words = caption(comparison_page(record), "estimator-bias")
    assert "Farther off is random_forward(directions=16), somewhere at least: this bias is real." in words
    assert "So does spsa(directions=16): no bias is seen." in words


def test_growth_that_overhead_hides_is_not_called_an_exponent() -> None:
    record = comparison()
    record["scaling"]["modes"][0]["exponent"]["measured"] = -0.2
    page = comparison_page(record)
    table = table_of(page, "Growing networks: width")
    assert table.rows[0][1] == "too small to measure growth at these sizes"
    assert "The times of reverse are too small to measure growth" in caption(page, "scaling-seconds")
    assert "forward grows slowest" in caption(page, "scaling-seconds")


def test_where_nothing_overtakes_one_sentence_says_so() -> None:
    record = comparison()
    record["scaling"]["crossovers"][0] |= {"measured_at": None, "predicted_at": None}
    section = comparison_page(record).sections[-1]
    assert len(section.tables) == 1
    assert section.text[1].startswith("No mode overtakes reverse, or is overtaken by it, between these sizes")


def test_seeds_that_end_early_count_as_far_as_they_go() -> None:
    record = comparison()
    run = record["training"]["modes"][0]["runs"][0]
    for key in ("step", "seconds", "multiply_adds", "train_loss", "validation_loss", "metric", "divergence"):
        run[key] = run[key][:3]
    (figure,) = (one for one in comparison_page(record).figures if one.name == "loss-by-steps")
    rows = [row for row in figure.data.rows if row[0] == "reverse"]
    assert [row[1] for row in rows] == [23 * epoch for epoch in range(11)]
    assert rows[2][3] < rows[2][2]
    assert rows[5][2] == pytest.approx((rows[5][3] + rows[5][4]) / 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "run"}, "expected a record of kind 'comparison', not 'run'"),
        ({"schema_version": 2}, "has schema_version 2, and this jactrain reads up to 1; update jactrain"),
        ({"schema_version": "1"}, "schema_version: input should be 1, not '1'"),
        ({"modes": {}}, "modes: input should be a valid list, not a mapping of 0 keys"),
        ({"name": 3}, "name: input should be a valid string, not 3"),
        ({"examples": 10**400}, "examples: input should be less than or equal to .* not 1000"),
        ({"modes": [mode() | {"cosine": "\x1b[31m"}]}, r"modes.0.cosine: .* '\\x1b\[31m'"),
        ({"modes": [{key: value for key, value in mode().items() if key != "allowed"}]},
         "modes.0.allowed: field required"),
        ({"modes": [mode() | {"permitted": 1.0}]}, "modes.0.permitted: there is no such field"),
        ({"modes": [mode() | {"seconds": {"median": -1.0, "iqr": 0.0, "repeats": 1}}]},
         "modes.0.seconds.median: .* not -1.0"),
        ({"training": training(metric=[1.0])}, "metric has 1 entries, but step has 11"),
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_refused_with_what_is_wrong(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RunError, match=message) as caught:
        comparison_page(comparison() | change)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(RunError, match="expected the JSON object of a comparison"):
        comparison_page(value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"kind": "comparison", "name": "a', "comparison.json is not JSON: Unterminated string.* cut off"),
        (b'{"kind": NaN}', "NaN is no JSON number"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"{}", "kind 'comparison', not null"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "comparison.json"
    path.write_bytes(data)
    with pytest.raises(RunError, match=message) as caught:
        read_comparison(path)
    assert str(path) in str(caught.value)


def test_a_recorded_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps(comparison()))
    assert comparison_page(read_comparison(path)).title == "Comparison of modes: digits"


WRONG = ("text", -1, None, [], {}, True, 1e308, 5e-324, 0, 10**400, "\ud800", 1.5)


def test_whatever_is_wrong_in_a_record_is_refused_or_shown_but_never_fails_otherwise() -> None:
    rng = np.random.default_rng(4)
    paths = list(leaves(comparison()))
    refused = 0
    for _ in range(400):
        record = comparison()
        path = paths[rng.integers(len(paths))]
        place: Any = record
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = WRONG[rng.integers(len(WRONG))]
        try:
            comparison_page(record)
        except RunError:
            refused += 1
    assert 150 < refused < 390


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from leaves(item, (*path, key))
