"""Places that the system refuses, and outputs that find no room, end in a message too."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

LONG = "n" * 300
FULL = Path("/dev/full")


@pytest.mark.parametrize(
    "arguments",
    [
        ["init", LONG],
        ["gradient", "toy.yaml", "--out", LONG],
        ["evaluate", LONG],
        ["predict", LONG, "--input", "x.csv"],
        ["predict", ".", "--input", "x.csv", "--out", LONG],
        ["run", LONG],
        ["init", f"{LONG}/a.yaml"],
    ],
    ids=" ".join,
)
def test_a_place_that_the_system_refuses_is_wrong_usage(
    jactrain: Callable, toy: Callable, arguments: list[str]
) -> None:
    toy()
    done = jactrain(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    assert "cannot be" in done.err


@pytest.mark.parametrize("size", ["9" * 400 + "GiB", "8589934592GiB", str(2**63)])
def test_a_bound_on_memory_beyond_all_memory_is_refused(jactrain: Callable, toy: Callable, size: str) -> None:
    done = jactrain("validate", toy(("mode: reverse", f"mode: {{forward: {{memory: {size}}}}}")))
    assert done.code == 2
    assert "toy.yaml:8:18: mode.forward.memory: a size in memory is at most 8589934591GiB" in done.err


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a file that is always full")
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["schema"], ["--version"]], ids=" ".join)
def test_an_output_without_room_ends_in_one_line(arguments: list[str]) -> None:
    with FULL.open("w") as full:
        program = [sys.executable, "-m", "jactrain", *arguments]
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "error: standard output cannot be written: No space left on device; look at its permissions and its "
        "disk\n"
    )
