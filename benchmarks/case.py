"""A case: subjects that are timed in alternating rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks.timing import Subject

Subjects = Mapping[str, Subject]


class Case(NamedTuple):
    """What is timed together, under one name.

    subjects: makes them, smaller ones for a smoke run if it is called with True. share: of all rounds, for
    what takes long. pause: seconds before each run, where threads of one subject would disturb the next.
    about: what is timed, and what a step is, in words for the page.
    """

    name: str
    subjects: Callable[[bool], Subjects]
    share: float = 1.0
    pause: float = 0.0
    about: str = ""
