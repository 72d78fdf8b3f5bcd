"""Memory bounds as a configuration writes them: `64MiB`."""

from __future__ import annotations

import re
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB)\Z")


def bytes_of(size: Any) -> Any:
    """Return the bytes of `size`, such as "64MiB", "1.5 GiB" or a number of bytes.

    Raises ValueError for a text of another form; other types are returned for the validator to refuse.
    """
    if not isinstance(size, str):
        return size
    match = _SIZE.match(size)
    if match is None:
        raise ValueError("a size in memory is a number and B, KiB, MiB or GiB, such as 64MiB")
    return int(float(match[1]) * _UNITS[match[2]])


def text_of(size: int) -> str:
    """Return `size` bytes in the largest unit that holds it exactly."""
    unit = next(name for name in reversed(_UNITS) if size % _UNITS[name] == 0)
    return f"{size // _UNITS[unit]}{unit}"


def reuse_freed_memory() -> None:
    """Let freed arrays of up to 31 MiB be used again, instead of given back to the system.

    glibc gives blocks above a threshold back at once, and the next array then pays a page fault for
    every 4 KiB: half of the time of forward mode. The threshold follows the largest such block freed,
    up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD): hence one is taken, untouched, and freed. Other
    allocators do not mind.
    """
    np.empty(31 * 2**20, np.uint8)


MemorySize = Annotated[
    int,
    BeforeValidator(bytes_of),
    PlainSerializer(text_of),
    Field(ge=1),
    WithJsonSchema({"type": ["string", "integer"], "examples": ["64MiB"]}),
]
