"""Where a peer is faster than jactrain, found in the results, and why, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks import commands, training_step

_MATTERS = 1.02  # less is noise
_ENGINES = ("jactrain", "jactrain, JAX engine")
_STEP_PEERS = (
    "JAX scanning an epoch",
    "JAX per step",
    "PyTorch",
    "PyTorch, 1 thread",
    "scikit-learn",
    "scikit-learn, 1 thread",
)

# In other cases: which subject of ours a peer, or what stands for one, is set beside.
_BESIDE: dict[str, dict[str, str]] = {
    "forward order": {"JAX jacfwd": "jactrain", "PyTorch jacfwd": "jactrain"},
    "differences": {"scipy 3-point": "jactrain"},
    "gradient, every mode": {
        "JAX grad": "reverse",
        "JAX jacfwd": "forward",
        "PyTorch jacfwd": "forward",
        "scipy 3-point": "finite_difference",
    },
    "J_θ f, dense": {"JAX": "jactrain"},
    "J_θ f, products": {"J v, dense": "J v", "JAX jvp": "J v", "Jᵀ u, dense": "Jᵀ u", "JAX vjp": "Jᵀ u"},
    commands.DIGITS: {
        "scikit-learn script": "jactrain run",
        "JAX script": "jactrain run",
        "PyTorch script": "jactrain run",
    },
    commands.HELP: {"import typer": "jactrain --help"},
}

_CALLS = (
    "JAX scanning an epoch, beside the NumPy engine on small networks: XLA compiles all steps of the epoch "
    "into one loop. NumPy pays about half a microsecond for each of its calls, whatever their size. The JAX "
    "engine loops over the same rules, and pays by compiling before its first step."
)
_LARGE = (
    "On 784-512-512-10 everyone waits for the same matrix products. What differs is whose library "
    "multiplies, and that XLA and PyTorch run tanh, biases and momentum fused or on all cores, while NumPy's"
    " elementwise functions run on one."
)
_PER_STEP = (
    "JAX per step, beside the NumPy engine: fused elementwise functions save more than the call of a "
    "compiled function costs, once a step is long enough."
)
_ENGINE = (
    "The JAX engine beside JAX alone: it brings the state back to NumPy after each epoch, so that a "
    "checkpoint fits either engine, draws the order and the noise on the host, and looks for losses that are"
    " not finite."
)
_EAGER = (
    "PyTorch beside our engines: it multiplies by another library, and runs elementwise functions on all "
    "cores."
)
_SCIKIT_LEARN = (
    "scikit-learn beside our engines: its products are those of the same NumPy; of two classes it makes one "
    "output."
)
_GRADIENT = (
    "JAX's gradient is compiled, and nothing but the gradient; a mode that is called for one gradient looks "
    "up rules on the way. A training records them once."
)
_DENSE = (
    "`J_θ f`, dense: both write the same numbers, which is nearly all there is to do; XLA writes them on all"
    " cores."
)
_PRODUCT = (
    "One product `J v` or `Jᵀ u`: JAX runs one linearised pass, compiled. Ours applies the factors that are "
    "kept, layer by layer: they are made for the kernel, for norms and for many products with one Jacobian."
)
_ROWS = (
    "A product with dense rows that are there already is one call; the factors take less memory, not less "
    "time."
)
_HELP = "`jactrain --help` imports typer itself, and then has the help to write."
_COMMAND = "A whole command of a peer is faster: no reason is known; it is to be looked into."

# What no ratio of the tables above says.
STANDING = (
    "Compiling is in none of the times: the JAX engine's first epoch takes as long as the table of first "
    "epochs says. Where a training is over in less, the NumPy engine is faster.",
    "scikit-learn calls the same products and the same tanh of the same NumPy. What can be saved beside it "
    "is calls and copies, which weigh less the larger arrays are.",
    "Beside its products the step on 784-512-512-10 has momentum and the check of the gradient, which go "
    "over arrays that no core's cache holds, biases and tanh, which one core computes.",
    "The estimators' random numbers (`random_forward`, `activity_perturbation`, `spsa`) are drawn on the "
    "host, on either engine, so that both take the same steps. On large networks drawing is a good part of "
    "the time.",
)


class Faster(NamedTuple):
    """A peer that is faster than a subject of ours in one case: `times` as fast, and why."""

    case: str
    peer: str
    ours: str
    times: float
    reason: str


def faster(results: Mapping[str, Any]) -> list[Faster]:
    """Return every peer that is faster, in the faster of its settings."""
    return [found for case, kept in results["cases"].items() for found in _in_case(case, kept["subjects"])]


def _in_case(case: str, subjects: Mapping[str, Any]) -> Iterator[Faster]:
    for ours, peers in _pairs(case).items():
        quickest: dict[str, Faster] = {}
        for peer in peers:
            if peer not in subjects or ours not in subjects:
                continue
            times = subjects[ours]["seconds"]["median"] / subjects[peer]["seconds"]["median"]
            name = peer.removesuffix(", 1 thread")
            if times > max(_MATTERS, quickest[name].times if name in quickest else 0):
                quickest[name] = Faster(case, peer, ours, times, _reason(case, name, ours))
        yield from quickest.values()


def _pairs(case: str) -> dict[str, list[str]]:
    """Return for each subject of ours the peers that it is set beside."""
    if case in map(training_step.case_name, training_step.TRAININGS):
        return {engine: list(_STEP_PEERS) for engine in _ENGINES}
    pairs: dict[str, list[str]] = {}
    for peer, ours in _BESIDE.get(case, {}).items():
        pairs.setdefault(ours, []).append(peer)
    return pairs


def _reason(case: str, peer: str, ours: str) -> str:
    if case.startswith("step"):
        if "784" in case:
            return _LARGE
        if peer.startswith("JAX") and ours.endswith("engine"):
            return _ENGINE
        by_peer = {"JAX scanning an epoch": _CALLS, "JAX per step": _PER_STEP, "PyTorch": _EAGER}
        return by_peer.get(peer, _SCIKIT_LEARN)
    if case == "J_θ f, products":
        return _ROWS if peer.endswith("dense") else _PRODUCT
    return {"J_θ f, dense": _DENSE, commands.DIGITS: _COMMAND, commands.HELP: _HELP}.get(case, _GRADIENT)
