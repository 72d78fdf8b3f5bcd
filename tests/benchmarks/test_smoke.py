"""Every benchmark runs, and its page says what its results say."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PEERS = {"scikit-learn": "sklearn", "PyTorch": "torch", "JAX": "jax", "scipy": "scipy"}


def benchmarks(*arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    """Return the results and the page of one smoke run, for all tests of this file."""
    folder = tmp_path_factory.mktemp("benchmarks")
    results, page = folder / "results.json", folder / "page.md"
    done = benchmarks("--smoke", "--json", results, "--page", page, JACTRAIN_CACHE=str(folder / "cache"))
    assert done.returncode == 0, done.stderr
    return json.loads(results.read_text(encoding="utf-8")), page.read_text(encoding="utf-8")


def cases() -> list[str]:
    """Return the names of all cases, from a process of its own: peers are not imported into this one."""
    program = "from benchmarks.cases import CASES; print(*(case.name for case in CASES), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_every_case_runs(smoke: tuple[dict[str, Any], str]) -> None:
    results, _ = smoke
    assert list(results["cases"]) == cases()
    for found in results["cases"].values():
        assert found["subjects"]
        for subject in found["subjects"].values():
            assert 0 < subject["seconds"]["lower"] <= subject["seconds"]["upper"]
            assert subject["threads"]


def test_every_mode_grows_along_every_axis(smoke: tuple[dict[str, Any], str]) -> None:
    results, _ = smoke
    seen = {(row["mode"], row["along"]) for row in results["growth"]}
    modes = ("reverse", "forward", "finite_difference", "random_forward")
    assert seen == {(mode, along) for mode in modes for along in ("width", "depth", "batch", "parameters")}
    # Whether memory is flat is judged by the whole benchmark: three small depths are too few.
    assert {row["mode"] for row in results["memory_along_depth"]} == {"reverse", "forward in chunks"}


def test_a_missing_peer_is_left_out_and_named(smoke: tuple[dict[str, Any], str]) -> None:
    results, page = smoke
    subjects = " ".join(subject for found in results["cases"].values() for subject in found["subjects"])
    for name in PEERS:
        assert (name in subjects) != (name in results["missing"])
    assert ("Left out" in page) == bool(results["missing"])


def test_a_complete_run_without_a_peer_is_refused(tmp_path: Path) -> None:
    program = "from benchmarks import peers; has = peers.has\n"
    program += "peers.has = lambda name: name != 'torch' and has(name)\n"
    program += "import sys; sys.argv = ['benchmarks']\n"
    program += "from benchmarks.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "PyTorch" in done.stdout
    assert "missing" in done.stdout


def test_the_page_is_well_formed(smoke: tuple[dict[str, Any], str]) -> None:
    results, page = smoke
    assert page.startswith("# Benchmarks\n")
    assert "A smoke run" in page
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    assert "Where jactrain is slower, and why" in headings
    assert {name.removeprefix("step, ") for name in results["cases"]} <= set(headings)
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_a_page_is_rendered_from_results_alone(smoke: tuple[dict[str, Any], str], tmp_path: Path) -> None:
    results, page = smoke
    kept, written = tmp_path / "results.json", tmp_path / "page.md"
    kept.write_text(json.dumps(results), encoding="utf-8")
    done = benchmarks("--render", kept, "--page", written)
    assert done.returncode == 0, done.stderr
    assert written.read_text(encoding="utf-8") == page


def test_what_is_faster_is_told_with_a_reason(smoke: tuple[dict[str, Any], str], tmp_path: Path) -> None:
    results, _ = smoke
    case = "step, 64-64-64-10, batch 32, float32"
    subjects = results["cases"][case]["subjects"]
    planted = subjects | {
        "JAX scanning an epoch": subjects["jactrain"]
        | {"seconds": {key: value / 3 for key, value in subjects["jactrain"]["seconds"].items()}}
    }
    cases = results["cases"] | {case: results["cases"][case] | {"subjects": planted}}
    kept, written = tmp_path / "results.json", tmp_path / "page.md"
    kept.write_text(json.dumps(results | {"cases": cases}), encoding="utf-8")
    assert benchmarks("--render", kept, "--page", written).returncode == 0
    page = written.read_text(encoding="utf-8")
    assert f"| {case} | JAX scanning an epoch | jactrain | 3 |" in page
    assert "half a microsecond" in page


def test_the_page_of_the_documents_says_what_its_results_say(tmp_path: Path) -> None:
    kept, written = ROOT / "benchmarks/results.json", tmp_path / "page.md"
    assert benchmarks("--render", kept, "--page", written).returncode == 0
    assert written.read_text(encoding="utf-8") == (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    assert kept.stat().st_size < 200_000
    assert not json.loads(kept.read_text(encoding="utf-8"))["smoke"]
