"""Increments over steps in many sub-steps, summed apart from the state: what training data are made of."""

from attns_core.kernels.fixed import StagedLines, block_of_lanes
from attns_core.kernels.form import Form, Generated, begin, entry
from attns_core.kernels.graph import Graph
from attns_core.kernels.lanes import written
from attns_core.kernels.source import Source


def increments(graph: Graph, form: Form) -> Generated:
    """``solve(initial, states, changes, begins, substeps, dt, c, first, last, starts, slots, weights, times, after)``.

    A step from each of the times ``begins``, in ``substeps`` sub-steps of length ``dt``: ``states[i]``
    (dim, n) are the states before step ``i``, ``changes[i]`` what it adds. The change grows from zero in
    an array of its own and is added to the state once, so that it carries round-off of its own size.
    The last arguments are an explicit tableau (:func:`attns_core.kernels.fixed.staged_coefficients`).
    """
    stages = StagedLines(graph, form)
    dim = stages.dim
    out = begin(form)
    arguments = f"initial, states, changes, begins, substeps, dt, c, first, last, {stages.arguments}"
    with entry(out, form, arguments):
        out.line("n = initial.shape[1]")
        stages.prologue(out, form)
        out.line(f"state = empty_rows({dim} * L, F)")
        out.line(f"change = empty_rows({dim} * L, F)")
        with written(out):
            stages.emitter.constants.write(out)
            _blocks(out, stages)
    return Generated(out.text(), tuple(stages.emitter.constants.parameters))


def _blocks(out: Source, stages: StagedLines) -> None:
    dim = stages.dim
    with out.block("for block in range(first, last)"):
        block_of_lanes(out, "state", dim)
        with out.block("for i in range(begins.size)"):
            with out.block(f"for x in range({dim} * L)"):
                out.line("change[x] = 0")
            with out.block("for j in range(substeps)"):
                out.line("t = begins[i] + j * dt")
                with out.block(f"for x in range({dim} * L)"):
                    out.line("w[x] = state[x] + change[x]")
                stages.step(out)
                with out.block(f"for x in range({dim} * L)"):
                    out.line("change[x] = change[x] + h * y[x]")
            with out.block(f"for d in range({dim})"), out.block("for l in range(width)"):
                out.line("states[i, d, begin + l] = state[d * L + l]")
                out.line("changes[i, d, begin + l] = change[d * L + l]")
            with out.block(f"for x in range({dim} * L)"):
                out.line("state[x] = state[x] + change[x]")
