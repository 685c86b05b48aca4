"""The last hidden layer of a corrector for a whole batch, as a kernel of its own.

For callers that make the rest of a step by other means. What the layer reads and writes are rows of any
number of lanes; they pass through a small work array in blocks.
"""

from attns_core.kernels.corrector_lanes import INPUT_LIMIT
from attns_core.kernels.corrector_layers import define_layer
from attns_core.kernels.form import Form, begin, entry
from attns_core.kernels.source import Source


def batch_layer(*, n_in: int, n_out: int, linear: bool, activation: str, form: Form) -> str:
    """Source of ``solve(x, out, first, last, constant, linear, weights, heads, shape)``.

    It leaves ``constant + linear.T @ x + heads.T @ activation(weights @ (x, 1))`` in ``out``, for the lanes from
    ``first`` up to ``last``. A lane's result depends neither on the others nor on where it stands in the batch.

    Parameters
    ----------
    n_in, n_out : int
        Rows of ``x`` and of ``out``.
    linear : bool
        Whether there is a linear part; its array has no rows otherwise.
    activation : str
        One of ``vector_arithmetic.ACTIVATIONS``. For the sine, weights come divided by pi.
    form : Form
        Precision, lanes of a block and width of vectors.
    """
    out = begin(form)
    out.lines(["from attns_core.kernels.tiled_layer import tiled_layer", "", ""])
    define_layer(out, n_in=n_in, n_out=n_out, n_linear=n_in if linear else 0, activation=activation, form=form)
    with entry(out, form, "x, out, first, last, constant, linear, weights, heads, shape"):
        out.line(f"w = empty_rows({n_in + n_out} * L, F)")
        with out.block("for start in range(first, last, L)"):
            out.line("count = min(L, last - start)")
            with out.block(f"for i in range({n_in})"):
                out.lines(["own = w[i * L : (i + 1) * L]", "row = x[i, start : start + count]"])
                with out.block("for l in range(count)"):
                    out.line("own[l] = row[l]")
                with out.block("for l in range(count, L)"):
                    out.line("own[l] = row[count - 1]")
            out.line(f"hidden(w, 0, {n_in}, w, 0, constant, linear, weights, heads, shape)")
            if activation == "sine":
                _far_lanes(out, n_in, n_out, linear, form)
            with out.block(f"for o in range({n_out})"):
                out.lines([f"own = w[({n_in} + o) * L : ({n_in + 1} + o) * L]", "row = out[o, start : start + count]"])
                with out.block("for l in range(count)"):
                    out.line("row[l] = own[l]")
    return out.text()


def _far_lanes(out: Source, n_in: int, n_out: int, linear: bool, form: Form) -> None:
    """Sines of huge numbers are left to the C library: those lanes again."""
    with out.block("for l in range(count)"):
        out.line("most = F(0)")
        with out.block(f"for i in range({n_in})"):
            out.line("most = max(most, abs(w[i * L + l]))")
        with out.block(f"if most > F({INPUT_LIMIT[form.dtype]!r})"):
            with out.block(f"for o in range({n_out})"):
                out.line(f"w[({n_in} + o) * L + l] = constant[o]")
                if linear:
                    with out.block(f"for i in range({n_in})"):
                        out.line(f"w[({n_in} + o) * L + l] += linear[i, o] * w[i * L + l]")
            with out.block("for r in range(weights.shape[0])"):
                out.line(f"z = weights[r, {n_in}]")
                with out.block(f"for i in range({n_in})"):
                    out.line("z += weights[r, i] * w[i * L + l]")
                out.line("unit = F(math.sin(math.pi * z))")
                with out.block(f"for o in range({n_out})"):
                    out.line(f"w[({n_in} + o) * L + l] += heads[r, o] * unit")
