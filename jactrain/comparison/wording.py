"""Numbers as the comparison's sentences and tables show them."""

from __future__ import annotations


def digits(value: float, count: int) -> str:
    """Return a positive number to `count` significant digits, written out: `3.8`, `420`, `12,000`."""
    return f"{float(f'{value:.{count - 1}e}'):,.10g}"


def multiply_adds(count: int) -> str:
    """Return a count of multiply-adds: `3,920`, and to three digits from ten thousand on: `1.31e9`."""
    if count < 10_000:
        return f"{count:,}"
    mantissa, _, power = f"{count:.2e}".partition("e")
    return f"{float(mantissa):g}e{int(power)}"
