"""`jactrain sweep`: what it prints, how it ends, and what signals do to it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

EXPERIMENT = """\
base: {base}
grid:
  mode: [reverse, forward]
  optimizer.sgd.learning_rate: {rates}
seeds: {seeds}
"""


@pytest.fixture
def experiment(toy: Callable[..., Path]) -> Callable[..., Path]:
    """Return a function that writes the toy configuration and an experiment over it."""

    def write(*changes: tuple[str, str], rates: str = "[0.1]", seeds: int = 1) -> Path:
        toy(("agreement: {modes: [forward]}", ""), *changes)
        path = Path("e.yaml")
        path.write_text(EXPERIMENT.format(base="toy.yaml", rates=rates, seeds=seeds))
        return path

    return write


def test_a_sweep_tells_its_cells_and_ends_with_its_folder(
    jactrain: Callable, experiment: Callable[..., Path]
) -> None:
    path = experiment(rates="[0.1, 1e30]", seeds=1)
    done = jactrain("sweep", path, "--jobs", 1)
    assert done.code in (0, 1)
    lines = done.out.splitlines()
    assert lines[0].startswith("4 cells: ")
    assert lines[-1] == "runs/e"
    assert "\x1b" not in done.out + done.err
    assert "4 cells in runs/e" in done.err
    assert "4/4  " in done.err
    again = jactrain("sweep", path, "--json")
    facts = json.loads(again.out)
    assert again.err == ""
    assert facts["folder"] == "runs/e"
    assert facts["trained"] == []
    assert [cell["seed"] for cell in facts["cells"]] == [0, 0, 0, 0]
    assert facts["complete"] == (again.code == 0)
    assert not facts["interrupted"]


def test_what_diverged_is_told_with_its_reason_and_the_way_on(
    jactrain: Callable, experiment: Callable[..., Path], folder: Path
) -> None:
    experiment(("loss: cross_entropy", "loss: mean_squared_error"), ("iris", "diabetes"), rates="[1e30]")
    Path("two words.yaml").write_text(Path("e.yaml").read_text())
    Path("two words.yaml").rename("two-words.yaml")
    done = jactrain("sweep", "two-words.yaml", "--runs", "my runs")
    assert done.code == 1
    assert "2 cells: 2 diverged" in done.out
    assert "training diverged in epoch" in done.out
    again = "jactrain sweep two-words.yaml --runs 'my runs'"
    assert f"note: to train anew what diverged or failed, the same way: {again} --retry" in done.err
    assert json.loads(Path("my runs/two-words/cells.json").read_text())["command"] == again


def test_a_dry_run_lists_the_cells_and_writes_nothing(
    jactrain: Callable, experiment: Callable[..., Path], folder: Path
) -> None:
    path = experiment(rates="[0.1, 0.2]", seeds=2)
    before = sorted(folder.iterdir())
    done = jactrain("sweep", path, "--dry-run", "--jobs", 2)
    assert done.code == 0
    assert "forward-learning_rate-0.2-seed-1" in done.out
    assert "8 cells, " in done.out
    assert "with 2 jobs" in done.out
    facts = json.loads(jactrain("sweep", path, "--dry-run", "--json").out)
    assert len(facts["cells"]) == 8
    assert all(cell["multiply_adds"] > 0 and cell["peak_bytes"] > 0 for cell in facts["cells"])
    assert facts["seconds"] > 0
    forward = [cell["multiply_adds"] for cell in facts["cells"] if cell["settings"]["mode"] == "forward"]
    assert min(forward) > facts["cells"][0]["multiply_adds"]
    assert sorted(folder.iterdir()) == before


def test_a_dry_run_of_what_diverges_is_predicted_all_the_same(
    jactrain: Callable, experiment: Callable[..., Path]
) -> None:
    path = experiment(
        ("loss: cross_entropy", "loss: mean_squared_error"), ("iris", "diabetes"), rates="[1e30]"
    )
    assert jactrain("sweep", path, "--dry-run").code == 0


def test_the_rate_is_that_of_a_cell_that_does_not_diverge_at_once(
    jactrain: Callable, experiment: Callable[..., Path]
) -> None:
    path = experiment(
        ("loss: cross_entropy", "loss: mean_squared_error"), ("iris", "diabetes"), rates="[1e30, 0.001, 1e25]"
    )
    facts = json.loads(jactrain("sweep", path, "--dry-run", "--json").out)
    assert "learning_rate-0.001" in facts["probe"]["name"]


def test_a_dry_run_with_retry_lists_what_diverged(
    jactrain: Callable, experiment: Callable[..., Path], folder: Path
) -> None:
    path = experiment(
        ("loss: cross_entropy", "loss: mean_squared_error"), ("iris", "diabetes"), rates="[1e30]"
    )
    assert jactrain("sweep", path).code == 1
    names = sorted(each.name for each in (folder / "runs/e").iterdir() if each.is_dir())
    told = "nothing to train: 2 diverged; --retry trains anew what diverged or failed\n"
    assert jactrain("sweep", path, "--dry-run").out == told
    facts = json.loads(jactrain("sweep", path, "--dry-run", "--retry", "--json").out)
    assert len(facts["cells"]) == 2
    assert facts["done"] == 0
    assert sorted(each.name for each in (folder / "runs/e").iterdir() if each.is_dir()) == names


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--backend", "dask"), "--backend dask needs the address of a scheduler: --address tcp://host:8786"),
        (("--address", "tcp://127.0.0.1:1"), "--address is a cluster's scheduler; say --backend dask or ray"),
        (
            ("--max-cells", 1),
            "e.yaml describes 2 cells: 2 (mode) × 1 (optimizer.sgd.learning_rate) × 1 (seeds)",
        ),
        (("--plugin", "no_such_module"), "the plug-in 'no_such_module' cannot be imported"),
        (("--jobs", 0), "--jobs"),
        (("--backend", "slurm"), "slurm"),
        (("--backend", "dask", "--address", "nonsense"), "address is like tcp://"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    options: tuple[object, ...], said: str, jactrain: Callable, experiment: Callable[..., Path], folder: Path
) -> None:
    path = experiment()
    done = jactrain("sweep", path, *options)
    assert done.code == 2
    assert said in done.err
    assert not (folder / "runs").exists()


def test_a_dry_run_of_a_search_tells_what_it_chooses_from(
    jactrain: Callable, experiment: Callable[..., Path]
) -> None:
    path = experiment()
    path.write_text(
        "base: toy.yaml\n"
        "search: {optuna: {trials: 2}}\n"
        "random: {over: {mode: {choice: [reverse, forward]}}}\n"
    )
    done = jactrain("sweep", path, "--dry-run")
    assert done.code == 0
    assert "2 trials" in done.out
    assert "mode: {choice: [reverse, forward]}" in done.out


def begun(path: Path, *options: str) -> "subprocess.Popen[str]":
    with Path("log.txt").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "jactrain", "sweep", str(path), *options],
            stdout=log,
            stderr=log,
            env=os.environ,
            text=True,
            start_new_session=True,  # as a shell gives it, whose Ctrl-C reaches all of them
        )


def is_training() -> bool:
    return any(Path("runs/e").glob("[!.]*/checkpoints/*"))


def meta(run: Path) -> dict[str, object]:
    return json.loads((run / "meta.json").read_text())


@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_a_stopped_sweep_keeps_checkpoints_and_goes_on_with_the_same_bits(
    number: signal.Signals, to_all: bool, jactrain: Callable, experiment: Callable[..., Path]
) -> None:
    epochs = (
        "{epochs: 1, batch_size: 20}",
        "{epochs: 1500, batch_size: 20, checkpoints: {share: 1.0, every: 20}}",
    )
    path = experiment(epochs)
    process = begun(path, "--jobs", "2")
    while process.poll() is None and not is_training():
        time.sleep(0.02)
    (os.killpg if to_all else os.kill)(process.pid, number)
    assert process.wait(60) == 130
    said = Path("log.txt").read_text()
    assert "stopping: what is being trained keeps a checkpoint" in said
    assert "note: to go on: jactrain sweep e.yaml" in said
    assert "Traceback" not in said
    runs = [run for run in Path("runs/e").iterdir() if run.is_dir()]
    interrupted = [run for run in runs if meta(run)["status"] == "interrupted"]
    assert interrupted
    assert all(list((run / "checkpoints").iterdir()) for run in interrupted)
    assert Path("runs/e/results.csv").exists()

    assert jactrain("sweep", path, "--jobs", 1).code == 0
    assert all("resumed" in meta(run) for run in interrupted)
    assert jactrain("sweep", path, "--jobs", 1, "--runs", "whole").code == 0
    for whole in Path("whole/e").iterdir():
        if whole.is_dir():
            assert weights(whole) == weights(Path("runs/e") / whole.name)


def weights(run: Path) -> dict[str, bytes]:
    import numpy as np

    with np.load(run / "weights.npz") as file:
        return {name: file[name].tobytes() for name in file.files}


def test_processes_of_a_killed_sweep_end_by_themselves_and_nothing_is_lost(
    jactrain: Callable, experiment: Callable[..., Path]
) -> None:
    epochs = ("{epochs: 1, batch_size: 20}", "{epochs: 100000, batch_size: 20}")
    path = experiment(epochs)
    process = begun(path, "--jobs", "2")
    runs = Path("runs/e")
    while process.poll() is None and len(list(runs.glob("[!.]*/metrics.jsonl"))) < 2:
        time.sleep(0.02)
    second = jactrain("sweep", path)
    assert second.code == 2
    assert "another process is training the cells of runs/e" in second.err
    process.kill()
    process.wait()
    for _ in range(200):
        statuses = {meta(run)["status"] for run in runs.iterdir() if run.is_dir()}
        if statuses == {"interrupted"}:
            break
        time.sleep(0.1)
    assert statuses == {"interrupted"}
