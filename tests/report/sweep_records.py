"""Folders of sweeps as they are recorded, with figures that are known, without training anything."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from report_records import HOSTILE, SCRIPT

CONFIGURATION = """\
name: toy
seed: {seed}
data: {{source: {{moons: {{examples: 60}}}}, validation: 0.25, scale: standard}}
network:
- linear: {{units: 4}}
- tanh
- linear
loss: binary_cross_entropy
mode: reverse
optimizer: {{sgd: {{learning_rate: 0.1}}}}
training: {{epochs: {epochs}, batch_size: 15}}
agreement: null
"""
COMMAND = "jactrain sweep configs/experiments/toy.yaml"
Metrics = list[dict[str, float | None]]


def metrics_to(loss: float, accuracy: float, epochs: int = 3, work: float = 1000.0) -> Metrics:
    """Return epochs whose last has these validation figures."""
    return [
        {
            "step": 4 * epoch,
            "epoch": epoch,
            "seconds": 0.01 * epoch,
            "multiply_adds": work * epoch,
            "train_loss": loss / 2 + (epochs - epoch),
            "validation_loss": loss + (epochs - epoch),
            "validation_accuracy": accuracy - 0.1 * (epochs - epoch),
        }
        for epoch in range(1, epochs + 1)
    ]


def agreement_at(
    step: int, mode: str = "forward", error: float = 1e-7, verdict: str = "agree"
) -> dict[str, Any]:
    return {"step": step, "mode": mode, "reference": "reverse", "examples": 10, "relative_error": error,
            "allowed": 1e-6, "verdict": verdict, "cosine": 1.0, "norm_ratio": 1.0}  # fmt: skip


def write_cell(
    folder: Path,
    metrics: Metrics,
    status: str = "finished",
    reason: str = "",
    agreement: Sequence[dict[str, Any]] = (),
    **meta: Any,
) -> None:
    """Write the folder of a run."""
    folder.mkdir(parents=True)
    epochs = len(metrics)
    record = {
        "schema_version": 1,
        "name": "toy",
        "started": "2026-11-23T15:00:00+00:00",
        "seed": 0,
        "versions": {"jactrain": "0.1.0"},
        "status": status,
    }
    if status == "finished":
        record |= {"epochs": epochs, "steps": 4 * epochs, "kept_epoch": epochs}
    if status != "running":
        record |= {"exit_reason": reason}
    record |= meta
    (folder / "meta.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "config.resolved.yaml").write_text(
        CONFIGURATION.format(seed=record["seed"], epochs=max(3, epochs)), encoding="utf-8"
    )
    for name, lines in (("metrics.jsonl", metrics), ("agreement.jsonl", agreement)):
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (folder / name).write_text(text, encoding="utf-8")


def write_list(
    folder: Path,
    cells: Sequence[tuple[str, int, Mapping[str, Any]]],
    factors: Sequence[str] | None = None,
    **changes: Any,
) -> None:
    """Write `cells.json` and `experiment.yaml`; the factors are those of the first cell."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "schema_version": 1,
        "kind": "sweep",
        "name": "toy",
        "command": COMMAND,
        "factors": [*(cells[0][2] if factors is None else factors)],
        "cells": [{"name": name, "seed": seed, "settings": dict(own)} for name, seed, own in cells],
    }
    (folder / "cells.json").write_text(json.dumps(record | changes), encoding="utf-8")
    (folder / "experiment.yaml").write_text("name: toy\nbase: toy.yaml\n", encoding="utf-8")


def write_sweep(
    folder: Path, figures: Sequence[tuple[Mapping[str, Any], Sequence[tuple[float, float]]]], **changes: Any
) -> Path:
    """Write a sweep: settings, and for each the validation loss and accuracy of its seeds, from 0."""
    cells = []
    for number, (settings, reached) in enumerate(figures):
        for seed, (loss, accuracy) in enumerate(reached):
            name = f"setting{number}-seed{seed}"
            cells.append((name, seed, settings))
            write_cell(folder / name, metrics_to(loss, accuracy), seed=seed)
    write_list(folder, cells, **changes)
    return folder


def write_search(folder: Path) -> Path:
    """Write a search of eight trials: one was pruned, one failed, and the last has not begun."""
    losses = (0.9, 0.5, 0.7, 0.4, 0.6, 0.45)
    settings = [{"optimizer.sgd.learning_rate": 10.0 ** -(number % 4) * (1 + number)} for number in range(8)]
    cells = [(f"trial-{number:04}", 0, own) for number, own in enumerate(settings)]
    for number, loss in enumerate(losses):
        write_cell(folder / f"trial-{number:04}", metrics_to(loss, 0.9))
    write_cell(folder / "trial-0006", metrics_to(0.8, 0.7, 2), "pruned", "pruned after epoch 2")
    search = {"metric": "validation_loss", "direction": "minimize", "trials": 8}
    write_list(folder, cells, search=search)
    return folder


def write_large(folder: Path) -> Path:
    """Write 200 cells, 4 modes by 5 learning rates by 10 seeds, with 60 epochs and much agreement each."""
    cells = []
    blocks = [f"linear_{number}/{part}" for number in (1, 2, 3) for part in ("weight", "bias")]
    judged = {"relative_error": 1e-7, "allowed": 1e-6, "verdict": "agree", "cosine": 1.0, "norm_ratio": 1.0,
              "worst": {"parameter": blocks[0], "index": [1, 2], "value": 0.1, "reference": 0.1}}  # fmt: skip
    modes = [
        "reverse",
        "forward",
        {"random_forward": {"directions": 8}},
        {"random_forward": {"directions": 64}},
    ]
    for number, mode in enumerate(modes):
        for rate in (0.001, 0.003, 0.01, 0.03, 0.1):
            for seed in range(10):
                name = f"mode{number}-rate{rate}-seed{seed}"
                cells.append((name, seed, {"mode": mode, "optimizer.sgd.learning_rate": rate}))
                loss = 0.1 + 0.02 * number + 0.01 * ((seed * 7) % 10) + abs(rate - 0.03)
                agreement = [
                    agreement_at(step, mode) | {"blocks": dict.fromkeys(blocks, judged)}
                    for step in range(0, 240, 20)
                    for mode in ("forward", "finite_difference")
                ]
                work = 1e4 * (1 + number)
                write_cell(folder / name, metrics_to(loss, 1 - loss / 2, 60, work), agreement=agreement)
    write_list(folder, cells)
    return folder


def write_hostile(folder: Path) -> Path:
    """A sweep with markup and templates for every text that others can choose."""
    cells = []
    for number, text in enumerate(HOSTILE):
        name = f"{text}-{number}".replace("/", "|")
        cells.append((name, number, {SCRIPT: text, "mode": {text: {text: number}}}))
        lines = [line | {text: 1.0} for line in metrics_to(0.5 + number, 0.5)]
        write_cell(
            folder / name, lines, agreement=[agreement_at(1, text)], versions={"jactrain": f"{text}{number}"}
        )
    write_cell(folder / "bad", metrics_to(1.0, 0.1), SCRIPT, SCRIPT)
    cells.append(("bad", 0, {SCRIPT: SCRIPT, "mode": SCRIPT}))
    cells.append((f"{SCRIPT}/x", 0, {}))
    write_list(folder, cells, [SCRIPT, "mode"], name=SCRIPT, command=f"{SCRIPT} {HOSTILE[1]}")
    (folder / "experiment.yaml").write_text(f"</pre>{SCRIPT}{HOSTILE[2]}")
    return folder
