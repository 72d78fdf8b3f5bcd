"""What tests read of a run's folder, what they change in it, and how a command line says changes."""

import json

import numpy as np
import yaml


def bits(folder):
    """Return all that a run leaves but times: parameters, metrics, agreement."""
    with np.load(folder / "weights.npz") as file:
        weights = {name: (file[name].dtype.str, file[name].tobytes()) for name in file.files}
    lines = [
        {key: value for key, value in json.loads(line).items() if key != "seconds"}
        for name in ("metrics.jsonl", "agreement.jsonl")
        for line in (folder / name).read_text().splitlines()
    ]
    return weights, lines


def only_run(runs):
    """Return the folder of the one run below `runs`; None if it was killed before that had its name."""
    found = [path for path in runs.iterdir() if not path.name.startswith(".")] if runs.is_dir() else []
    assert len(found) <= 1
    return found[0] if found else None


def checkpoints(folder):
    return sorted((folder / "checkpoints").glob("step-*.npz"))


def meta(folder):
    return json.loads((folder / "meta.json").read_text())


def resolved(folder):
    return yaml.safe_load((folder / "config.resolved.yaml").read_text())


def everything(folder):
    """Return the bytes of every file of a run."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def sets(changes):
    return [part for change in changes for part in ("--set", change)]
