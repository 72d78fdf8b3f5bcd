"""Numbers, times and verdicts as they are printed, and tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_UNITS = (("µs", 1e6, 1e-3), ("ms", 1e3, 1.0), ("s", 1.0, float("inf")))  # up to so many seconds


def number(value: float) -> str:
    """Return three digits, without an exponent where that can be read."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-3 else f"{value:.1e}"


def time(seconds: Mapping[str, float]) -> str:
    """Return a median with its quartiles, in a unit that suits it: `61.2 µs (60.1 to 63)`."""
    unit, scale = next((unit, scale) for unit, scale, most in _UNITS if seconds["median"] < most)
    median, lower, upper = (number(seconds[key] * scale) for key in ("median", "lower", "upper"))
    return f"{median} {unit} ({lower} to {upper})"


def ratio(seen: Mapping[str, float]) -> str:
    """Return the median of a ratio with its quartiles."""
    return f"{number(seen['median'])} ({number(seen['lower'])} to {number(seen['upper'])})"


def exponent(seen: Mapping[str, float]) -> str:
    """Return the median of an exponent with its quartiles."""
    return f"{seen['median']:.2f} ({seen['lower']:.2f} to {seen['upper']:.2f})"


def verdict(met: bool | None, before: str = "") -> str:
    """Return whether a figure is met, behind `before`; nothing for one that is not asked for."""
    return "" if met is None else before + ("met" if met else "**not met**")


def figure(found: Mapping[str, Any]) -> str:
    """Return one figure: asked for, and seen."""
    wanted = "" if found["asked"] is None else f", asked {number(found['asked'])}"
    return f"{found['name']}: {number(found['seen']['median'])}{wanted}{verdict(found['ok'], ', ')}"


def growth(row: Mapping[str, Any]) -> str:
    """Return the exponents of one growth."""
    return (
        f"growth, {row['mode']} along {row['along']}: exponent {row['measured']['median']:.2f}, "
        f"theory {row['theory']:g}, its own prediction {row['predicted']:.2f}{verdict(row['ok'], ', ')}"
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
