"""Names of cells: from their settings alone, so that they stay the same whatever else is in a sweep."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from jactrain.config.wording import flow
from jactrain.errors import UsageError
from jactrain.registry import suggest
from jactrain.runs.directory import CELLS_FILE, EXPERIMENT_FILE

_LONGEST = 64  # characters of a run's name
_UNUSABLE = re.compile(r"[^A-Za-z0-9._]+")
_MINUS = re.compile(r"(?<![\w.-])-(?=[\d.])")
# What an experiment's folder has besides its cells.
_TAKEN = (CELLS_FILE, EXPERIMENT_FILE, "journal.log", "report.html", "results.csv")
_FIELD = re.compile(r"\{([^{}]*)\}")


def cell_name(settings: Mapping[str, Any], seed: int, base: str, pattern: str | None) -> str:
    """Return the name of the cell with `settings` and `seed`.

    pattern: names keys in braces; None for the last words of all keys with their values. base: the name of
    a cell that has no settings.

    Raises UsageError for a pattern that names something else.
    """
    fields = {key: _text(value) for key, value in settings.items()}
    fields |= {"seed": str(seed), "hash": digest(settings)}
    if pattern is None:
        words = [_worded(key, value) for key, value in settings.items()] or [_slug(base)]
        return _short("-".join([*words, f"seed-{seed}"]), settings, seed)
    for field in _FIELD.findall(pattern):
        if field not in fields:
            raise UsageError(f"name: there is no key {field!r} that varies; {suggest(field, list(fields))}")
    return _short(_FIELD.sub(lambda match: fields[match[1]], pattern), settings, seed)


def digest(value: Any) -> str:
    """Return 8 hexadecimal digits that stand for `value`, of what JSON has."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def _worded(key: str, value: Any) -> str:
    """Return a setting in words: `learning_rate-0.1`; a component by its own name alone."""
    is_component = isinstance(value, dict) or (isinstance(value, str) and "." not in key)
    return _text(value) if is_component else f"{_slug(key.rpartition('.')[2])}-{_text(value)}"


def _text(value: Any) -> str:
    if isinstance(value, float):
        value = float(f"{value:.4g}")
        return _slug(f"{value:g}")
    return _slug(flow(value))


def _slug(text: str) -> str:
    """Return what a name may have of `text`: signs that change numbers among it."""
    text = _MINUS.sub("minus-", text.replace("e+", "e"))
    return _UNUSABLE.sub("-", text).strip("-._")


def _short(name: str, settings: Mapping[str, Any], seed: int) -> str:
    """Return `name` as a run may be called, ending in a hash where something of it was left out."""
    name = re.sub(r"-{2,}", "-", _UNUSABLE.sub("-", name).strip("-._")) or "cell"
    exact = len(name) <= _LONGEST and not any(_is_rounded(value) for value in settings.values())
    exact = exact and name.lower() not in _TAKEN
    return name if exact else f"{name[: _LONGEST - 9].rstrip('-._')}-{digest([settings, seed])}"


def _is_rounded(value: Any) -> bool:
    return isinstance(value, float) and float(f"{value:.4g}") != value
