"""One look for every figure: colour-blind-safe, the same colour and marker for a solver everywhere.

Colours are those of M. Okabe and K. Ito, "Color Universal Design" (2008), the yellow darkened to be
read on white.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, final

from attns_harness.reports.text import visible

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#8C7A00")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p")

INK, SOFT, GRID, PAPER = "#1b1f23", "#57606a", "#dddddd", "#ffffff"
"""Text and axes, remarks, grid lines, background: a page in dark mode gives these its own colours."""

RC: Any = {
    "font.size": 9.0,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.titlesize": 9.5,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 5.0,
    "figure.dpi": 110,
    "svg.fonttype": "none",
    "svg.hashsalt": "attns",
    "pdf.fonttype": 42,
    "text.usetex": False,
}


def tick(value: float) -> str:
    """A tick of a logarithmic axis: plain near 1, a power of ten elsewhere."""
    if 0.01 <= value < 10000:
        return f"{value:g}"
    mantissa, _, exponent = f"{value:.0e}".partition("e")
    power = f"10{str(int(exponent)).translate(_RAISED)}"
    return power if mantissa == "1" else f"{mantissa}·{power}"


def plain_ticks(axis: Any) -> None:
    """Labels of a linear axis without a power of ten of their own at its end, where titles are."""
    from matplotlib.ticker import FuncFormatter

    def label(value: float, _: object) -> str:
        low, high = axis.get_view_interval()
        if abs(value) < 1e-6 * abs(high - low):
            return "0"
        mantissa, _, exponent = f"{value:.6g}".replace("-", "\u2212", int(value < 0)).partition("e")
        if not exponent:
            return mantissa
        power = f"10{str(int(exponent)).translate(_RAISED)}"
        return {"1": power, "\u22121": f"\u2212{power}"}.get(mantissa, f"{mantissa}\u00b7{power}")

    axis.set_major_formatter(FuncFormatter(label))


_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def plain(text: object) -> str:
    """Text for matplotlib in which a dollar sign is only that."""
    return visible(text).replace("$", r"\$")


@final
@dataclass(frozen=True, slots=True)
class Look:
    """How a series is drawn: learned solvers have a dashed line and an open marker."""

    colour: str
    marker: str
    dashed: bool


def looks(series: Iterable[str], learned: Iterable[str] = ()) -> dict[str, Look]:
    """A look for every series, decided by its name, so that it is the same in every figure and report.

    Two names that would share a look within one report are told apart by moving the later name (in
    alphabetical order) to the next free one.
    """
    learned = set(learned)
    taken: set[tuple[int, int]] = set()
    result: dict[str, Look] = {}
    for name in sorted(set(series)):
        colour, marker = _free(zlib.crc32(name.encode()) % len(COLOURS), taken)
        taken.add((colour, marker))
        shape = MARKERS[(colour + marker * 5) % len(MARKERS)]
        result[name] = Look(COLOURS[colour], shape, name in learned)
    return result


def _free(preferred: int, taken: set[tuple[int, int]]) -> tuple[int, int]:
    for marker in range(len(MARKERS)):
        for shift in range(len(COLOURS)):
            colour = (preferred + shift) % len(COLOURS)
            if (colour, marker) not in taken:
                return colour, marker
    # More series than looks: no figure of them could be read anyway.
    return preferred, 0
