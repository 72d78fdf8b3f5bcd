"""Heavy libraries are imported where they are used, and nowhere else."""

import os
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pytest

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))
HEAVY = ("jax", "jinja2", "matplotlib", "scipy", "sklearn")


def heavy_after(program: str, *names: str, **environment: str) -> list[str]:
    """Return which of `names` are imported after `program`, in a process of its own."""
    watched = f"\nimport sys; print('imported:', *[n for n in {names!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program + watched],
        capture_output=True,
        text=True,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


def command(*arguments: object) -> str:
    return (
        f"import sys; sys.argv = {['jactrain', *map(str, arguments)]!r}\n"
        "from jactrain.cli import main\n"
        "try: main()\n"
        "except SystemExit as ending: assert not ending.code, ending.code"
    )


def test_importing_jactrain_imports_no_numpy() -> None:
    assert heavy_after("import jactrain, jactrain.cli; jactrain.__version__", "numpy", *HEAVY) == []


def test_validating_every_configuration_imports_no_heavy_library() -> None:
    assert heavy_after(command("validate", *CONFIGS), *HEAVY) == []


@pytest.mark.parametrize("program", [command("list"), command("schema"), command("run", "--help")])
def test_looking_things_up_imports_no_heavy_library(program: str) -> None:
    assert heavy_after(program, *HEAVY) == []


def test_a_run_with_a_warm_cache_imports_no_heavy_library(tmp_path: Path) -> None:
    cache = {"JACTRAIN_CACHE": str(tmp_path / "cache")}
    digits = next(config for config in CONFIGS if config.stem == "digits")
    program = command("run", digits, "--set", "training.epochs=1", "--runs", tmp_path / "runs")
    assert heavy_after(program, *HEAVY, **cache) == ["scipy", "sklearn"]
    assert heavy_after(program, *HEAVY, **cache) == []


def test_help_takes_at_most_three_times_as_long_as_importing_typer() -> None:
    programs = {"typer": "import typer", "help": command("--help")}
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(5):
        for name, program in programs.items():
            start = perf_counter()
            subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
            seconds[name].append(perf_counter() - start)
    # The fastest of each: other processes only ever add to it.
    assert min(seconds["help"]) <= 3 * min(seconds["typer"]), seconds
