"""How messages write values and the keys that they stand at."""

from __future__ import annotations

import json
import math
import re
import shlex
from typing import Any

from jactrain.config.scalars import scalar
from jactrain.errors import KeyPath

_LONGEST_FLOW = 200  # characters of a value that is spelled out for `--set`
_PLAIN = re.compile(r"[\w./-]+( [\w./-]+)*")  # text that needs no quotes, in whatever place


def escaped(text: str) -> str:
    """Return `text` with control characters, and others that a terminal may act on, as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shortened(text: str, limit: int = 60) -> str:
    """Return `text` escaped and, if it is longer than `limit` characters, cut with `…`."""
    return escaped(text) if len(text) <= limit else escaped(text[: limit - 1]) + "…"


def shown(value: Any) -> str:
    """Return `value` as a message shows it: scalars as YAML writes them, collections by their sort."""
    if isinstance(value, str):
        return shortened(repr(value))
    if isinstance(value, dict | list):
        kind, unit = ("a mapping", "key") if isinstance(value, dict) else ("a list", "item")
        return f"{kind} of {len(value)} {unit}{'s' * (len(value) != 1)}"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}[repr(value)]
    return shortened(repr(value))


def dotted(path: KeyPath) -> str:
    """Return `path` as `--set` takes it: `network.1.linear.units`."""
    return ".".join(shortened(str(key)) for key in path)


def flow(value: Any) -> str:
    """Return `value` as YAML on one line: `{forward: {seeds: outputs}}`."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{flow(key)}: {flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    if not isinstance(value, str):
        return shown(value)
    return value if _PLAIN.fullmatch(value) and scalar(value) == value else json.dumps(value)


def set_option(path: KeyPath, value: Any) -> str:
    """Return what to type on the command line to set `value` at `path`."""
    text = flow(value)
    text = text if len(text) <= _LONGEST_FLOW else "…"
    return f"--set {shlex.quote(f'{dotted(path)}={text}')}"
