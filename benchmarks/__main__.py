"""Time jactrain beside its peers, and say whether the figures asked for are met.

Exits with 1 if one is not, except under `--smoke`, where every case runs once to see that it does.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from threadpoolctl import threadpool_limits

from benchmarks import gradient, jacobians, machine, memory, training_step
from benchmarks.timing import Spread, Subject, alternate, spread


class Case(NamedTuple):
    """Subjects that are timed in alternating rounds, `share` of all rounds for those that take long.

    all_cores: JAX is among them, which takes all cores whatever it is told, so the others get them too.
    """

    subjects: Callable[[], dict[str, Subject]]
    share: float = 1.0
    all_cores: bool = False


_CASES = {
    "training step": Case(training_step.subjects),
    "gradient, float32": Case(gradient.by_modes),
    "forward order": Case(gradient.forward_order, 0.2, all_cores=True),
    "differences": Case(gradient.differences, 0.3),
    "J_x f": Case(jacobians.in_inputs, 0.5),
    "S_k": Case(jacobians.suffixes, 0.5),
    "kernel": Case(jacobians.kernel, 0.5),
    "J_θ f, dense": Case(jacobians.dense, 0.5, all_cores=True),
}


class Asked(NamedTuple):
    """A figure: in `case`, each of `others` takes at least `least` times as long as `subject`."""

    case: str
    subject: str
    others: tuple[str, ...]
    least: float


_ASKED = (
    Asked("training step", "jactrain", ("scikit-learn",), 2),
    Asked("training step", "jactrain", ("PyTorch",), 3),
    Asked("gradient, float32", "forward", ("reverse",), 1 / 20),
    Asked("forward order", "jactrain", ("JAX jacfwd", "PyTorch jacfwd"), 400),
    Asked("forward order", "jactrain", ("reverse",), 1 / 20),
    Asked("differences", "jactrain", ("scipy 3-point",), 6),
    Asked("J_x f", "mixed", ("reverse", "forward"), 10),
    Asked("S_k", "mixed", ("reverse", "forward"), 1.5),
    Asked("kernel", "gram", ("dense, multiplied",), 20),
    Asked("J_θ f, dense", "jactrain", ("JAX",), 1),
)


def main() -> int:
    """Run every case, print the tables, and return the exit code."""
    options = _options()
    chosen = {name: case for name, case in _CASES.items() if options.only in name}
    with threadpool_limits(options.threads):
        torch.set_num_threads(options.threads)
        seen_on = machine.description()
    print(f"{seen_on['processor']}, {seen_on['cores']} cores, threads {seen_on['threads']}")
    print("medians (quartiles) of alternating rounds; * on all cores\n")
    seconds = {}
    for name, case in chosen.items():
        threads = seen_on["cores"] if case.all_cores else options.threads
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            rounds = 1 if options.smoke else max(3, round(options.rounds * case.share))
            seconds[name] = alternate(case.subjects(), rounds)
        for subject, times in seconds[name].items():
            mark = "*" if case.all_cores else " "
            print(f"{name:18}{mark} {subject:18} {_text(spread(times), 1e6, ' us', 1)}", flush=True)
    print(f"\n{'figure: how many times as long':50} {'asked':>9}   seen")
    figures = [_figure(asked, seconds[asked.case]) for asked in _ASKED if asked.case in seconds]
    peaks = {} if options.only not in "memory" else memory.peaks()
    figures += _memory_figures(peaks)
    results = {
        "machine": seen_on,
        "smoke": options.smoke,
        "figures": figures,
        "peaks": peaks,
        "seconds": {
            case: {name: spread(times)._asdict() for name, times in by.items()}
            for case, by in seconds.items()
        },
    }
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if options.smoke or all(figure["ok"] for figure in figures) else 1


def _figure(asked: Asked, seconds: dict[str, list[float]]) -> dict[str, object]:
    """Print and return how often the subject fits into the quickest of the others, round by round."""
    rounds = zip(*(seconds[name] for name in asked.others), strict=True)
    ratios = [min(each) / mine for each, mine in zip(rounds, seconds[asked.subject], strict=True)]
    seen = spread(ratios)
    met = seen.median >= asked.least
    name = f"{asked.case}: {', '.join(asked.others)} / {asked.subject}"
    print(f"{name:50} {f'>= {asked.least:.3g}':>9}   {_text(seen, 1, '', 3)}   {'ok' if met else 'not ok'}")
    return {**asked._asdict(), "seen": seen._asdict(), "ok": met}


def _memory_figures(peaks: dict[str, tuple[int, float]]) -> list[dict[str, object]]:
    """Print and return what the bounded modes take of plain reverse mode's memory."""
    figures: list[dict[str, object]] = []
    for name, (peak, difference) in peaks.items():
        share = peaks["reverse"][0] / peak
        met = name == "reverse" or (share >= memory.SHARE and difference <= 1e-12)
        print(
            f"memory, {memory.LAYERS:,} layers: {name:18} {peak / 2**20:8.2f} MiB, 1/{share:.1f} of reverse, "
            f"gradient off by {difference:.1e}   {'ok' if met else 'not ok'}"
        )
        figures.append({"case": "memory", "subject": name, "seen": share, "ok": met})
    return figures


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument("--smoke", action="store_true", help="run every case once, and ask for nothing")
    parser.add_argument("--rounds", type=int, default=31, help="alternating rounds (default 31)")
    parser.add_argument("--threads", type=int, default=1, help="threads of BLAS and PyTorch (default 1)")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cases whose names contain this")
    return parser.parse_args()


def _text(time: Spread, scale: float, unit: str, digits: int) -> str:
    median, lower, upper = (f"{number * scale:.{digits}f}" for number in time)
    return f"{median:>8}{unit} ({lower} to {upper})"


if __name__ == "__main__":
    sys.exit(main())
