"""How solutions show themselves in a notebook."""

from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from attns_core.solution import Solution

_CURVES = 6


def solution_html(solution: "Solution") -> str:
    """Counters, what became of the ensemble, and the first trajectory over time, as one piece of HTML."""
    finite = int(solution.finite.sum())
    facts = {
        "trajectories": f"{solution.u.shape[2]}, {finite} finite to the end",
        "components": str(solution.u.shape[1]),
        "saved times": f"{solution.t.size}, from {solution.t[0]:g} to {solution.t[-1]:g}",
        "steps": _counted(solution.n_steps),
        "right-hand sides": _counted(solution.nfe),
        "corrector evaluations": _counted(solution.n_corrector),
        "remark": solution.message,
    }
    rows = "".join(
        f'<tr><th scope="row" style="text-align:left">{escape(k)}</th><td style="text-align:left">{escape(v)}</td></tr>'
        for k, v in facts.items()
        if v
    )
    return f"<table>{rows}</table>{_curves(solution)}"


def _counted(counts: Sequence[int]) -> str:
    mean = float(np.mean(counts))
    return f"{mean:g} per trajectory" if mean > 0 else ""


def _curves(solution: "Solution") -> str:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "attns"}):
        figure: Any = Figure(figsize=(6, 2.2), layout="constrained")
        axes = figure.add_subplot()
        shown = solution.u[:, :_CURVES, 0].astype(float)
        for i in range(shown.shape[1]):
            axes.plot(solution.t, np.where(np.isfinite(shown[:, i]), shown[:, i], np.nan), linewidth=1, label=f"u[{i}]")
        axes.set_xlabel("t")
        axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        buffer = BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    svg = buffer.getvalue().decode()
    return svg[svg.index("<svg") :]
