"""A picture of one solution of an equation, for its page."""

import io
from itertools import count
from typing import Any

import numpy as np

from attns_core.equation import Equation
from attns_core.maths import numpy_maths
from attns_harness.reports.style import COLOURS, RC

_CURVES = 6
_MOST_EVALUATIONS = 50_000


def solution_svg(equation: Equation, *, seed: int = 0) -> bytes | None:
    """Components of one sampled trajectory against time, and the first two against each other.

    Grid equations are drawn over time and place instead. None where the trajectory cannot be solved.
    """
    solved = _solve(equation, seed)
    if solved is None:
        return None
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**RC, "svg.fonttype": "path", "axes.grid": False}):
        figure = Figure(figsize=(7.2, 2.4), layout="constrained")
        if "grid" in equation.tags:
            _carpet(figure, *solved)
        else:
            _curves(figure, equation, *solved)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _solve(equation: Equation, seed: int) -> tuple[Any, Any] | None:
    from scipy.integrate import solve_ivp

    p, m = equation.p, numpy_maths()
    evaluations = count()

    def f(t: float, u: Any) -> Any:
        if next(evaluations) > _MOST_EVALUATIONS:
            raise _TooLongError
        return np.array(equation.rhs(t, u, p, m), dtype=float)

    try:
        with np.errstate(all="ignore"):
            found = solve_ivp(
                f,
                (equation.t0, equation.t_end),
                equation.initial_states(seed, 1)[:, 0],
                # Switches between stiff and non-stiff formulas by itself, so that any equation can be drawn.
                method="LSODA",
                t_eval=np.linspace(equation.t0, equation.t_end, 500),
                rtol=1e-6,
                atol=1e-9,
            )
    except _TooLongError:
        return None
    return (found.t, found.y) if found.success and np.all(np.isfinite(found.y)) else None


class _TooLongError(Exception):
    """A solution that blows up, or a picture not worth its time."""


def _curves(figure: Any, equation: Equation, t: Any, u: Any) -> None:
    two = equation.dim >= 2
    axes = figure.subplots(1, 2, width_ratios=[2.2, 1]) if two else [figure.subplots()]
    for i in range(min(equation.dim, _CURVES)):
        axes[0].plot(t, u[i], color=COLOURS[i], label=equation.component_names[i].replace("$", r"\$"))
    if np.all(u > 0) and u.max() > 1e3 * u.min():
        axes[0].set_yscale("log")
    axes[0].set_xlabel("t")
    axes[0].legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    if two:
        axes[1].plot(u[0], u[1], color=COLOURS[0], linewidth=0.9)
        axes[1].set_xlabel(equation.component_names[0].replace("$", r"\$"))
        axes[1].set_ylabel(equation.component_names[1].replace("$", r"\$"))


def _carpet(figure: Any, t: Any, u: Any) -> None:
    axes = figure.subplots()
    largest = np.abs(u).max()
    image = axes.imshow(
        u, aspect="auto", origin="lower", extent=(t[0], t[-1], 0.5, len(u) + 0.5),
        cmap="RdBu_r", vmin=-largest, vmax=largest, interpolation="nearest",
    )  # fmt: skip
    axes.set_xlabel("t")
    axes.set_ylabel("component")
    figure.colorbar(image)
