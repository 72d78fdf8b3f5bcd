"""Mutation testing with cosmic-ray: every small change of a module, and whether its tests notice.

`make mutate` takes every mutation, for days; `make mutate SAMPLE=100` a random sample of each target, the
same each time; `ONLY=layers` takes those targets alone whose path contains that. Each of two processes
(`JOBS`) mutates its own copy of the working tree, for mutations are written into files. Prints each mutation
that the tests did not notice, as it is found, and the share of those that they did; exits with 1 below 90 %.
A test that does not end notices.

Not counted are mutations of annotations that Python never evaluates: those of functions, and of fields of
named tuples and dataclasses, in modules that postpone them. Those that pydantic reads are.
"""

import ast
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_and_test
from cosmic_ray.testing import run_tests
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkResult

ROOT = Path(__file__).parents[2]
LEAST = 0.9
PROCESSES = int(os.environ.get("JOBS", "2"))
LONGEST = 1800.0  # seconds, of all tests of a target; a single one may take 60, the slowest take 4
_LAWS = "tests/contracts/test_mode_laws.py"
# What to mutate, and the tests that are to notice: quick and telling ones first, each line by itself.
TARGETS = {
    "jactrain/training/checkpoint.py": ["tests/training/test_checkpoint.py"],
    "jactrain/layers": [
        "tests/contracts/test_layer_*.py tests/contracts/test_kinks.py tests/contracts/test_tails.py "
        "tests/contracts/test_single_entries.py tests/contracts/test_pieces.py",
        "tests/contracts/test_planted_faults.py tests/contracts/test_memory.py",
        "tests/contracts/test_jax_reference.py",
    ],
    "jactrain/modes": [
        "tests/modes --deselect tests/modes/test_estimators.py",
        f"{_LAWS}::test_work_is_what_was_planned_and_results_have_the_form_of_the_parameters "
        f"{_LAWS}::test_every_exact_mode_equals_every_other",
        f"tests/modes/test_estimators.py {_LAWS}",
        "tests/contracts/test_memory.py",
    ],
    "jactrain/agreement": [
        "tests/agreement/test_findings.py tests/agreement/test_bounds.py tests/agreement/test_compare.py "
        "tests/agreement/test_sharpness.py",
        "tests/agreement/test_verdicts.py tests/agreement/test_monitor.py",
        "tests/agreement/test_wrong_rules_are_named.py",
        "tests/agreement/test_sensitivity.py tests/agreement/test_hard_cases.py",
    ],
}
# What JAX traces is the same code again, compiled for a long time.
_PYTEST = (
    "{python} -m pytest -q -x -p no:cacheprovider -k 'not traced' "
    "-o faulthandler_timeout=60 -o faulthandler_exit_on_timeout=true {tests}"
)


def command_of(tests: list[str]) -> str:
    """Return the command that runs `tests`, line after line until one fails."""
    return shlex.join(
        ["sh", "-c", " && ".join(_PYTEST.format(python=sys.executable, tests=line) for line in tests)]
    )


def mutations(target: str) -> list[MutationSpec]:
    """Return the mutations of the modules in `target`, in order, but those that nothing could notice."""
    modules = [Path(target)] if target.endswith(".py") else sorted(Path(target).rglob("*.py"))
    with tempfile.TemporaryDirectory() as folder, use_db(Path(folder) / "session.sqlite") as session:
        init(modules, session, {})
        found = [mutation for item in session.work_items for mutation in item.mutations]
    found.sort(key=lambda each: (str(each.module_path), each.start_pos, each.operator_name, each.occurrence))
    return [
        each
        for each in found
        if not any(start <= each.start_pos < stop for start, stop in postponed(each.module_path))
    ]


@cache
def postponed(module: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Return where the annotations begin and end that are never evaluated; lines from 1, columns from 0."""
    source = module.read_text()
    if "from __future__ import annotations" not in source:
        return []
    lines = source.split("\n")

    def place(line: int, byte: int) -> tuple[int, int]:
        return line, len(lines[line - 1].encode()[:byte].decode())

    return [
        (place(each.lineno, each.col_offset), place(each.end_lineno or 0, each.end_col_offset or 0))
        for each in _annotations(ast.parse(source))
    ]


def _annotations(node: ast.AST, evaluated: bool = False) -> Iterator[ast.expr]:
    """Yield the annotations under `node` that nothing reads; `evaluated`: those of its own fields are."""
    for child in ast.iter_child_nodes(node):
        inside = evaluated
        if isinstance(child, ast.ClassDef):
            marks = " ".join(map(ast.unparse, [*child.bases, *child.decorator_list]))
            inside = "NamedTuple" not in marks and "dataclass" not in marks
        elif isinstance(child, ast.FunctionDef | ast.Lambda):
            inside = False
        if isinstance(child, ast.FunctionDef) and child.returns:
            yield child.returns
        annotation = getattr(child, "annotation", None)
        if annotation and not (evaluated and isinstance(child, ast.AnnAssign)):
            yield annotation
        yield from _annotations(child, inside)


def _enter(folder: str) -> None:
    """Give this process a copy of the working tree to mutate."""
    copy = Path(folder) / str(os.getpid())
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv*", ".git", "runs", "__pycache__"))
    os.chdir(copy)
    os.environ |= {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}


def _tried(mutation: MutationSpec, command: str) -> WorkResult:
    return mutate_and_test([mutation], command, LONGEST)


def noticed(target: str, tests: list[str], sample: int | None) -> tuple[int, int]:
    """Print the mutations of `target` that tests do not notice; return how many they do, of how many."""
    every = mutations(target)
    chosen = every
    if sample is not None and sample < len(every):
        places = np.random.default_rng(0).choice(len(every), sample, replace=False)
        chosen = [every[place] for place in places]
    command = command_of(tests)
    lived = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(PROCESSES, initializer=_enter, initargs=(folder,)) as processes,
    ):
        outcome, told = processes.submit(run_tests, command, LONGEST).result()
        if outcome is not TestOutcome.SURVIVED:
            raise RuntimeError(f"the tests fail without a mutation, too:\n{told}")
        tries: list[Any] = [processes.submit(_tried, mutation, command) for mutation in chosen]
        for done, each in enumerate(as_completed(tries), 1):
            result = each.result()
            if result.test_outcome is TestOutcome.SURVIVED:
                lived += 1
                print(f"{result.diff}\n{target}: {lived} of {done} not noticed", flush=True)
    print(f"{target}: {len(chosen) - lived} of {len(chosen)} noticed, of {len(every)}", flush=True)
    return len(chosen) - lived, len(chosen)


def main(only: str = "", sample: str = "") -> int:
    """Mutate the targets whose paths contain `only`; return the exit code."""
    os.chdir(ROOT)
    found = [
        noticed(target, tests, int(sample) if sample else None)
        for target, tests in TARGETS.items()
        if only in target
    ]
    good, all_tried = (sum(counts) for counts in zip(*found, strict=True))
    print(f"{good} of {all_tried} mutations noticed: {good / all_tried:.1%}")
    return 0 if good >= LEAST * all_tried else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
