"""Formulas of equations: LaTeX for Markdown, and an SVG for readers that render none."""

import io
from collections.abc import Sequence

from attns_core.equation import Equation
from attns_core.tracing import trace

_LONGEST = 8


def formula_rows(equation: Equation) -> tuple[str, ...]:
    """LaTeX rows ``left &= right``: the equation's own formula, or the traced right-hand side.

    Long systems keep their first and last rows.
    """
    rows = equation.latex or trace(equation).latex_rows()
    return rows if len(rows) <= _LONGEST else (*rows[:4], r"&\vdots", *rows[-2:])


def formula_markdown(equation: Equation) -> str:
    """A display formula in the notation that Markdown renderers agree on."""
    rows = " \\\\\n".join(formula_rows(equation))
    return f"$$\n\\begin{{aligned}}\n{rows}\n\\end{{aligned}}\n$$"


def formula_svg(rows: Sequence[str]) -> bytes | None:
    """The rows as an image, aligned at ``&``; None where a row is beyond matplotlib's mathtext.

    Mathtext has no environments, so each row is set on its own: its left part ends and its right part
    begins at the same place.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    height = 0.42
    # Paths, not fonts, so that the image looks the same everywhere; no date, so that it is reproducible.
    with matplotlib.rc_context({"svg.fonttype": "path", "svg.hashsalt": "attns", "mathtext.fontset": "cm"}):
        figure = Figure(figsize=(8.0, height * len(rows)))
        FigureCanvasAgg(figure)
        for i, row in enumerate(rows):
            y = 1.0 - (i + 0.5) / len(rows)
            # Inline fractions are too small to read at this size.
            parts = row.replace(r"\frac", r"\dfrac").partition("&")[::2]
            for part, side in zip(parts, ("right", "left"), strict=True):
                if part.strip():
                    figure.text(0.2, y, f"${part.strip()}$", ha=side, va="center", fontsize=13)
        buffer = io.BytesIO()
        try:
            figure.savefig(
                buffer, format="svg", bbox_inches="tight", pad_inches=0.08, metadata={"Date": None, "Creator": None}
            )
        except ValueError:
            return None
    return buffer.getvalue()
