"""Writes docs/benchmarks.md from the results of one run; nothing on the page is written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import commands, growth, memory, sweeps, together, training_step, words
from benchmarks.problem import Training
from benchmarks.slower import STANDING, faster
from benchmarks.trainers.products import SQUARE

_Results = Mapping[str, Any]

_HOW = (
    "Written by `make bench`, from `benchmarks/results.json`; not edited by hand. Every figure is a ratio of"
    " times from alternating rounds: the subjects of a case run one after another in one process (whole "
    "commands: one process after another), each round in an order of its own, and a figure is the "
    'median of the ratios within a round. Times are medians, quartiles in brackets; "×" and "times" in '
    "tables of times are quotients of such medians, which noise moves apart from the figures. A figure above "
    "1 means that jactrain is faster."
)

_FAIR = (
    "Every subject of a training step starts from the same parameters, and takes the same batches of the "
    "same examples in the same dtype. Before anything is timed, all take one epoch in one order, and must "
    "end with equal parameters and an equal loss, up to rounding. scikit-learn is held to it through "
    "`partial_fit`, except on 2-16-2: of two classes it makes one output, and so has a little less to do "
    "there.",
    "A step is: the next batch of a shuffled epoch, its loss and gradient, the update by momentum. Nothing "
    "is logged or evaluated. jactrain and PyTorch look at every loss, and stop at one that is not finite; "
    "JAX's loss is read once an epoch.",
    "Peers run with the threads that they start with (`default`: all cores) and with one; the figure of a "
    "peer is that of the faster. jactrain's NumPy engine chooses its threads by the size of the products, "
    "outside of what is timed. JAX takes all cores, whatever it is told.",
    "Between two subjects of a training step 30 ms pass, in which the threads of the first go to sleep; what "
    "is timed then lasts for some epochs, so that caches which are cold by now weigh little.",
    "JAX is given its faster way: the examples of a step, or of the whole epoch that is scanned, are "
    "gathered within what is compiled, and buffers given away (`donate_argnums`). PyTorch is eager. "
    "scikit-learn's time is that of `fit`, over its epochs.",
)

_PEAK = (
    f"Two peaks. One is the rate of a large product, {SQUARE} × {SQUARE} by {SQUARE} × {SQUARE} on all "
    "cores, which the smaller products of a step do not reach, whoever multiplies. The other is the step's "
    "own products (`x W`, `xᵀ dy`, `dy Wᵀ`) into arrays that are there, with one thread or all, whichever "
    "is faster: 1 would mean that tanh, loss, biases, batches and momentum cost nothing. The 0.85 asked for"
    " are of the second. Rates are 10⁹ multiply-adds a second, of products alone."
)

_GROWTH = (
    "Exponents k of `time ∝ size^k`, by least squares in logarithms over the sizes named, in every round; "
    "beside them the theory for layers of one width ([modes.md](modes.md)), and what the multiply-adds that "
    "the mode predicts give over the same sizes. Linear layers, tanh between them unless said otherwise; "
    "float32; one thread. Sizes are such that products take most of the time: what is added to them grows "
    "less. Against the parameters: the times of the growing width. Of differences along the width the "
    "layers are linear alone, with one output, and the scheme is `forward`, one value an entry: only so are "
    "layers wide enough in seconds."
)


def rendered(results: _Results) -> str:
    """Return the page."""
    parts = [
        "# Benchmarks",
        _HOW,
        *_smoke(results),
        _machine(results["machine"], results["date"]),
        "## What is compared",
        "\n".join(f"- {line}" for line in _FAIR),
        *_asked(results),
        *_slower(results),
        *_steps(results),
        *_peak(results),
        *_growth(results["growth"]),
        *_memory(results),
        *_other_cases(results),
    ]
    return "\n\n".join(parts) + "\n"


def unmet(results: _Results) -> list[str]:
    """Return what was asked for and not seen, in words."""
    rows = _rows(results)
    return [f"{case}: {name}: {seen}, asked {asked}" for case, name, asked, seen, met in rows if not met]


def _smoke(results: _Results) -> Iterator[str]:
    if results["smoke"]:
        yield "**A smoke run: every case ran once, on small sizes. Its figures mean nothing.**"
    if results["missing"]:
        yield f"Left out, since not installed: {', '.join(results['missing'])}."


def _machine(machine: Mapping[str, Any], date: str) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    threads = ", ".join(f"{name} {count}" for name, count in machine["threads"].items())
    return (
        f"Seen on {date}: {machine['processor']}, {machine['cores']} cores; {machine['system']}; "
        f"Python {machine['python']}; {versions}. Threads that pools start with: {threads}."
    )


def _rows(results: _Results) -> Iterator[tuple[str, str, str, str, bool]]:
    """Yield all that is asked for: its case, its name, what is asked and seen, and whether it is met."""
    for found in results["cases"].values():
        for figure in found["figures"]:
            if figure["asked"] is not None:
                asked = f"≥ {words.number(figure['asked'])}"
                yield figure["case"], figure["name"], asked, words.ratio(figure["seen"]), figure["ok"]
    for row in results["growth"]:
        asked = f"{row['theory']:g} ± {growth.WITHIN}"
        name = f"exponent along {row['along']}"
        yield f"growth of {row['mode']}", name, asked, words.exponent(row["measured"]), row["ok"]
    for row in results["memory_along_depth"]:
        asked = f"{row['theory']:g} ± {growth.WITHIN if row['theory'] else growth.FLAT}"
        yield f"memory of {row['mode']}", "exponent along depth", asked, f"{row['measured']:.2f}", row["ok"]
    for name, peak in results["memory"].items():
        if name != "reverse":
            asked, seen = f"≥ {memory.SHARE}", words.number(peak["share"])
            yield f"memory, {memory.LAYERS:,} layers", f"reverse / {name}", asked, seen, peak["ok"]


def _asked(results: _Results) -> Iterator[str]:
    rows = [(*row, words.verdict(met)) for *row, met in _rows(results)]
    if rows:
        yield "## Asked for, and seen"
        yield f"{sum(row[-1] == 'met' for row in rows)} of {len(rows)} are met."
        yield words.table(["case", "figure", "asked", "seen (quartiles)", ""], rows)


def _slower(results: _Results) -> Iterator[str]:
    yield "## Where jactrain is slower, and why"
    found = faster(results)
    if not found:
        yield "In none of these cases."
    else:
        yield "Every peer, in the faster of its settings, whose median is below ours by more than 2 %."
        yield words.table(
            ["case", "faster", "than", "times"],
            [[each.case, each.peer, each.ours, words.number(each.times)] for each in found],
        )
    reasons = dict.fromkeys([*(each.reason for each in found), *STANDING])
    yield "\n".join(f"- {reason}" for reason in reasons)


def _timed(results: _Results) -> list[tuple[Training, Mapping[str, Any]]]:
    """Return the trainings whose step was timed, with what was found."""
    cases = ((each, results["cases"].get(training_step.case_name(each))) for each in training_step.TRAININGS)
    return [(training, found) for training, found in cases if found]


_COMPILED = ("jactrain", "jactrain, JAX engine", "JAX per step", "JAX scanning an epoch")


def _steps(results: _Results) -> Iterator[str]:
    """Yield the times of a step, network by network, and those of the first epoch."""
    timed = _timed(results)
    if not timed:
        return
    yield "## Training step"
    yield "The time of one step. `products` are its matrix products alone, `square product` is a large one."
    for training, found in timed:
        yield f"### {training.name}"
        yield _rounds(found)
        yield _case_table(found["subjects"], "jactrain")
    yield "### The first epoch"
    yield "Seconds, with recording, tracing and compiling, which are no part of the times above."
    rows = []
    for training, found in timed:
        first = (found["subjects"].get(name, {}).get("first") for name in _COMPILED)
        rows.append([training.name, *("–" if each is None else words.number(each) for each in first)])
    yield words.table(["network", *_COMPILED], rows)


def _peak(results: _Results) -> Iterator[str]:
    """Yield how near a step comes to what this machine multiplies."""
    timed = _timed(results)
    if not timed:
        return
    yield "## Fraction of the machine's peak of matrix products"
    yield _PEAK
    rows = []
    for training, found in timed:
        (own,) = (figure for figure in found["figures"] if figure["name"].startswith("fraction"))
        rates = (words.number(found["rates"][name]) for name in ("step", "square", "of_square"))
        rows.append([training.name, *rates, words.ratio(own["seen"])])
    yield words.table(
        ["network", "step", "large product", "of the large product", "of its own products"], rows
    )


def _growth(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    if not rows:
        return
    yield "## Growth"
    yield _GROWTH
    cells = []
    for row in rows:
        options = ", ".join(map(str, row["options"].values()))
        cells.append(
            [
                f"{row['mode']} ({options})" if options else row["mode"],
                row["along"],
                ", ".join(f"{size:,}" for size in row["sizes"]),
                _fixed(row),
                f"{row['theory']:g}",
                f"{row['predicted']:.2f}",
                words.exponent(row["measured"]),
                words.time(row["seconds"][-1]),
            ]
        )
    heads = [
        "mode",
        "along",
        "sizes",
        "with",
        "theory",
        "predicted",
        "measured (quartiles)",
        "at the largest",
    ]
    yield words.table(heads, cells)


def _fixed(row: Mapping[str, Any]) -> str:
    along = "width" if row["along"] == "parameters" else row["along"]
    kept = [f"{name} {row[name]}" for name in ("width", "depth", "batch") if name != along]
    kept += [] if row["activation"] else ["no tanh"]
    return ", ".join([*kept, *(["one output"] if row["outputs"] else [])])


def _memory(results: _Results) -> Iterator[str]:
    if results["memory"]:
        yield "## Memory"
        yield (
            f"Peak, as Python's allocator counts it, of one gradient of {memory.LAYERS:,} layers of width "
            f"{memory.WIDTH}, {memory.EXAMPLES} examples, float64. The bound of the others is "
            f"1/{memory.SHARE} of what plain reverse mode takes."
        )
        rows = []
        for name, peak in results["memory"].items():
            size = f"{peak['bytes'] / 2**20:.2f} MiB"
            rows.append([name, size, f"1/{peak['share']:.1f}", f"{peak['difference']:.1e}"])
        yield words.table(["mode", "peak", "part of reverse", "gradient off by"], rows)
    if results["memory_along_depth"]:
        yield (
            "The same as layers are added, eight of them linear at every depth: reverse mode keeps all "
            f"residuals, forward mode in chunks (`memory: {growth.BOUND // 2**20}MiB`) none."
        )
        depths = [f"{depth} layers" for depth in results["memory_along_depth"][0]["depths"]]
        rows = []
        for row in results["memory_along_depth"]:
            peaks = (f"{peak / 2**20:.2f} MiB" for peak in row["peaks"])
            rows.append([row["mode"], *peaks, f"{row['measured']:.2f}"])
        yield words.table(["mode", *depths, "exponent"], rows)


# Which subject the others of a case are set beside, where it is not `jactrain`.
_FIRST = {
    "gradient, float32": "reverse",
    "gradient, every mode": "reverse",
    "J_x f": "mixed",
    "S_k": "mixed",
    "kernel": "gram",
    "J_θ f, products": "J v",
    commands.DIGITS: "jactrain run",
    commands.HELP: "jactrain --help",
    commands.OVERHEAD: "bare loop",
    sweeps.SWEEP: "bare trainings",
    sweeps.SHARES: "reading and checking",
    **{together.case_name(dtype): "together" for dtype in together.ALLOWED},
}


def _other_cases(results: _Results) -> Iterator[str]:
    steps = set(map(training_step.case_name, training_step.TRAININGS))
    others = {name: found for name, found in results["cases"].items() if name not in steps}
    if others:
        yield "## All other cases"
    for name, found in others.items():
        yield f"### {name}"
        yield _rounds(found)
        yield _case_table(found["subjects"], _FIRST.get(name, "jactrain"))


def _rounds(found: Mapping[str, Any]) -> str:
    rounds = f"{found['rounds']} round{'' if found['rounds'] == 1 else 's'}."
    return f"{found['about']}; {rounds}" if found["about"] else rounds


def _case_table(subjects: Mapping[str, Any], first: str) -> str:
    """Return times, and how many times as long each takes as `first`."""
    own = subjects[first]["seconds"]["median"]
    told = any(subject["told"] for subject in subjects.values())
    rows = []
    for name, subject in subjects.items():
        times = words.number(subject["seconds"]["median"] / own)
        row = [name, subject["threads"], words.time(subject["seconds"]), times]
        rows.append([*row, subject["told"]] if told else row)
    heads = ["", "threads", "median (quartiles)", f"× {first}"]
    return words.table([*heads, ""] if told else heads, rows)
