"""Time jactrain beside its peers, and say whether the figures asked for are met.

Exits with 1 if one is not, except under `--smoke`, where every case runs once to see that it does, and
with 2 if a peer is missing for a complete run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks import asked, growth, machine, memory, page, peers, words
from benchmarks.case import Case
from benchmarks.cases import CASES
from benchmarks.timing import Times, alternate, spread

_ROUNDS, _FEWEST = 31, 3


# A smoke run is too short to be judged.
_UNASKED = {"asked": None, "ok": None}


def main() -> int:
    """Run every case that is chosen, print what is seen, write it, and return the exit code."""
    options = _options()
    if options.render:
        options.page.write_text(page.rendered(json.loads(options.render.read_text())))
        return 0
    missing = peers.missing()
    if missing and not options.smoke:
        print(f"{', '.join(missing)} missing; install benchmarks/requirements.txt, or give --smoke")
        return 2
    results = _measured(options.only, options.rounds, options.smoke)
    results["missing"] = missing
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    if options.page:
        options.page.write_text(page.rendered(results))
    if options.smoke:
        return 0
    unmet = page.unmet(results)
    for line in unmet:
        print(f"not met: {line}")
    return 1 if unmet else 0


def _measured(only: str, rounds: int, smoke: bool) -> dict[str, Any]:
    """Return the results of all cases whose names contain `only`, printing them as they come."""
    seen_on = machine.description()
    print(f"{seen_on['processor']}, {seen_on['cores']} cores; medians (quartiles) of alternating rounds")
    results: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": seen_on,
        "smoke": smoke,
        "cases": {},
        "growth": [],
        "memory": {},
        "memory_along_depth": [],
    }
    for case in CASES:
        if only in case.name:
            results["cases"][case.name] = _timed(case, rounds, smoke)
    for row in growth.grown(only, smoke):
        results["growth"].append(row)
        print(words.growth(row | _UNASKED if smoke else row), flush=True)
    if only in "memory":
        results["memory"] = _peaks(smoke)
        results["memory_along_depth"] = growth.memory_along_depth(smoke)
        for row in results["memory_along_depth"]:
            print(f"memory of {row['mode']} along depth: exponent {row['measured']:.2f}")
    return results


def _timed(case: Case, rounds: int, smoke: bool) -> dict[str, Any]:
    """Return what is kept of one case: times, figures, and what its times are of a peak."""
    start = perf_counter()
    subjects = case.subjects(smoke)
    count = 1 if smoke else max(_FEWEST, round(rounds * case.share))
    times = alternate(subjects, count, 0.0 if smoke else case.pause)
    found = {
        "about": case.about,
        "rounds": count,
        "subjects": {
            name: {
                "seconds": spread(times[name].rounds)._asdict(),
                "first": times[name].first,
                "threads": subject.threads_in_words,
                "told": subject.told,
            }
            for name, subject in subjects.items()
        },
        "figures": asked.figures(case.name, times),
        "rates": asked.rates(case.name, times),
    }
    _print(case.name, times, found, smoke)
    print(f"  {perf_counter() - start:.1f} s for {count} rounds", flush=True)
    return found


def _print(name: str, times: Mapping[str, Times], found: Mapping[str, Any], smoke: bool) -> None:
    print(f"\n{name}")
    for subject in times:
        kept = found["subjects"][subject]
        print(f"  {subject:26} {words.time(kept['seconds']):32} threads {kept['threads']}")
    for figure in found["figures"]:
        print(f"  {words.figure(figure | _UNASKED if smoke else figure)}", flush=True)


def _peaks(smoke: bool) -> dict[str, Any]:
    """Return, and print, what the bounded modes take of plain reverse mode's memory."""
    peaks = memory.peaks(smoke)
    whole = peaks["reverse"].bytes
    found = {}
    for name, peak in peaks.items():
        met = name == "reverse" or (whole >= memory.SHARE * peak.bytes and peak.difference <= 1e-12)
        found[name] = {**peak._asdict(), "share": whole / peak.bytes, "ok": met}
        print(f"memory, {name}: {peak.bytes / 2**20:.2f} MiB, 1/{whole / peak.bytes:.1f} of reverse")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the page")
    parser.add_argument("--smoke", action="store_true", help="run every case once, and ask for nothing")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"alternating rounds (default {_ROUNDS})")
    parser.add_argument("--only", default="", metavar="TEXT", help="the cases whose names contain this")
    parser.add_argument(
        "--render", type=Path, metavar="FILE", help="measure nothing: --page from these results"
    )
    options = parser.parse_args()
    if options.render and not options.page:
        parser.error("--render needs --page")
    return options


if __name__ == "__main__":
    sys.exit(main())
