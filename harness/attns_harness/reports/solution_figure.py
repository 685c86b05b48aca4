"""The figure of one solution: components over time and a phase portrait, beside the reference."""

from typing import Any

import numpy as np

from attns_harness.reports.legend import place_legend
from attns_harness.reports.style import COLOURS, INK, RC, plain
from attns_harness.trajectories import shown_components

_COMPONENTS = 6


def solution_figure(problem: Any, solution: Any, title: str, *, reference: Any = None) -> Any:
    """The first trajectory of a solution.

    Parameters
    ----------
    reference : Reference, optional
        Drawn dashed; it decides the range of the axes, so that what explodes leaves them.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    equation, trusted = problem.equation, None if reference is None else reference.u
    first, *others = shown_components(equation)
    with mpl.rc_context(RC):
        figure: Any = Figure(figsize=(6.4, 2.9), layout="constrained")
        panels = figure.subplots(1, 2 if others else 1, squeeze=False, width_ratios=[2.1, 1] if others else [1])[0]
        time = panels[0]
        for i in range(min(equation.dim, _COMPONENTS)):
            time.plot(
                solution.t, _finite(solution.u[:, i, 0]), color=COLOURS[i], label=plain(equation.component_names[i])
            )
            if trusted is not None:
                time.plot(solution.t, trusted[:, i, 0], **_DASHED)
        time.set_xlabel("t")
        _frame(time.set_ylim, trusted[:, :_COMPONENTS, 0] if trusted is not None else solution.u[:, :_COMPONENTS, 0])
        if others:
            phase, second = panels[1], others[0]
            phase.plot(_finite(solution.u[:, first, 0]), _finite(solution.u[:, second, 0]), color=COLOURS[0])
            if trusted is not None:
                phase.plot(trusted[:, first, 0], trusted[:, second, 0], label="reference", **_DASHED)
            shown = solution.u if trusted is None else trusted
            _frame(phase.set_xlim, shown[:, first, 0])
            _frame(phase.set_ylim, shown[:, second, 0])
            phase.set_xlabel(plain(equation.component_names[first]))
            phase.set_ylabel(plain(equation.component_names[second]))
        figure.suptitle(plain(title), x=0.01, ha="left", fontweight="bold", fontsize="medium")
        place_legend(figure, 2.9)
        return figure


_DASHED: Any = {"color": INK, "linewidth": 0.8, "linestyle": (0, (4, 2)), "zorder": 3}


def _finite(values: Any) -> Any:
    return np.where(np.isfinite(values), values, np.nan)


def _frame(limit: Any, values: Any) -> None:
    known = values[np.isfinite(values)]
    if known.size:
        margin = 0.08 * float(np.ptp(known)) or 0.5
        limit(float(known.min()) - margin, float(known.max()) + margin)
