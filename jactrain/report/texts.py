"""Texts and numbers as a page shows them: nothing in them can break XML, a terminal or a label."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

# Control characters (ANSI escapes begin with one), halves of characters, what no XML may hold, and marks that
# turn the direction of the text behind them; a tab and a line feed may stay.
_UNFIT = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_REPLACEMENT = "\ufffd"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_PREFIXES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
_MISSING = "–"
_PLAIN_COUNT = 1_000_000  # from here on a count is shown to three digits
_LONGEST = 26  # characters of one line of a label in a drawing
_LONGEST_IN_SENTENCE = 60
_MOST_LINES = 3  # of a label
SETTINGS_APART = " · "  # what stands between the settings of a label


def clean(text: str) -> str:
    """Return `text` with U+FFFD for every character that XML or a terminal must not be given."""
    return _UNFIT.sub(_REPLACEMENT, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Return `text` cleaned, on one line."""
    return " ".join(clean(text).split())


def shortened(text: str, most: int = _LONGEST) -> str:
    """Return `text` on one line of at most `most` characters, its middle left out where it is longer."""
    line = one_line(text)
    if len(line) <= most:
        return line
    end = (most - 1) // 2
    return f"{line[: most - 1 - end]}…{line[-end:]}"


def called(name: str) -> str:
    """Return a name as a sentence has it: on one line, and not so long that the sentence gets lost."""
    return shortened(name, _LONGEST_IN_SENTENCE)


def labels(names: Sequence[str], most: int = _LONGEST, wrapped: bool = True) -> list[str]:
    """Return a short label for each of `names`, no two the same.

    `wrapped` puts options on a second line, and breaks what lists several settings between them.
    """
    found: list[str] = []
    for name in names:
        line = one_line(name)
        head, bracket, options = line.partition("(")
        parts = line.split(SETTINGS_APART)
        if wrapped and len(line) > most and len(parts) > 1:
            label = _filled(parts, most)
        elif wrapped and len(line) > most // 2 and head and bracket:
            label = f"{shortened(head, most)}\n{shortened(bracket + options, most)}"
        else:
            label = shortened(line, most) or "(no name)"
        same = sum(other == label or other.startswith(f"{label} #") for other in found)
        found.append(f"{label} #{same + 1}" if same else label)
    return found


def _filled(parts: Sequence[str], most: int) -> str:
    """Return settings on at most three lines, broken between them or before `(`."""
    pieces: list[tuple[str, str]] = []  # what stands before a piece on its line, and the piece
    for number, part in enumerate(parts, 1):
        text = part if number == len(parts) else f"{part}{SETTINGS_APART.rstrip()}"
        head, bracket, options = text.partition("(")
        if len(text) > most and head and bracket:
            pieces += [(" ", head), ("", bracket + options)]
        else:
            pieces.append((" ", text))
    lines = [""]
    for gap, text in pieces:
        longer = f"{lines[-1]}{gap}{text}" if lines[-1] else text
        if len(longer) <= most or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(text)
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], " ".join(lines[_MOST_LINES - 1 :])]
    return "\n".join(shortened(line, most) for line in lines)


def listing(texts: Iterable[str], most: int = 6) -> str:
    """Return `texts` as a sentence lists them: `a, b and c`, those over `most` counted."""
    items = list(texts)
    if len(items) > most:
        items = [*items[:most], f"{len(items) - most:,} more"]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def counted(number: int, noun: str) -> str:
    """Return `number` with `noun`, in the plural unless it is one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def seconds(value: float) -> str:
    """Return a time to three digits, in the unit that suits it: `1.23 ms`."""
    size, unit = next(
        ((size, unit) for size, unit in _PREFIXES if abs(value) >= 0.9995 * size), _PREFIXES[-1]
    )
    return "0 s" if value == 0 else f"{plain(value / size, 3)} {unit}"


def plain(value: float, digits: int = 4) -> str:
    """Return `value` to so many digits, with `×10ⁿ` where it is very large or small."""
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    if "e" not in text:
        return text if abs(value) < 1000 else f"{float(text):,.0f}"
    if 1 <= abs(value) < _PLAIN_COUNT:
        return f"{float(text):,.0f}"
    mantissa, _, exponent = text.partition("e")
    power = f"10{superscript(int(exponent))}"
    return mantissa.replace("1", power) if mantissa in ("1", "-1") else f"{mantissa}×{power}"


def superscript(number: int) -> str:
    """Return a whole number as a superscript."""
    return str(number).translate(_SUPERSCRIPTS)


def shown(value: float | None, unit: str = "") -> str:
    """Return a number as tables and captions show it, in its unit, `–` for none.

    unit: `s` and `B` choose their own prefix; `%` is of a fraction; `×` a factor; `count` a whole number;
    `error`, `cosine` and `exact` have their own digits; anything else has four.
    """
    if value is None or not math.isfinite(value):
        return _MISSING
    if unit == "s":
        return seconds(value)
    if unit == "B":
        return _size(value)
    if unit == "%":
        return f"{100 * value:.2f} %" if abs(value) < _PLAIN_COUNT else plain(value)
    if unit == "×":
        return f"{plain(value, 3)} ×"
    if unit == "count":
        return f"{value:,.0f}" if abs(value) < _PLAIN_COUNT else plain(value, 3)
    if unit == "error":
        return plain(value, 3) if value == 0 or abs(value) >= 0.1 else f"{value:.1e}"
    if unit == "exact":
        return f"{value:.9g}"
    if unit == "cosine":
        return f"{value:.9f}" if abs(value) > 0.999 else f"{value:.4f}"
    return plain(value)


def _size(value: float) -> str:
    from jactrain.modes.memory import rounded  # NumPy and every mode come with it

    return rounded(round(value))
