"""Time jactrain beside its peers, and say whether the figures asked for are met.

Exits with 1 if one is not, except under `--smoke`, where every case runs once to see that it does.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import NamedTuple

import torch
from threadpoolctl import threadpool_limits

from benchmarks import gradient, machine, training_step
from benchmarks.timing import Spread, alternate, spread

_CASES = {"training step": training_step.subjects, "gradient": gradient.subjects}


class Asked(NamedTuple):
    """A figure: in `case`, the time of `subject` is at most `limit` times that of `reference`."""

    case: str
    subject: str
    reference: str
    limit: float


_ASKED = (
    Asked("training step", "jactrain", "scikit-learn", 1 / 2),
    Asked("training step", "jactrain", "PyTorch", 1 / 3),
    Asked("gradient", "forward", "reverse", 20),
)


def main() -> int:
    """Run every case, print the tables, and return the exit code."""
    options = _options()
    torch.set_num_threads(options.threads)
    rounds = 1 if options.smoke else options.rounds
    with threadpool_limits(options.threads):
        seen_on = machine.description()
        print(f"{seen_on['processor']}, {seen_on['cores']} cores, threads {seen_on['threads']}")
        print(f"64-64-64-10, tanh, batch 32, float32; medians (quartiles) of {rounds} alternating rounds\n")
        seconds = {case: alternate(subjects(), rounds) for case, subjects in _CASES.items()}
    times = {case: {name: spread(each) for name, each in by.items()} for case, by in seconds.items()}
    for case, by_name in times.items():
        for name, time in by_name.items():
            print(f"{case:14}  {name:13} {_text(time, 1e6, ' us', 1)}")
    print(f"\n{'figure':45} {'asked':>9}   seen")
    figures = []
    for asked in _ASKED:
        mine, other = seconds[asked.case][asked.subject], seconds[asked.case][asked.reference]
        seen = spread([a / b for a, b in zip(mine, other, strict=True)])
        met = seen.median <= asked.limit
        figures.append(asked._asdict() | {"seen": seen._asdict(), "ok": met})
        name = f"{asked.case}: {asked.subject} / {asked.reference}"
        print(
            f"{name:45} {f'<= {asked.limit:.3g}':>9}   {_text(seen, 1, '', 3)}   {'ok' if met else 'not ok'}"
        )
    if options.json:
        results = {
            "machine": seen_on,
            "rounds": rounds,
            "smoke": options.smoke,
            "figures": figures,
            "seconds": {case: {n: t._asdict() for n, t in by.items()} for case, by in times.items()},
        }
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0 if options.smoke or all(figure["ok"] for figure in figures) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument("--smoke", action="store_true", help="run every case once, and ask for nothing")
    parser.add_argument("--rounds", type=int, default=31, help="alternating rounds (default 31)")
    parser.add_argument("--threads", type=int, default=1, help="threads of BLAS and PyTorch (default 1)")
    return parser.parse_args()


def _text(time: Spread, scale: float, unit: str, digits: int) -> str:
    median, lower, upper = (f"{number * scale:.{digits}f}" for number in time)
    return f"{median:>8}{unit} ({lower} to {upper})"


if __name__ == "__main__":
    sys.exit(main())
