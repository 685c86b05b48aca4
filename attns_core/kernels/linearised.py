"""Right-hand sides and their Jacobians at many states: what Gauss-Newton steps on a solver's own weights need."""

from attns_core.kernels.derivatives import Derivatives
from attns_core.kernels.emit import Emitter
from attns_core.kernels.fixed import block_of_lanes
from attns_core.kernels.form import Form, Generated, begin, entry
from attns_core.kernels.graph import Graph
from attns_core.kernels.lanes import lane_loop, written


def linearised(graph: Graph, derivatives: Derivatives | None, form: Form) -> Generated:
    """``solve(initial, times, values, c, first, last)``: a state of ``initial`` (dim, n) at its time.

    Into ``values[i]`` (n,) goes the derivative of component ``i``, into ``values[dim + i * dim + j]`` its derivative by
    component ``j`` where that is not zero; without ``derivatives`` only the former.
    """
    dim = len(graph.outputs)
    targets = dict(enumerate(graph.outputs))
    if derivatives is not None:
        targets |= {dim + i * dim + j: node for (i, j), node in sorted(derivatives.jacobian.items())}
    emitter = Emitter(graph, form.function)
    lane, results = emitter.lane_lines(list(targets.values()), [f"u{i}" for i in range(dim)], "s", time="t")
    out = begin(form)
    with entry(out, form, "initial, times, values, c, first, last"):
        out.line("n = initial.shape[1]")
        out.line(f"w = empty_rows({dim} * L, F)")
        out.line("ts = empty_rows(L, F)")
        out.line(f"y = empty_rows({len(targets)} * L, F)")
        with written(out):
            emitter.constants.write(out)
            with out.block("for block in range(first, last)"):
                block_of_lanes(out, "w", dim)
                with out.block("for l in range(L)"):
                    out.line("ts[l] = times[begin + (l if l < width else width - 1)]")
                with lane_loop(out):
                    if graph.uses_time:
                        out.line("t = ts[l]")
                    out.lines(f"u{i} = w[{i} * L + l]" for i in range(dim))
                    out.lines(lane)
                    out.lines(f"y[{row} * L + l] = {result}" for row, result in enumerate(results))
                for row, target in enumerate(targets):
                    with out.block("for l in range(width)"):
                        out.line(f"values[{target}, begin + l] = y[{row} * L + l]")
    return Generated(out.text(), tuple(emitter.constants.parameters))
