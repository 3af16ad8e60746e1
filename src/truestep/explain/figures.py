"""How the numbers and names of a ledger read."""

from __future__ import annotations

import math
import unicodedata


def number(value: float, digits: int = 4) -> str:
    """A number in so many significant digits, with separators of thousands; tiny and huge ones with an exponent."""
    if not math.isfinite(value) or value == 0:
        return f"{value:g}".removeprefix("-" if value == 0 else "")
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    if -4 <= int(power) < 6:
        return f"{value:,.{max(0, digits - 1 - int(power))}f}"
    return f"{mantissa}e{int(power)}"


def short(value: float) -> str:
    """A number as a sentence has it: three digits, without zeros that say nothing."""
    head, exponent, tail = number(value, 3).partition("e")
    return (head.rstrip("0").rstrip(".") if "." in head else head) + exponent + tail


def whole(value: float) -> str:
    """A count: without decimals where it has none."""
    return f"{int(value):,}" if math.isfinite(value) and value == int(value) and abs(value) < 1e15 else number(value)


def percent(share: float) -> str:
    """A share in per cent, with one decimal; what is not zero does not read as zero."""
    value = 100 * share
    if not math.isfinite(value):
        return number(value)
    if value == 0 or abs(value) >= 1e5:
        return f"{number(value)} %"
    return "<0.1 %" if abs(value) < 0.05 else f"{value:,.1f} %"


def about(share: float) -> str:
    """A share in per cent as a sentence has it: whole from ten per cent on, two digits below."""
    value = 100 * share
    return f"{number(value, 2)} %" if abs(value) >= 9.95 else f"{short(float(f'{value:.2g}'))} %"


def shorten(text: str, most: int) -> str:
    """Text that fits into so many columns, its middle left out where it must be, and without what a terminal obeys."""
    text = safe(text)
    if width(text) <= most:
        return text
    start, end = text, text
    while width(start) > most // 2:
        start = start[:-1]
    while width(end) > most - 1 - most // 2:
        end = end[1:]
    return f"{start}…{end}"


def safe(text: str) -> str:
    """Text without the signs that move a terminal's cursor or change its colours."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def width(text: str) -> int:
    """The columns that text has in a terminal: two for a wide letter of East Asia, none for an accent of its own."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)
