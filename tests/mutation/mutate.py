"""Mutation testing with cosmic-ray: every small change of a module, and whether its tests notice.

`make mutate` takes all modules, for hours; `make mutate ONLY=checkpoint` those whose path contains that.
The working tree is copied first, for mutations are written into files. Prints each mutation that its tests
did not notice, and the share of those that they did; exits with 1 below 90 %.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
LEAST = 0.9
# Modules, and the tests that are to notice.
TARGETS = {
    "jactrain/training/checkpoint.py": "tests/training/test_checkpoint.py",
    "jactrain/modes": "tests/modes tests/contracts/test_mode_laws.py",
    "jactrain/layers": "tests/contracts/test_layer_laws.py tests/contracts/test_planted_faults.py",
    "jactrain/agreement": "tests/agreement --deselect tests/agreement/test_no_false_alarm.py",
}
_SETTINGS = """
[cosmic-ray]
module-path = "{module}"
timeout = 600.0
excluded-modules = []
test-command = "{python} -m pytest -q -x -p no:cacheprovider {tests}"

[cosmic-ray.distributor]
name = "local"
"""


def modules(only: str) -> dict[str, str]:
    """Return the modules whose paths contain `only`, each with its tests."""
    found = {}
    for place, tests in TARGETS.items():
        path = ROOT / place
        for module in [path] if path.is_file() else sorted(path.rglob("*.py")):
            if only in str(module.relative_to(ROOT)):
                found[str(module.relative_to(ROOT))] = tests
    return found


def survivors(copy: Path, module: str, tests: str) -> tuple[int, list[str]]:
    """Return how many mutations of `module` there are, and the diffs of those that tests did not notice."""
    settings, session = copy / "mutate.toml", copy / "mutate.sqlite"
    session.unlink(missing_ok=True)
    settings.write_text(_SETTINGS.format(module=module, python=sys.executable, tests=tests))
    program = str(Path(sys.executable).with_name("cosmic-ray"))
    variables = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    for step in ("init", "exec"):
        subprocess.run([program, step, str(settings), str(session)], cwd=copy, env=variables, check=True)
    dumped = subprocess.run(
        [program, "dump", str(session)], cwd=copy, env=variables, check=True, capture_output=True, text=True
    ).stdout
    results = [result for _, result in map(json.loads, dumped.splitlines()) if result]
    lived = [result["diff"] for result in results if result["test_outcome"] == "survived"]
    return len(results), lived


def main(only: str = "") -> int:
    """Mutate the modules whose paths contain `only`; return the exit code."""
    mutations = lived = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "jactrain"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv*", ".git", "runs", "__pycache__"))
        for module, tests in modules(only).items():
            count, diffs = survivors(copy, module, tests)
            mutations, lived = mutations + count, lived + len(diffs)
            print(*diffs, sep="\n")
            print(f"{module}: {count - len(diffs)} of {count} mutations noticed", flush=True)
    share = 1 - lived / mutations if mutations else 0.0
    print(f"{mutations - lived} of {mutations} mutations noticed: {share:.1%}")
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
