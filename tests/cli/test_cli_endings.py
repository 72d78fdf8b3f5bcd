"""How runs end: at the last epoch, early, diverged, interrupted, out of memory."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

CONFIGS = Path(__file__).parents[2] / "configs"
# A shell that starts tests in the background lets them ignore SIGINT; the child must not inherit that.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from jactrain.cli import main; main()"
)


def test_a_run_of_one_epoch_and_step_says_so(jactrain: Callable, toy: Callable) -> None:
    done = jactrain("run", toy(("batch_size: 20", "batch_size: 120")))
    assert done.out.startswith("1 epoch, 1 step, ")


def test_an_early_stop_names_its_epoch_and_the_one_whose_weights_are_kept(
    jactrain: Callable, toy: Callable
) -> None:
    patience = "early_stopping: {patience: 2, minimum_improvement: 1e9}"  # any loss is better than none
    path = toy(("epochs: 1", f"epochs: 9, {patience}"))
    done = jactrain("run", path)
    said = "stopped early after epoch 3 of 9; the weights are those of epoch 1"
    first, second, *_ = done.out.splitlines()
    assert first.startswith("3 epochs, 18 steps, ")
    assert second == said
    assert done.err.splitlines()[-1].startswith("epoch 3/9 ")
    folder = Path(done.out.splitlines()[-1])
    assert (folder / "log.txt").read_text().splitlines()[-1] == said
    assert json.loads((folder / "meta.json").read_text())["exit_reason"] == said
    facts = json.loads(jactrain("run", path, "--json").out)
    assert (facts["epochs"], facts["stopped_early"], facts["kept_epoch"]) == (3, True, 1)


def test_the_best_weights_are_named_where_the_last_epoch_was_reached_too(
    jactrain: Callable, toy: Callable
) -> None:
    patience = "early_stopping: {patience: 5, minimum_improvement: 1e9}"
    done = jactrain("run", toy(("epochs: 1", f"epochs: 3, {patience}")))
    assert done.out.splitlines()[1] == "all epochs were trained; the weights are those of epoch 1"


@pytest.mark.parametrize(
    ("batch_size", "said"),
    [
        (16, "epoch 1, after 1 step in all: the loss is inf (all outputs are finite)"),
        (96, "epoch 1, after 1 step in all: the train loss is inf"),
    ],
    ids=["at the next gradient", "at the end of the epoch"],
)
def test_a_run_that_diverges_says_so_and_keeps_no_weights(
    jactrain: Callable, folder: Path, batch_size: int, said: str
) -> None:
    changes = ["optimizer.adam.learning_rate=1e200", f"training.batch_size={batch_size}", "training.epochs=1"]
    done = jactrain("run", CONFIGS / "csv.yaml", *(x for change in changes for x in ("--set", change)))
    assert done.code == 3
    assert f"error: training diverged in {said}; lower the learning rate, set the optimizer's " in done.err
    assert "Warning" not in done.err
    (run,) = (folder / "runs").iterdir()
    meta = json.loads((run / "meta.json").read_text())
    assert meta["status"] == "diverged"
    assert said in meta["exit_reason"]
    assert said in (run / "log.txt").read_text()
    assert not (run / "weights.npz").exists()
    done = jactrain("evaluate", run)
    assert done.code == 2
    assert "has no weights.npz: this run diverged before it wrote any" in done.err
    assert f"; go on with it: jactrain resume {run} --set optimizer.adam.learning_rate=…" in done.err


def test_an_interrupted_run_keeps_what_it_has(folder: Path, jactrain: Callable) -> None:
    arguments = ["run", str(CONFIGS / "moons.yaml"), "--set", "training.epochs=1000000"]
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        while "epoch" not in child.stderr.readline():
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=20)
    finally:
        child.kill()
    assert (child.returncode, out) == (130, "")
    (run,) = Path("runs").iterdir()
    *figures, last = err.splitlines()
    assert last == f"interrupted; go on with: jactrain resume {run}"
    assert [line for line in figures if line and not line.startswith("epoch ")] == [
        "stopping at the end of this step; Ctrl-C again to stop at once"
    ]
    meta = json.loads((run / "meta.json").read_text())
    assert (meta["status"], meta["exit_reason"]) == ("interrupted", "interrupted by the user")
    with np.load(run / "weights.npz", allow_pickle=False) as weights:
        assert np.isfinite(weights["parameters/linear_1/weight"]).all()
    assert jactrain("evaluate", run).code == 0


def test_memory_that_is_not_there_is_told(
    jactrain: Callable, toy: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(*arguments: object) -> None:
        raise MemoryError("Unable to allocate 1 TiB")

    monkeypatch.setattr("jactrain.training.experiment.np.random.default_rng", allocate)
    done = jactrain("run", toy())
    assert done.code == 1
    assert done.err == (
        "error: out of memory: Unable to allocate 1 TiB; take smaller layers, batches or data\n"
    )
