"""The cells of an experiment: their number, order, settings and names, and every mistake at its place."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_sweeps import BASE, RATE, with_training, write_data, written

from jactrain.config.models import RUN_NAME
from jactrain.config.resolved import as_yaml
from jactrain.errors import ConfigurationError, JactrainError, UsageError
from jactrain.sweeps.cells import Cell
from jactrain.sweeps.names import cell_name
from jactrain.sweeps.reading import read_sweep


def cells(folder: Path, **parts: Any) -> tuple[Cell, ...]:
    return read_sweep(written(folder, **parts)).cells


def names(folder: Path, **parts: Any) -> list[str]:
    return [cell.name for cell in cells(folder, **parts)]


def mistake(folder: Path, text: str, most: int = 10_000) -> str:
    """Return what is said of the experiment `text`, beside which lies base.yaml."""
    write_data(folder)
    (folder / "base.yaml").write_text(as_yaml(BASE | {"name": "base"}))
    path = folder / "e.yaml"
    path.write_text(text)
    with pytest.raises(JactrainError) as caught:
        read_sweep(path, most)
    return str(caught.value).replace(f"{folder}/", "")


def test_the_cells_are_the_product_in_the_order_of_the_file(tmp_path: Path) -> None:
    found = cells(
        tmp_path,
        grid={"mode": ["reverse", "forward"], "network.0.linear.units": [2, 3]},
        zip={RATE: [0.1, 0.2], "training.batch_size": [8, 16]},
        random={"over": {"optimizer.sgd.momentum": {"uniform": [0, 0.5]}}, "count": 2, "seed": 1},
        seeds=[5, 3],
    )
    assert len(found) == 2 * 2 * 2 * 2 * 2
    assert list(found[0].settings) == [
        "mode",
        "network.0.linear.units",
        RATE,
        "training.batch_size",
        "optimizer.sgd.momentum",
    ]
    assert [cell.seed for cell in found[:4]] == [5, 3, 5, 3]
    assert [cell.settings["mode"] for cell in found] == ["reverse"] * 16 + ["forward"] * 16
    assert [cell.settings["network.0.linear.units"] for cell in found[:16]] == [2] * 8 + [3] * 8
    pairs = {(cell.settings[RATE], cell.settings["training.batch_size"]) for cell in found}
    assert pairs == {(0.1, 8), (0.2, 16)}
    drawn = [cell.settings["optimizer.sgd.momentum"] for cell in found]
    assert len(set(drawn)) == 2
    assert drawn[:8] == drawn[8:16]
    for cell in found:
        assert cell.config.mode.kind == cell.settings["mode"]
        assert cell.config.optimizer.learning_rate.value == cell.settings[RATE]  # type: ignore[attr-defined]
        assert cell.config.training.batch_size == cell.settings["training.batch_size"]
        assert cell.config.network[0].units == cell.settings["network.0.linear.units"]  # type: ignore[attr-defined]
        assert (cell.config.seed, cell.config.name) == (cell.seed, cell.name)


def test_seeds_begin_with_that_of_the_base(tmp_path: Path) -> None:
    assert [cell.seed for cell in cells(tmp_path, base=BASE | {"seed": 7}, seeds=3)] == [7, 8, 9]
    assert [cell.seed for cell in cells(tmp_path)] == [0]


def test_draws_are_those_of_their_seed_and_ranges(tmp_path: Path) -> None:
    over = {
        RATE: {"log_uniform": [1e-4, 1]},
        "network.0.linear.units": {"integers": [1, 3]},
        "mode": {"choice": ["reverse", {"random_forward": {"directions": 3}}]},
    }
    found = cells(tmp_path, random={"over": over, "count": 40})
    rates = np.array([cell.settings[RATE] for cell in found])
    assert ((rates >= 1e-4) & (rates <= 1)).all()
    assert 12 <= (rates < 1e-2).sum() <= 28  # half of them, four deviations apart
    assert {cell.settings["network.0.linear.units"] for cell in found} == {1, 2, 3}
    assert {cell.config.mode.kind for cell in found} == {"reverse", "random_forward"}
    again = cells(tmp_path, random={"over": over, "count": 41})
    assert [cell.settings for cell in again[:40]] == [cell.settings for cell in found]
    other = cells(tmp_path, random={"over": over, "count": 40, "seed": 1})
    assert other[0].settings != found[0].settings


def test_too_many_different_draws_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"random.count is 4, and no more than 3 different settings"):
        cells(tmp_path, random={"over": {"network.0.linear.units": {"integers": [1, 3]}}, "count": 4})


def test_a_whole_component_and_an_option_of_it_are_set_in_that_order(tmp_path: Path) -> None:
    found = cells(
        tmp_path,
        grid={"mode.random_forward.directions": [2, 3], "mode": ["random_forward"], RATE: [0.1]},
    )
    assert [cell.config.mode.directions for cell in found] == [2, 3]  # type: ignore[attr-defined]


def test_an_option_of_a_component_that_another_cell_has_is_told_with_cell_and_place(tmp_path: Path) -> None:
    text = (
        "base: base.yaml\ngrid:\n  mode: [random_forward, reverse]\n  mode.random_forward.directions: [2]\n"
    )
    said = mistake(tmp_path, text)
    assert said.startswith("e.yaml:4:36: mode is 'reverse' and has no key 'random_forward'")
    assert "in cell reverse-directions-2-seed-0" in said


def test_the_base_is_inline_or_a_file_whose_data_are_relative_to_it(tmp_path: Path) -> None:
    inline = cells(tmp_path / "inline", grid={"mode": ["reverse"]})
    (tmp_path / "bases" / "deep").mkdir(parents=True)
    write_data(tmp_path / "bases" / "deep")
    (tmp_path / "bases" / "deep" / "base.yaml").write_text(as_yaml(BASE | {"name": "base"}))
    path = tmp_path / "bases" / "e.yaml"
    path.write_text("base: deep/base.yaml\ngrid: {mode: [reverse]}\n")
    (by_path,) = read_sweep(path).cells
    assert by_path.config.data.source.path == tmp_path / "bases" / "deep" / "data.npz"  # type: ignore[attr-defined]
    assert inline[0].config.data.source.path == tmp_path / "inline" / "data.npz"  # type: ignore[attr-defined]
    assert by_path.name == inline[0].name


def test_names_say_the_settings(tmp_path: Path) -> None:
    assert names(tmp_path, grid={"mode": ["reverse"], RATE: [0.1, 1e-5]}, seeds=2) == [
        "reverse-learning_rate-0.1-seed-0",
        "reverse-learning_rate-0.1-seed-1",
        "reverse-learning_rate-1e-05-seed-0",
        "reverse-learning_rate-1e-05-seed-1",
    ]
    assert names(tmp_path) == ["e-seed-0"]
    assert names(tmp_path, grid={"mode": [{"random_forward": {"directions": 8}}]}) == [
        "random_forward-directions-8-seed-0"
    ]


def test_names_stay_when_other_values_are_added(tmp_path: Path) -> None:
    long = {"random_forward": {"directions": 8, "distribution": "rademacher"}}
    before = names(tmp_path, grid={"mode": ["reverse", long], RATE: [0.1, 1 / 3]}, seeds=2)
    after = names(
        tmp_path, grid={"mode": ["forward", long, "reverse"], RATE: [0.2, 0.1, 1 / 3]}, seeds=[9, 1, 0]
    )
    assert set(before) < set(after)
    assert len(set(after)) == 27


@pytest.mark.parametrize(
    "values",
    [
        [-0.5, 0.5],
        [1e20, 1e-20],
        [1 / 3, 0.3333],
        [0.123456789, 0.123456788],
        [-1e30, 1e30],
    ],
)
def test_numbers_that_look_alike_have_names_of_their_own(values: list[float], tmp_path: Path) -> None:
    found = {cell_name({"a.b": value}, 0, "e", None) for value in values}
    assert len(found) == len(values)
    assert all(re.fullmatch(RUN_NAME, name) for name in found)


@pytest.mark.parametrize(
    "value",
    [
        "../../etc/passwd",
        "a b",
        "ü",
        "x" * 300,
        "\x1b[31m",
        "-",
        "{seed}",
        "",
        None,
        True,
        10**80,
        {"a": [{"b": "…"}]},
    ],
    ids=repr,
)
@pytest.mark.parametrize(
    "pattern", [None, "{a}", "{a}-{seed}", "///{a}///", "", ".", "cells.json", "x" * 200]
)
def test_every_name_is_one_that_a_run_may_have(value: Any, pattern: str | None) -> None:
    name = cell_name({"a": value}, 3, "e", pattern)
    assert re.fullmatch(RUN_NAME, name)
    assert name not in ("cells.json", "experiment.yaml", "results.csv", "journal.log")


def test_patterns_name_keys(tmp_path: Path) -> None:
    grid = {"mode": ["reverse", "forward"], RATE: [0.1]}
    assert names(tmp_path, grid=grid, seeds=[4], name=f"a {{{RATE}}}_{{mode}}-{{seed}}") == [
        "a-0.1_reverse-4",
        "a-0.1_forward-4",
    ]
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-4", name)
        for name in names(tmp_path, grid=grid, seeds=[4], name="{hash}-{seed}")
    )


def test_a_pattern_that_tells_no_cells_apart_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"two cells are called reverse, .* with seed 0 and .* with seed 1; give a"
    ):
        cells(tmp_path, grid={"mode": ["reverse"]}, seeds=2, name="{mode}")


def test_two_cells_alike_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="seed-0 and forward-seeds-parameters-seed-0 have the same settings; leave"
    ):
        cells(
            tmp_path,
            grid={"mode": [{"forward": {"seeds": "parameters"}}, {"forward": {"seeds": "parameters"}}]},
        )
    with pytest.raises(UsageError, match="have the same settings"):  # one is the default of the other
        cells(tmp_path, grid={"mode": ["reverse", {"reverse": {}}]})
    with pytest.raises(UsageError, match="have the same settings"):
        cells(tmp_path, seeds=[3, 3])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "base: base.yaml\ngrid:\n  optimizer.sgd.learning_rat: [1]\n",
            ["e.yaml:3:32", "did you mean learning_rate?", "in cell"],
        ),
        (
            "base: base.yaml\ngrid:\n  optimiser: [sgd]\n",
            ["e.yaml:3:15", "did you mean optimizer?", "in cell sgd-seed-0"],
        ),
        (
            "base: base.yaml\ngrid:\n  mode: [reverse,\n    revers]\n",
            ["e.yaml:4:5: mode", "did you mean reverse", "in cell revers-seed-0"],
        ),
        (
            "base: base.yaml\ngrid:\n  training.epochs: [3, x]\n",
            ["e.yaml:3:24: training.epochs: expected an integer, not 'x'", "in cell epochs-x-seed-0"],
        ),
        (
            "base: base.yaml\nzip:\n  training.epochs: [3, 4]\n  mode: [reverse]\n",
            ["e.yaml:2:1: zip: lists are of one length", "training.epochs has 2, mode has 1"],
        ),
        ("base: base.yaml\ngrid: {mode: []}\n", ["e.yaml:2:8: grid.mode: no values"]),
        (
            "base: base.yaml\ngrid: {mode: reverse}\n",
            ["e.yaml:2:8: grid.mode: expected a list, not 'reverse'", "write ['reverse']"],
        ),
        (
            "base: base.yaml\ngrid: {mode: [reverse]}\nzip: {mode: [reverse]}\n",
            ["e.yaml:3:7: zip.mode: given in grid, too"],
        ),
        ("base: base.yaml\ngrid: {seed: [1]}\n", ["e.yaml:2:8: grid.seed: given by seeds: 10"]),
        ("base: base.yaml\ngrid: {name: [a]}\n", ["e.yaml:2:8: grid.name: cells have names of their own"]),
        ("base: base.yaml\ngird: {mode: [reverse]}\n", ["e.yaml:2:1", "did you mean grid?"]),
        ("base: base.yaml\nseeds: 0\n", ["e.yaml:2:1: seeds"]),
        ("base: base.yaml\nseeds: [1, -1]\n", ["e.yaml:2:1: seeds: one integer of at least 0"]),
        ("base: base.yaml\nseeds: 1.5\n", ["e.yaml:2:1: seeds"]),
        ("base: base.yaml\nname: '{mode}'\n", ["e.yaml:2:1: name: there is no key 'mode' that varies"]),
        ("base: base.yaml\ngrid: {'': [1]}\n", ["e.yaml:2:13: '' is no dotted key"]),
        ("base: base.yaml\ngrid: {a..b: [1]}\n", ["e.yaml:2:15: 'a..b' is no dotted key"]),
        (
            "base: base.yaml\ngrid: {network.7.linear.units: [1]}\n",
            ["e.yaml:2:33", "has no item 7", "in cell units-1-seed-0"],
        ),
        (
            "base: base.yaml\ngrid: {training.batch_size: [10, 100]}\n",
            ["e.yaml:2:34", "a batch of 100 is larger", "in cell batch_size-100-seed-0"],
        ),
        ("base: nowhere.yaml\n", ["nowhere.yaml: there is no such file"]),
        ("base: .\n", ["this is a folder"]),
        ("base: [1]\n", ["e.yaml:1:1: base: expected text or a mapping"]),
        ("base: e.yaml\n", ["e.yaml"]),
        ("grid: {mode: [reverse]}\n", ["missing key 'base'"]),
        (
            "base: base.yaml\nrandom: {over: {mode: {choice: null}}, count: 1}\n",
            ["e.yaml:2:17", "give one of uniform"],
        ),
        ("base: base.yaml\nrandom: {over: {mode: {}}, count: 1}\n", ["e.yaml:2:17", "give one of uniform"]),
        ("base: base.yaml\nrandom: {over: {mode: {choice: []}}, count: 1}\n", ["e.yaml:2:24"]),
        (
            "base: base.yaml\nrandom: {over: {a: {uniform: [0, 1], integers: [0, 1]}}, count: 1}\n",
            ["give one of uniform"],
        ),
        ("base: base.yaml\nrandom: {over: {a: {uniform: [1, 0]}}, count: 1}\n", ["the first end, 1"]),
        (
            "base: base.yaml\nrandom: {over: {a: {uniform: [0, .inf]}}, count: 1}\n",
            ["e.yaml:2:34", "expected a finite number, not .inf"],
        ),
        ("base: base.yaml\nrandom: {over: {a: {uniform: [-1e308, 1e308]}}, count: 1}\n", ["too far apart"]),
        ("base: base.yaml\nrandom: {over: {a: {log_uniform: [0, 1]}}, count: 1}\n", ["greater than 0"]),
        (
            "base: base.yaml\nrandom: {over: {a: {integers: [0, 99999999999999999999]}}, count: 1}\n",
            ["integers are drawn up to"],
        ),
        ("base: base.yaml\nrandom: {over: {a: {uniform: [0]}}, count: 1}\n", ["e.yaml:2:21"]),
        ("base: base.yaml\nrandom: {over: {a: {uniform: 3}}, count: 1}\n", ["e.yaml:2:21"]),
        (
            "base: base.yaml\nrandom: {over: {mode: {choice: [reverse]}}}\n",
            ["a count is missing, of how many are drawn"],
        ),
        ("network: []\n", ["this is a configuration, not an experiment"]),
        ("", ["the configuration is empty"]),
        ("[]\n", ["e.yaml:1:1"]),
        ("base: &a base.yaml\n", ["anchors and aliases are not read"]),
        ("base: !!python/object/apply:os.system [id]\n", ["tags are not read"]),
        ("base: base.yaml\ngrid: {mode: [reverse]}\ngrid: {}\n", ["a second time"]),
        ("base: 'a\\0b'\n", ["there is no such file"]),
        ('base: "a\\0b"\n', ["U+0000"]),
        (
            "base: base.yaml\nset: {optimizer.sgd.learning_rate: fast}\n",
            ["e.yaml:2:7: optimizer.sgd.learning_rate"],
        ),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, said: list[str], tmp_path: Path) -> None:
    found = mistake(tmp_path, text)
    assert all(each in found for each in said), found
    assert "pydantic" not in found


def test_a_mistake_of_the_base_is_told_in_the_base_and_once(tmp_path: Path) -> None:
    text = (
        "base: {network: [{linear: {units: 4}}, tahn, linear], loss: mean_squared_error,\n"
        "  data: {source: {npz: {path: data.npz}}},\n"
        "  optimizer: {sgd: {learning_rate: 0.1}}}\n"
        "seeds: 40\n"
    )
    found = mistake(tmp_path, text)
    assert found.startswith("e.yaml:1:40: network.1: ")
    assert found.count("did you mean tanh?") == 1
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b.yaml").write_text(as_yaml(BASE | {"loss": "hubber"}))
    found = mistake(tmp_path, "base: other/b.yaml\n")
    assert re.match(r"other/b\.yaml:\d+:\d+: loss: ", found)


@pytest.mark.parametrize("seed", ["x", "true", "-1", "1.5", "null"])
def test_a_seed_of_the_base_that_is_none_is_told(seed: str, tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(as_yaml(BASE) + f"seed: {seed}\n")
    found = mistake(tmp_path, "base: b.yaml\n")
    assert re.match(r"b\.yaml:\d+:1: seed: expected an integer of at least 0", found)


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("seeds: 1000000\n", "1,000,000 (seeds)"),
        ("seeds: 1" + "0" * 90 + "\n", " (seeds)"),
        ("grid: {a: [1, 2], b: [1, 2, 3]}\nseeds: 5000\n", "2 (a) × 3 (b) × 5,000 (seeds)"),
        (
            "random: {over: {a: {uniform: [0, 1]}}, count: 1000000000000}\n",
            "1,000,000,000,000 (random) × 1 (seeds)",
        ),
        ("zip: {a: [1, 2]}\nseeds: 99999\n", "2 (zip) × 99,999 (seeds)"),
    ],
)
def test_too_many_cells_are_told_with_their_product_before_any_is_made(
    text: str, product: str, tmp_path: Path
) -> None:
    found = mistake(tmp_path, f"base: base.yaml\n{text}")
    assert product in found
    assert "is more than 10,000" in found
    assert "--max-cells" in found


def test_as_many_cells_as_are_allowed_are_read(tmp_path: Path) -> None:
    path = written(tmp_path, seeds=12)
    assert len(read_sweep(path, most=12).cells) == 12
    with pytest.raises(UsageError, match="12 cells"):
        read_sweep(path, most=11)


SEARCH = "search: {optuna: {trials: 3}}\n"
RATES = f"random: {{over: {{{RATE}: {{uniform: [0.1, 1]}}}}}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{SEARCH}", ["a search chooses all values from random.over"]),
        (f"{SEARCH}grid: {{mode: [reverse]}}\n{RATES}", ["as choice"]),
        (
            f"{SEARCH}random: {{over: {{{RATE}: {{uniform: [0.1, 1]}}}}, count: 3}}\n",
            ["leave random.count out"],
        ),
        (f"{SEARCH}seeds: 3\n{RATES}", ["give one seed"]),
        (
            f"{SEARCH}random: {{over: {{{RATE}: {{uniform: [-1, 1]}}}}}}\n",
            ["e.yaml:3:", RATE, "with optimizer.sgd.learning_rate: -1"],
        ),
        (
            f"{SEARCH}random: {{over: {{mode: {{choice: [reverse, forwrd]}}}}}}\n",
            ["e.yaml:3:17: mode", "did you mean forward"],
        ),
        (
            f"{SEARCH}random: {{over: {{training.batch_size: {{integers: [4, 100]}}}}}}\n",
            ["a batch of 100 is larger"],
        ),
        (
            f"search: {{optuna: {{trials: 3, metric: validation_los}}}}\n{RATES}",
            ["e.yaml:2:30", "did you mean validation_loss"],
        ),
        (
            f"search: {{optuna: {{trials: 3, metric: train_accuracy}}}}\n{RATES}",
            ["no metric of these trainings, which have train_loss, train_rmse, train_r2"],
        ),
        (
            "search: {optuna: {trials: 1000000}}\nrandom: {over: {a: {uniform: [0.1, 1]}}}\n",
            ["1,000,000 (trials)"],
        ),
        ("search: {grid: {}}\n", ["e.yaml:2:"]),
    ],
)
def test_what_a_search_cannot_do_is_told_beforehand(text: str, said: list[str], tmp_path: Path) -> None:
    found = mistake(tmp_path, f"base: base.yaml\n{text}")
    assert all(each in found for each in said), found


def test_a_file_whose_name_no_folder_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names the folder of its runs"):
        read_sweep(written(tmp_path, file="a b.yaml"))


def test_settings_of_all_cells_are_no_factors(tmp_path: Path) -> None:
    (cell,) = cells(tmp_path, set={"training.epochs": 9, "mode": "forward"}, base=with_training(epochs=2))
    assert (cell.config.training.epochs, cell.config.mode.kind, cell.settings) == (9, "forward", {})


def test_mistakes_are_data_too(tmp_path: Path) -> None:
    path = written(tmp_path, grid={"mode": ["revers"], RATE: ["x"]})
    with pytest.raises(ConfigurationError) as caught:
        read_sweep(path)
    assert {mistake.path for mistake in caught.value.mistakes} == {
        ("mode",),
        ("optimizer", "sgd", "learning_rate"),
    }
    assert all(mistake.file == str(path) and mistake.line for mistake in caught.value.mistakes)
