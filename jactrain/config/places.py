"""Where something stands in a configuration, and how a mistake there is reported."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NoReturn
from unicodedata import east_asian_width

from jactrain.config.wording import escaped
from jactrain.errors import ConfigurationError, KeyPath, Mistake

_EXCERPT = 100  # characters of a source line that a report shows


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: `line` and `column` count from 1, in characters.

    `line` is 0 for an argument of the command line, and `column` too for a file as a whole. `text` is the
    source line. `path` is the key path that stands here: the part that was found of the one asked for.
    """

    origin: str
    line: int = 0
    column: int = 0
    text: str = ""
    path: KeyPath = ()

    @property
    def is_argument(self) -> bool:
        """Whether this is within an argument of the command line."""
        return not self.line and self.column > 0

    def __str__(self) -> str:
        origin = escaped(self.origin)
        return f"{origin}:{self.line}:{self.column}" if self.line else origin

    def locate(self, mistake: Mistake) -> Mistake:
        """Return `mistake` with file, line and column of this place."""
        if self.line:
            return replace(mistake, file=self.origin, line=self.line, column=self.column)
        return mistake if self.is_argument else replace(mistake, file=self.origin)

    def report(self, message: str, advice: str = "") -> str:
        """Return `origin:line:column: message`, the source line, a caret and the advice, as lines."""
        lines = [f"{self}: {escaped(message)}"]
        if self.column:
            lines += self._excerpt()
        lines += [f"    {escaped(line)}" for line in advice.split("\n") if line]
        return "\n".join(lines)

    def _excerpt(self) -> tuple[str, str]:
        at = self.column - 1
        start = max(0, min(at - _EXCERPT // 2, len(self.text) - _EXCERPT))
        before = ("…" if start else "") + escaped(self.text[start:at])
        rest = self.text[at : start + _EXCERPT]
        after = escaped(rest) + ("…" if start + _EXCERPT < len(self.text) else "")
        width = sum(2 if east_asian_width(character) in "WF" else 1 for character in before)
        return f"    {before}{after}".rstrip(), f"    {' ' * width}^"


def fail(place: Place, message: str, advice: str) -> NoReturn:
    """Raise ConfigurationError for one mistake at `place`."""
    mistake = place.locate(Mistake(place.path, message, advice))
    raise ConfigurationError([mistake], [place.report(message, advice)]) from None
