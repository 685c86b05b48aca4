"""Values and names as text."""

import re
import unicodedata
from dataclasses import dataclass
from typing import final

import numpy as np


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """An interval as one value of a table."""

    low: float
    high: float


def number(value: object) -> str:
    """A value of a table: three digits, nothing for a missing one."""
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, bool | np.bool_):
        return "yes" if value else "no"
    if isinstance(value, float | np.floating):
        return f"{float(f'{value:.3g}'):.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    if isinstance(value, Interval):
        return f"{number(value.low)} to {number(value.high)}"
    return visible(value)


def file_name(text: str) -> str:
    """A safe file name for a label: letters, digits, dot, dash; nothing that is a path."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip(".-")[:80] or "unnamed"


def visible(text: object) -> str:
    """Text without control characters, which XML forbids and which could reorder what people read."""
    return "".join(" " if unicodedata.category(c)[0] == "C" else c for c in str(text))


def wrapped(text: str, width: int) -> str:
    """A label on as many lines of at most ``width`` characters as it needs, broken after spaces and commas."""
    lines = [""]
    for piece in re.findall(r"[^\s,]*[\s,]*", text):
        if lines[-1] and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1]) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return "\n".join(line.rstrip() for line in lines if line.strip())
