"""Pages of sweeps, from their folders alone: what was found, its spread, and what became of each cell."""

from __future__ import annotations

import json
import math
import shutil
import statistics
from itertools import product
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pytest
from sweep_records import (
    COMMAND,
    agreement_at,
    metrics_to,
    write_cell,
    write_hostile,
    write_large,
    write_list,
    write_search,
    write_sweep,
)

from jactrain.errors import RunError
from jactrain.report.drawings.heat_map import HeatMap
from jactrain.report.drawings.lines import Lines
from jactrain.report.drawings.scatter import Scatter
from jactrain.report.drawings.strips import Strips
from jactrain.report.page import Figure, Noted, Page, Table, render
from jactrain.report.sweeps.headline import chance
from jactrain.report.sweeps.page import sweep_page
from jactrain.report.sweeps.record import read_sweep
from jactrain.report.sweeps.settings import short_names, spread_of
from jactrain.runs.directory import RunDirectory
from jactrain.runs.lock import is_held, locked

RATE = "optimizer.sgd.learning_rate"
WIDTH = "network.0.linear.units"


def page_of(folder: Path) -> Page:
    return sweep_page(read_sweep(folder))


def table_of(page: Page, section: str = "Settings") -> Table:
    return next(one for one in page.sections if one.title == section).tables[0]


def column(table: Table, name: str) -> list[Any]:
    place = [one.name for one in table.columns].index(name)
    return [row[place] for row in table.rows]


def figure(page: Page, title: str) -> Figure:
    return next(one for one in page.figures if one.title == title)


def figures_of(*settings: tuple[Any, list[float]]) -> list[tuple[dict[str, Any], list[tuple[float, float]]]]:
    """Return settings by mode with these accuracies."""
    return [({"mode": mode}, [(1 - one, one) for one in reached]) for mode, reached in settings]


def test_a_setting_has_mean_deviation_and_ends_over_its_seeds(tmp_path: Path) -> None:
    losses, accuracies = [0.31, 0.27, 0.35], [0.9, 0.94, 0.89]
    other = [(0.6, 0.7), (0.62, 0.68), (0.7, 0.71)]
    folder = write_sweep(
        tmp_path / "s",
        [({"mode": "forward"}, other), ({"mode": "reverse"}, [*zip(losses, accuracies, strict=True)])],
    )
    table = table_of(page_of(folder))
    assert column(table, "mode") == ["reverse", "forward"]
    assert column(table, "repeats finished")[0] == Noted(3, "of 3")
    accuracy, loss = column(table, "validation accuracy")[0], column(table, "validation loss")[0]
    assert accuracy.value == pytest.approx(statistics.mean(accuracies), rel=1e-12)
    assert accuracy.small == f"± {100 * statistics.stdev(accuracies):.2g} %\n89 to 94 %"
    assert loss.value == pytest.approx(statistics.mean(losses), rel=1e-12)
    assert loss.small == f"± {statistics.stdev(losses):.2g}\n0.27 to 0.35"
    assert column(table, "train loss")[0].value == pytest.approx(statistics.mean(losses) / 2, rel=1e-12)
    assert column(table, "training time")[0] == pytest.approx(0.03)
    assert column(table, "multiply-adds")[0] == 3000


@pytest.mark.parametrize(
    "values", [[3.0], [1.0, 2.0, 4.0, 8.0], [1e308, 1.5e308], [-1e200, 1e200, 0.0], [5.0] * 7]
)
def test_the_spread_is_that_of_statistics(values: list[float]) -> None:
    found = spread_of([None, *values, math.inf])
    assert found is not None
    assert (found.count, found.low, found.high) == (len(values), min(values), max(values))
    assert found.mean == pytest.approx(statistics.mean(values), rel=1e-12, abs=1e190)
    if len(values) == 1:
        assert found.deviation is None
    else:
        assert found.deviation == pytest.approx(statistics.stdev(values), rel=1e-12)
    assert spread_of([None]) is None


def test_spreads_that_overlap_are_said_to(tmp_path: Path) -> None:
    folder = write_sweep(
        tmp_path / "s",
        figures_of(
            ("reverse", [0.9, 0.8, 0.85]), ("forward", [0.84, 0.86, 0.82]), ("mixed", [0.8, 0.83, 0.83])
        ),
    )
    page = page_of(folder)
    assert page.headline == (
        "reverse has the highest mean validation accuracy of 3 settings, 85.00 ± 5.00 % over 3 seeds; "
        "forward comes next with 84.00 ± 2.00 %: their spreads overlap, and these seeds do not tell the two "
        "apart."
    )
    assert page.lead == (
        "All 9 cells finished. ± is the standard deviation over seeds. With the same seed the first of the "
        "two is better 2 of 3 times. The spread of 1 further setting overlaps with the best one's, too: "
        "mixed."
    )


def test_what_wins_with_every_seed_is_more_than_chance_though_spreads_overlap(tmp_path: Path) -> None:
    base = [0.70, 0.75, 0.8, 0.85, 0.9, 0.95]
    folder = write_sweep(
        tmp_path / "s", figures_of(("forward", base), ("reverse", [one + 0.01 for one in base]))
    )
    assert page_of(folder).headline.endswith(
        ": their spreads overlap, but seed by seed the first is better 6 of 6 times, which is more than "
        "chance."
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ((("a", [0.9, 0.91, 0.92]), ("b", [0.5, 0.51, 0.52])), "and their spreads do not overlap."),
        ((("a", [0.9, 0.91]), ("b", [0.5, 0.51])), "do not overlap, as far as two seeds tell."),
        ((("a", [0.9]), ("b", [0.8])), "single seeds do not tell whether that is more than chance."),
        ((("a", [0.9, 0.8]), ("b", [0.8, 0.9])), "b has the same mean, 85.00 ± 7.07 %."),
        ((("a", [0.9, 0.9]), ("b", [0.9, 0.9])), "b reaches just the same."),
        ((("a", [0.9, 0.8]),), "toy reaches a validation accuracy of 85.00 ± 7.07 % over 2 seeds."),
    ],
)  # fmt: skip
def test_the_headline_says_no_more_than_the_seeds_do(tmp_path: Path, settings: Any, words: str) -> None:
    assert page_of(write_sweep(tmp_path / "s", figures_of(*settings))).headline.endswith(words)


def test_chance_is_that_of_the_sign_test() -> None:
    assert chance(6, 0) == 2 / 64
    assert chance(5, 0) == 2 / 32
    assert chance(3, 3) == 1
    assert chance(0, 0) == 1


def test_settings_with_a_repeat_that_diverged_are_not_ranked_but_told(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "s", figures_of(("a", [0.95, 0.96, 0.97]), ("b", [0.8, 0.81, 0.83])))
    shutil.rmtree(folder / "setting0-seed2")
    write_cell(
        folder / "setting0-seed2", metrics_to(9.0, 0.1, 1), "diverged", "the loss is not finite at step 5"
    )
    page = page_of(folder)
    assert page.headline.startswith(
        "toy: b, the only one that can be ranked, reaches a validation accuracy of"
    )
    assert "5 of 6 cells finished; 1 diverged." in page.lead
    assert (
        "Ranked is the 1 setting of which no repeat diverged or failed; 1 is left out. Of these a would come "
        "before the best, with 95.50 ± 0.71 % over the 2 of its 3 repeats that finished." in page.lead
    )
    table = table_of(page)
    assert column(table, "mode") == ["b", "a"]
    assert column(table, "repeats finished")[1] == Noted(2, "of 3", (1,))
    assert table.notes == ["1 diverged"]


def test_settings_that_are_under_way_are_ranked_from_half_of_their_repeats_on(tmp_path: Path) -> None:
    folder = write_sweep(
        tmp_path / "s", figures_of(("a", [0.9] * 4), ("b", [0.92, 0.94] * 2), ("c", [0.99] * 4))
    )
    for name in ("setting1-seed2", "setting1-seed3", "setting2-seed1", "setting2-seed2", "setting2-seed3"):
        shutil.rmtree(folder / name)
    page = page_of(folder)
    assert (
        "b has the highest mean validation accuracy of 2 settings, 93.00 ± 1.41 % over 2 of 4 seeds; a comes "
        in (page.headline)
    )
    assert "at least half finished; 1 is left out. Of these c would come before the best" in page.lead
    assert "5 have not begun" in page.lead


def test_curves_are_means_with_bands_from_lowest_to_highest(tmp_path: Path) -> None:
    losses = [0.3, 0.5, 0.4]
    folder = write_sweep(
        tmp_path / "s", [({RATE: 0.1}, [(loss, 0.9) for loss in losses]), ({RATE: 0.2}, [(1, 0.5)])]
    )
    found = figure(page_of(folder), "Validation loss against epochs")
    series = found.drawing.series[0]
    assert series.label == "learning_rate=0.1"
    assert series.x == [1, 2, 3]
    for place, left in enumerate((2, 1, 0)):
        assert series.y[place] == pytest.approx(statistics.mean(losses) + left)
        assert series.low[place] == pytest.approx(min(losses) + left)
        assert series.high[place] == pytest.approx(max(losses) + left)
    assert (
        "Lines are means over the repeats that finished, bands reach from the lowest to the highest."
        in found.caption
    )
    assert found.data.rows[2][2] == pytest.approx(0.4)
    assert found.data.rows[2][3] == pytest.approx(statistics.stdev(losses))
    work = figure(page_of(folder), "Validation loss against multiply-adds").drawing.series[0]
    assert work.x == [1000, 2000, 3000]


def test_of_many_settings_the_best_few_are_drawn(tmp_path: Path) -> None:
    settings = [({"training.batch_size": size}, [(size, 0.5)]) for size in range(1, 41)]
    page = page_of(write_sweep(tmp_path / "s", settings))
    curves = figure(page, "Validation loss against epochs")
    assert [one.label for one in curves.drawing.series] == [f"batch_size={size}" for size in range(1, 7)]
    assert "Drawn are the 6 best of 40 settings." in curves.caption
    strips = figure(page, "Validation accuracy of the settings")
    assert isinstance(strips.drawing, Strips)
    assert len(strips.drawing.strips) == 30
    assert "The first 30 of 40 settings are drawn." in strips.caption
    assert len(strips.data.rows) == 40


def test_two_numeric_factors_make_a_heat_map_with_the_best_framed(tmp_path: Path) -> None:
    at = {(4, 0.1): 0.7, (4, 0.2): 0.75, (16, 0.1): 0.9, (16, 0.2): 0.8, (64, 0.1): 0.6}
    folder = write_sweep(
        tmp_path / "s",
        [
            ({WIDTH: width, RATE: rate}, [(1 - a, a - 0.01), (1 - a, a + 0.01)])
            for (width, rate), a in at.items()
        ],
    )
    found = figure(page_of(folder), "Validation accuracy by units and learning_rate")
    drawing = found.drawing
    assert isinstance(drawing, HeatMap)
    assert (drawing.rows, drawing.columns) == (["64", "16", "4"], ["0.1", "0.2"])
    expected = [[at.get((width, rate)) for rate in (0.1, 0.2)] for width in (64, 16, 4)]
    for row, wanted in zip(drawing.values, expected, strict=True):
        assert row == [one if one is None else pytest.approx(one) for one in wanted]
    assert drawing.framed == (1, 0)
    assert "Framed is the best, 90.00 % at units 16 and learning_rate 0.1." in found.caption
    assert "1 cell marked – has none that finished." in found.caption
    assert "means over the repeats" in found.caption


def test_of_other_factors_a_heat_map_takes_the_best_and_says_so(tmp_path: Path) -> None:
    settings = [
        ({"mode": mode, WIDTH: width, RATE: rate}, [(0.5, 0.5 + width / 100 + rate - 0.2 * (mode == "spsa"))])
        for mode, width, rate in product(("spsa", "reverse"), (4, 8), (0.1, 0.2))
    ]
    found = figure(
        page_of(write_sweep(tmp_path / "s", settings)), "Validation accuracy by units and learning_rate"
    )
    assert "Of mode the best is taken for each cell." in found.caption
    assert found.drawing.values[0][1] == pytest.approx(0.78)
    assert {row[3].split(" ")[0] for row in found.data.rows} == {"reverse"}


def test_one_numeric_factor_makes_lines_with_error_bars(tmp_path: Path) -> None:
    accuracy = {0.001: [0.5, 0.6], 0.01: [0.7, 0.8], 0.1: [0.6, 0.9]}
    folder = write_sweep(
        tmp_path / "s",
        [
            ({"mode": mode, RATE: rate}, [(0.5, one) for one in reached])
            for mode, (rate, reached) in product(("reverse", "forward"), accuracy.items())
        ],
    )
    found = figure(page_of(folder), "Validation accuracy against learning_rate")
    drawing = found.drawing
    assert isinstance(drawing, Lines)
    assert drawing.whiskers
    assert drawing.x.scale == "log"
    assert [one.label for one in drawing.series] == ["reverse", "forward"]
    series = drawing.series[0]
    assert series.x == [0.001, 0.01, 0.1]
    for place, values in enumerate(accuracy.values()):
        mean, deviation = statistics.mean(values), statistics.stdev(values)
        assert series.y[place] == pytest.approx(mean)
        assert series.low[place] == pytest.approx(mean - deviation)
        assert series.high[place] == pytest.approx(mean + deviation)
    assert "bars reach a standard deviation to both sides" in found.caption


@pytest.mark.parametrize(
    ("values", "scale", "unit"),
    [
        ((0.03, 0.1, 0.3), "log", ""), ((2, 4, 8, 16), "log", "size"),
        ((1, 2, 3, 4, 5, 6, 7, 8, 9), "linear", ""),
        ((0.002, 0.02, 0.2, 0.25, 0.3, 0.35, 0.5, 0.8), "log", ""), (range(1, 41), "linear", ""),
        ((0.0, 0.5, 0.9), "linear", ""), ((1, 2), "linear", ""), ((-1, 1, 100), "linear", ""),
    ],
)  # fmt: skip
def test_the_axis_of_a_factor_is_as_its_values_are_spaced(
    tmp_path: Path, values: tuple[float, ...], scale: str, unit: str
) -> None:
    folder = write_sweep(tmp_path / "s", [({"a.b": value}, [(0.5, 0.5)]) for value in values])
    axis = figure(page_of(folder), "Validation accuracy against b").drawing.x
    assert (axis.scale, axis.unit) == (scale, unit)


def test_costs_are_drawn_where_the_factor_changes_them(tmp_path: Path) -> None:
    cells = []
    for width in (2, 4, 8):
        name = f"width{width}"
        cells.append((name, 0, {WIDTH: width}))
        write_cell(tmp_path / "s" / name, metrics_to(0.5, 0.5, work=100.0 * width))
    write_list(tmp_path / "s", cells)
    page = page_of(tmp_path / "s")
    work = figure(page, "Multiply-adds against units").drawing.series[0]
    assert (work.label, work.y) == ("multiply-adds", [600, 1200, 2400])
    assert figure(page, "Training time against units")


def test_a_search_shows_its_trials_in_order_with_the_best_so_far(tmp_path: Path) -> None:
    page = page_of(write_search(tmp_path / "s"))
    assert page.title == "Search: toy"
    assert page.headline == (
        "trial-0003 has the lowest validation loss of 6 trials, 0.4, with learning_rate 0.004."
    )
    assert (
        "6 of 8 trials finished; 1 was pruned and 1 has not begun. Each trial was trained once" in page.lead
    )
    found = figure(page, "Validation loss of the trials in their order")
    assert isinstance(found.drawing, Scatter)
    finished, pruned = found.drawing.clouds
    assert finished.y == [0.9, 0.5, 0.7, 0.4, 0.6, 0.45]
    assert (pruned.x, pruned.y) == ([7.0], [0.8])
    assert found.drawing.stairs is not None
    assert found.drawing.stairs.y == [0.9, 0.5, 0.5, 0.4, 0.4, 0.4, 0.4, 0.4]
    assert "The best, 0.4, came with trial-0003, number 4 of 8. 1 trial was pruned" in found.caption
    table = table_of(page, "Trials")
    assert column(table, "trial")[:2] == ["trial-0003", "trial-0005"]
    assert column(table, "status")[-2:] == ["pruned", "not begun"]
    points = figure(page, "Validation loss against learning_rate")
    assert points.drawing.clouds[1].y == [0.4]
    assert table_of(page, "Trials that did not finish").rows[0][:3] == (
        "trial-0006",
        "pruned",
        "pruned after epoch 2",
    )


def test_a_search_that_maximizes_takes_the_largest(tmp_path: Path) -> None:
    folder = write_search(tmp_path / "s")
    record = json.loads((folder / "cells.json").read_text())
    record["search"]["direction"] = "maximize"
    (folder / "cells.json").write_text(json.dumps(record))
    assert page_of(folder).headline.startswith("trial-0000 has the highest validation loss of 6 trials, 0.9")


def test_every_cell_that_did_not_finish_has_its_reason(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    states = {
        "fine": ("finished", ""),
        "far": ("diverged", "the loss is not finite at step 31"),
        "broken": ("failed", "a worker ran out of memory"),
        "stopped": ("interrupted", "interrupted by the user"),
        "cut": ("running", ""),
        "busy": ("running", ""),
        "weak": ("pruned", "pruned after epoch 2"),
    }
    for seed, (name, (status, reason)) in enumerate(states.items()):
        write_cell(
            folder / name, metrics_to(0.5, 0.5, 3 if status == "finished" else 2), status, reason, seed=seed
        )
    for name in ("early", "gone"):
        write_cell(folder / name, [], "diverged" if name == "early" else "finished", "not finite at step 1")
    write_list(
        folder,
        [(name, seed, {"mode": "reverse"}) for seed, name in enumerate([*states, "early", "gone", "new"])],
    )
    with locked(RunDirectory(folder / "busy")):
        page = page_of(folder)
    section = next(one for one in page.sections if one.title == "Cells that did not finish")
    assert section.text == ["1 cell not begun: new."]
    rows = {row[0]: row for row in section.tables[0].rows}
    assert [*rows] == ["broken", "far", "early", "gone", "cut", "stopped", "busy", "weak"]
    assert {name: row[1] for name, row in rows.items()} == {
        "broken": "failed", "far": "diverged", "early": "diverged", "gone": "damaged", "cut": "killed",
        "stopped": "interrupted", "busy": "running", "weak": "pruned",
    }  # fmt: skip
    assert rows["far"][2:] == ("the loss is not finite at step 31", 2, "reverse", "1")
    assert rows["cut"][2] == "its process ended without a word, after epoch 2 of 3"
    assert rows["busy"][2] == "it goes on, after epoch 2 of 3"
    assert "the figures of the epoch that was kept are missing" in rows["gone"][2]
    assert "1 of 10 cells finished; 2 diverged, 1 failed, 1 was killed, 1 was interrupted" in page.lead
    assert render(page).count("✗ killed") == 1


def test_asking_for_a_lock_leaves_nothing_behind(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    assert is_held(directory) is False
    assert [*tmp_path.iterdir()] == []
    with locked(directory):
        assert is_held(directory) is True
    assert is_held(directory) is False


def test_the_best_cell_comes_with_the_command_that_repeats_it(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "my sweep", figures_of(("a", [0.7, 0.9, 0.8]), ("b", [0.5, 0.99, 0.4])))
    page = page_of(folder)
    assert page.facts["Best cell"] == "setting0-seed1, seed 1: validation accuracy 90.00 %"
    assert page.facts["The best cell again"] == f"jactrain run '{folder}/setting0-seed1/config.resolved.yaml'"
    assert page.facts["The sweep again, or on"] == COMMAND
    assert page.facts["Cells"] == "6, of 2 settings"
    assert page.configurations["Experiment"] == "name: toy\nbase: toy.yaml\n"
    assert "seed: 1" in page.configurations["Configuration of the best cell"]
    assert page.environments["Environment of the best cell"]["seed"] == 1


def test_what_differs_is_listed_with_its_values(tmp_path: Path) -> None:
    folder = write_sweep(
        tmp_path / "s",
        [
            ({"mode": mode, RATE: rate}, [(0.5, 0.5)] * 2)
            for mode, rate in product(({"random_forward": {"directions": 8}}, "reverse"), (0.3, 0.1))
        ],
    )
    assert [tuple(row) for row in table_of(page_of(folder), "What differs").rows] == [
        ("mode", "mode", 2, "random_forward(directions=8), reverse"),
        (RATE, "learning_rate", 2, "0.1, 0.3"),
        ("seed", "seed", 2, "0, 1"),
    ]


def test_options_of_one_component_are_factors_of_their_own(tmp_path: Path) -> None:
    settings = [
        (
            {"mode": {"spsa": {"directions": count, "distribution": "normal"}}, RATE: rate},
            [(0.5, count / 100 + rate)],
        )
        for count, rate in product((1, 8, 64), (0.1, 0.2))
    ]
    page = page_of(write_sweep(tmp_path / "s", settings))
    assert [row[0] for row in table_of(page, "What differs").rows] == ["mode.spsa.directions", RATE]
    assert figure(page, "Validation accuracy by directions and learning_rate").drawing.rows == [
        "64",
        "8",
        "1",
    ]
    assert page.headline.startswith("directions=64 · learning_rate=0.2 has")
    different = [
        ({"mode": mode}, [(0.5, 0.5)]) for mode in ({"spsa": {"directions": 8}}, {"spsa": {}}, "reverse")
    ]
    page = page_of(write_sweep(tmp_path / "t", different))
    assert column(table_of(page), "mode") == ["spsa(directions=8)", "spsa", "reverse"]


def test_factors_are_called_by_what_tells_them_apart() -> None:
    assert short_names(["mode", RATE, WIDTH]) == ["mode", "learning_rate", "units"]
    assert short_names(["network.0.linear.units", "network.2.linear.units"]) == [
        "network.0.linear.units",
        "network.2.linear.units",
    ]
    assert short_names(["network.1", "a.b.x", "a.c.x"]) == ["network.1", "b.x", "c.x"]


def test_the_worst_agreement_of_any_repeat_is_shown(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    fine = [agreement_at(0), agreement_at(10, error=5e-7)]
    write_cell(folder / "a0", metrics_to(0.5, 0.5), agreement=fine)
    write_cell(
        folder / "a1", metrics_to(0.5, 0.5), agreement=[agreement_at(10, "mixed", 2e-3, "disagree"), *fine]
    )
    write_cell(folder / "b0", metrics_to(0.6, 0.4), agreement=fine)
    write_list(folder, [("a0", 0, {"mode": "a"}), ("a1", 1, {"mode": "a"}), ("b0", 0, {"mode": "b"})])
    table = table_of(page_of(folder))
    assert column(table, "worst agreement") == [
        Noted("disagree", "2.0e-03\nmixed"),
        Noted("agree", "5.0e-07\nforward"),
    ]
    assert "✗ disagree" in render(page_of(folder))


def test_figures_are_of_the_epoch_that_was_kept(tmp_path: Path) -> None:
    write_cell(tmp_path / "s" / "one", metrics_to(0.5, 0.9, 4), kept_epoch=2)
    write_list(tmp_path / "s", [("one", 0, {})])
    page = page_of(tmp_path / "s")
    assert page.headline == "toy reaches a validation accuracy of 70.00 %."
    assert column(table_of(page), "validation loss")[0].value == 2.5


def test_data_that_differ_are_said_to(tmp_path: Path) -> None:
    settings = [({"data.source.moons.noise": noise}, [(noise, 0.9)]) for noise in (0.1, 0.2)]
    lead = page_of(write_sweep(tmp_path / "s", settings)).lead
    assert "The settings differ in data.source.moons.noise, and their figures compare only as far" in lead


def test_a_sweep_of_which_nothing_finished_says_so(tmp_path: Path) -> None:
    write_list(tmp_path / "s", [("a", 0, {"mode": "reverse"}), ("b", 0, {"mode": "forward"})])
    page = page_of(tmp_path / "s")
    assert page.headline == "toy: none of its 2 cells has finished with a figure to compare."
    assert page.lead == "0 of 2 cells finished; 2 have not begun."
    assert render(page)
    write_list(tmp_path / "none", [], [])
    assert "none of its 0 cells" in page_of(tmp_path / "none").headline


DAMAGES = [
    ('{"kind": "sw', "cells.json is not JSON: Unterminated"),
    ('{"kind": "comparison"}', "expected a record of kind 'sweep', not 'comparison'; give the runs in"),
    ("[]", "expected a record of kind 'sweep', not a list"),
    ('{"kind": "sweep", "schema_version": 2}', "has schema_version 2, and this .* reads up to 1; update"),
    ('{"kind": "sweep", "schema_version": 1, "cells": 3}', "the record is damaged: .*cells.*not 3"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), DAMAGES)
def test_a_list_of_cells_that_cannot_be_read_is_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "cells.json").write_text(text)
    with pytest.raises(RunError, match=rf"cells\.json.*{message.removeprefix('cells.json')}"):
        read_sweep(tmp_path)


def test_cells_that_are_damaged_are_named_and_the_rest_is_shown(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "s", figures_of(("a", [0.9, 0.8, 0.7]), ("b", [0.5, 0.6, 0.7])))
    (folder / "setting0-seed0" / "meta.json").write_text("{")
    (folder / "setting0-seed1" / "metrics.jsonl").unlink()
    (folder / "setting1-seed0" / "agreement.jsonl").write_text("{")
    shutil.rmtree(folder / "setting1-seed1")
    (folder / "setting1-seed1").mkdir()
    shutil.copytree(folder / "setting1-seed2", folder / "of another time")
    record = json.loads((folder / "cells.json").read_text())
    again = record["cells"][0]
    record["cells"] += [again, 3, {"name": "../s/setting1-seed2", "seed": 0, "settings": {}},
                        {"name": "..", "seed": 0, "settings": {}}, {"name": "x", "seed": "y", "settings": {}},
                        {"name": "a" * 300, "seed": 0, "settings": {"mode": "a"}},
                        {"name": "nul\0", "seed": 0, "settings": {}}]  # fmt: skip
    (folder / "cells.json").write_text(json.dumps(record))
    page = page_of(folder)
    warnings = "\n".join(page.warnings)
    for words in (
        "setting0-seed0: meta.json is not JSON",
        "setting0-seed1: there is no file metrics.jsonl; the figures of the epoch that was kept are missing",
        "setting1-seed1: its folder is no folder of a run",
        "setting1-seed0: agreement.jsonl, without what cannot be read",
        "cell 7: its name 'setting0-seed0' is that of another",
        "cell 8: the record is damaged",
        "cell 9: '../s/setting1-seed2' is no name of a folder",
        "cell 10: '..' is no name of a folder",
        "left out, for cells.json does not name it: of another time",
        "and 1 more",
    ):
        assert words in warnings, words
    assert len([one for one in warnings.splitlines() if one.startswith("a" * 300)]) == 1
    assert "3 of 7 cells finished" in page.lead
    assert "Not all could be read" in render(page)


def test_several_versions_of_jactrain_are_told(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "s", figures_of(("a", [0.9]), ("b", [0.8])))
    path = folder / "setting1-seed0" / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"versions": {"jactrain": "0.2.0"}}))
    assert page_of(folder).warnings == [
        "the cells were trained by several versions of jactrain: 0.1.0 (1) and 0.2.0 (1)"
    ]


def test_no_damage_of_a_few_bytes_fails_otherwise(tmp_path: Path) -> None:
    folder = write_sweep(tmp_path / "s", figures_of(("a", [0.9, 0.8]), ("b", [0.5, 0.6])))
    rng = np.random.default_rng(7)
    names = [
        "cells.json",
        *(f"setting0-seed0/{n}" for n in ("meta.json", "metrics.jsonl", "config.resolved.yaml")),
    ]
    for index in range(80):
        path = folder / names[index % len(names)]
        whole = path.read_bytes()
        data = np.frombuffer(whole, np.uint8).copy()
        places = rng.integers(len(data), size=rng.choice([1, 3, 30]))
        data[places] = rng.integers(256, size=len(places))
        path.write_bytes(data[: rng.integers(1, 2 * len(data))].tobytes())
        try:
            page_of(folder)
        except RunError:
            assert path.name == "cells.json"
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "values",
    [
        (10**400, 1, 2), (1e308, -1e308, 0.0), (None, True, [1, 2]), ("", " ", "\n"),
        ({"a": {"b": [1]}}, {}, []), (5e-324, 1e-300, 1.0),
    ],
)  # fmt: skip
def test_no_value_of_a_factor_breaks_the_page(tmp_path: Path, values: tuple[Any, ...]) -> None:
    folder = write_sweep(
        tmp_path / "s", [({"a.b": value, "c": 1}, [(0.5, 0.5), (0.6, 0.4)]) for value in values]
    )
    page = page_of(folder)
    assert len(table_of(page).rows) == 3
    assert render(page)


@pytest.mark.parametrize("value", [0.0, 1e308, -1e308, 5e-324])
def test_no_figure_breaks_the_page(tmp_path: Path, value: float) -> None:
    settings = [
        ({RATE: rate, WIDTH: width}, [(value, 0.5), (1.0, value)])
        for rate, width in product((0.1, 1), (1, 2))
    ]
    assert render(page_of(write_sweep(tmp_path / "s", settings)))


def test_hostile_texts_are_text(tmp_path: Path) -> None:
    html = render(page_of(write_hostile(tmp_path / "s")))
    body = html[html.index("<body>") : html.rindex("<script>")]
    assert "<script" not in body
    assert "<img" not in body
    assert body.count("&lt;script&gt;") > 10
    assert "{{7*7}}" in body


def test_every_figure_says_in_words_what_it_shows(tmp_path: Path) -> None:
    for folder in (write_large(tmp_path / "large"), write_search(tmp_path / "search")):
        page = page_of(folder)
        assert len(page.figures) >= 6
        for one in page.figures:
            assert len(one.caption.split()) >= 6, one.name
            assert one.data.rows, one.name
            assert all(len(row) == len(one.data.columns) for row in one.data.rows), one.name
        assert len({one.name for one in page.figures}) == len(page.figures)


def test_two_hundred_cells_take_less_than_ten_seconds_and_two_megabytes(tmp_path: Path) -> None:
    folder = write_large(tmp_path / "s")
    start = process_time()  # what other processes take does not count
    page = page_of(folder)
    html = render(page)
    assert process_time() - start < 10
    assert len(html.encode()) < 2_000_000
    assert len(table_of(page).rows) == 20
    assert sum(row[2].value for row in table_of(page).rows) == 200
