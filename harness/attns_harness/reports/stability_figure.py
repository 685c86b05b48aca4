"""Regions of absolute stability."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from attns_harness.reports.legend import place_legend
from attns_harness.reports.style import RC, Look, plain

GRID = 241
"""Points per axis."""


def stability_figure(
    functions: Mapping[str, Callable[[Any], Any]],
    looks: Mapping[str, Look],
    *,
    extent: tuple[float, float, float] = (-8.0, 2.0, 6.0),
    points: int = GRID,
) -> Any:
    """Contours ``|R(z)| = 1``; ``extent`` is the smallest and largest real part and the largest imaginary part."""
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    low, high, top = extent
    x, y = np.meshgrid(np.linspace(low, high, points), np.linspace(-top, top, points))
    with mpl.rc_context(RC):
        figure = Figure(figsize=(6.4, 4.2), layout="constrained")
        axes = figure.add_subplot()
        for name, function in functions.items():
            with np.errstate(all="ignore"):
                size = np.nan_to_num(np.abs(function(x + 1j * y)), nan=np.inf, posinf=1e30)
            look = looks[name]
            axes.contour(x, y, size, levels=[1.0], colors=[look.colour], linestyles=["--" if look.dashed else "-"])
            axes.add_line(Line2D([], [], color=look.colour, linestyle="--" if look.dashed else "-", label=plain(name)))
        axes.set_aspect("equal")
        axes.set_xlabel("real part")
        axes.set_ylabel("imaginary part")
        place_legend(figure, 4.2)
        return figure
