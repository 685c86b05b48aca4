"""Legends below a figure that fit its width, whatever the names are."""

from typing import Any

from attns_harness.reports.text import wrapped

_WIDTH_PT = 6.4 * 72
_CHARACTER_PT = 4.2
"""Mean width of a character of the legend's font."""
_MARGIN_PT = 38.0
"""Marker, line and distance of an entry."""
_LINE_IN = 0.17
_LONGEST = 90
"""Characters of a line; longer names continue on the next."""


def place_legend(figure: Any, height: float) -> None:
    """Name every curve of the figure once, below it, and make the figure higher by what that takes.

    Parameters
    ----------
    height : float
        Of the figure without a legend, in inches.
    """
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(wrapped(label, _LONGEST), handle)
    if not entries:
        return
    widest = max(len(line) for label in entries for line in label.splitlines())
    columns = max(1, min(4, len(entries), int(_WIDTH_PT / (widest * _CHARACTER_PT + _MARGIN_PT))))
    per_column = -(-len(entries) // columns)
    tall = [1 + label.count("\n") for label in entries]
    lines = max(sum(tall[i : i + per_column]) for i in range(0, len(tall), per_column))
    figure.set_figheight(height + _LINE_IN * lines)
    figure.legend(list(entries.values()), list(entries), loc="outside lower center", ncols=columns, fontsize="small")
