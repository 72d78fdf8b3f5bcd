"""Every exception that jactrain raises on purpose, as one tree.

::

    JactrainError                  exit code 1
    ├── UsageError                 exit code 2: something the user gave can be mended by the user
    │   ├── ConfigurationError     mistakes in a configuration, each with its place
    │   ├── DataError              a data file or dataset that cannot be used
    │   ├── ShapeError             arrays or layers whose sizes do not fit
    │   ├── UnsupportedError       a mode needs what a layer or the loss does not have
    │   ├── OptionError            an option of a mode that does not fit the network or the batch
    │   │   └── MemoryBoundError   a bound on memory that cannot be kept
    │   ├── PlanError              a plan used for another signature than it was made for
    │   ├── FileAccessError        a file that the operating system does not let be read or written
    │   └── RunError               a run folder that is missing or damaged
    │       ├── OtherVersionError  a worker whose jactrain is another than the sweep's
    │       ├── BusyError          a run that another process is training in
    │       └── CheckpointError    a checkpoint that is damaged, or of another training
    ├── UnrecordableError          a function that does what a recorded program cannot
    ├── PrunedError                a training that a search ended early
    ├── RegistrationError          a component that may not be registered (a programming error)
    └── DivergedError              exit code 3: numbers of a training that are not finite

A message says what was expected, what came, where, and what to try.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

_SHOWN_MISTAKES = 50

# Where something stands in a configuration: `("network", 0, "linear", "units")`.
KeyPath: TypeAlias = tuple[str | int, ...]


class JactrainError(Exception):
    """Base of all errors raised on purpose; the command line prints them without a traceback."""

    exit_code = 1


class UsageError(JactrainError):
    """Something that was given is wrong, and whoever gave it can mend it."""

    exit_code = 2


@dataclass(frozen=True)
class Mistake:
    """One mistake in a configuration.

    `message` says what was expected and what came; `advice` says what to try, and may be empty. `file`,
    `line` and `column`, counted from 1, are None where there is none, as for an argument of the command line.
    """

    path: KeyPath
    message: str
    advice: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None


class ConfigurationError(UsageError):
    """One or more mistakes in a configuration.

    `mistakes` keeps them as data, and `texts` what is printed of each: as the caller has rendered them (with
    file, line and column), else key paths and messages. The message has the first of these.
    """

    def __init__(self, mistakes: Sequence[Mistake], texts: Sequence[str] | None = None) -> None:
        self.mistakes = tuple(mistakes)
        self.texts = tuple(map(_plain, self.mistakes) if texts is None else texts)
        rest = len(self.texts) - _SHOWN_MISTAKES
        more = [f"(and {rest} more mistake{'s' * (rest > 1)})"] if rest > 0 else []
        super().__init__("\n".join([*self.texts[:_SHOWN_MISTAKES], *more]))


def _plain(mistake: Mistake) -> str:
    place = ".".join(map(str, mistake.path))
    advice = f" ({mistake.advice})" if mistake.advice else ""
    return f"{place}: {mistake.message}{advice}" if place else f"{mistake.message}{advice}"


class DataError(UsageError):
    """A data file or dataset that cannot be used; the message names file, line and column."""


class ShapeError(UsageError):
    """Sizes that do not fit; `layer` is the slash-separated name of the layer, where there is one."""

    def __init__(self, message: str, layer: str = "") -> None:
        self.layer = layer
        self.reason = message
        super().__init__(f"{layer}: {message}" if layer else message)


class UnsupportedError(UsageError):
    """A mode or an engine needs what a layer, the loss, an optimizer or this machine does not have."""


class OptionError(UsageError):
    """A mode's `option` that does not fit the network or the batch."""

    def __init__(self, message: str, option: str) -> None:
        self.option = option
        super().__init__(message)


class MemoryBoundError(OptionError):
    """A bound on memory that a mode cannot keep: it needs `needed` bytes."""

    def __init__(self, message: str, needed: int) -> None:
        self.needed = needed
        super().__init__(message, "memory")


class PlanError(UsageError):
    """A plan was used with a network, batch size or dtype other than it was prepared for."""


class FileAccessError(UsageError):
    """A file or folder that the operating system refuses: no room, no permission, no such place."""


class RunError(UsageError):
    """A run folder that is missing, unfinished or damaged."""


class OtherVersionError(RunError):
    """A worker that has another version of jactrain than the sweep was begun with."""


class BusyError(RunError):
    """A folder that another process is training in."""


class CheckpointError(RunError):
    """A checkpoint that is damaged, or of another training."""


class UnrecordableError(JactrainError):
    """A function that cannot be recorded: it branches on values, writes, or is not made of array calls."""


class PrunedError(JactrainError):
    """A training that a search ended at an epoch's end, since others promise more."""


class RegistrationError(JactrainError):
    """A component was registered twice, without a docstring, or under a name that is not allowed."""


class DivergedError(JactrainError):
    """A loss, a gradient or a moment of the optimizer is not finite; raised before parameters take it.

    what: what is not finite, and where; then follows what to do about it.
    """

    exit_code = 3

    def __init__(self, what: str, *advice: str) -> None:
        self.what, self.advice = what, advice
        super().__init__("; ".join((what, *advice)))
