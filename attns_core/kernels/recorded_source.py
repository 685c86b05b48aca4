"""Source text of one-trajectory functions from a record, for right-hand sides with long sums.

As :mod:`attns_core.kernels.scalar_source` makes from symbolic programs, with sums of many equal terms as loops:
written out, hundreds of terms compile for a minute.
"""

from collections.abc import Sequence

from attns_core.kernels.derivatives import differentiate
from attns_core.kernels.emit import Constants, Emitter, number_text
from attns_core.kernels.graph import TIME, Graph
from attns_core.kernels.source import Source
from attns_core.kernels.sums import sum_loops


def has_long_sums(graph: Graph) -> bool:
    """Whether the right-hand side has sums that become loops."""
    return bool(sum_loops(graph, graph.outputs, TIME))


def rhs_targets(graph: Graph, out: str) -> dict[str, int]:
    """``out[0], out[1], ...`` for the nodes of the derivatives."""
    return {f"{out}[{i}]": node for i, node in enumerate(graph.outputs)}


def jacobian_nodes(graph: Graph) -> dict[tuple[int, int], int]:
    """The nodes of ``d rhs_i / d u_j`` that are not zero; the record gains them."""
    return differentiate(graph).jacobian


def function_source(graph: Graph, name: str, arguments: str, targets: dict[str, int], zeros: Sequence[str] = ()) -> str:
    """Text of a module that defines ``name(arguments)``, which writes ``targets``, and zero to ``zeros``.

    Among the arguments are ``t``, ``u`` and ``p``, the parameters.
    """
    emitter = Emitter(graph, lambda function: f"math.{function}")
    lines, results = emitter.lane_lines(
        list(targets.values()), [f"u{i}" for i in range(len(graph.outputs))], "x", time="t"
    )
    out = Source()
    out.lines(["import math", "", "import numba", "import numpy as np", ""])
    out.lines(["from attns_core.kernels.elementary import fma", "", "F = np.float64"])
    out.place_definitions()
    out.lines(["", ""])
    out.line('@numba.njit(error_model="numpy")')
    with out.block(f"def {name}({arguments})"):
        _parameters(out, emitter.constants)
        emitter.constants.write(out)
        out.lines(f"u{i} = u[{i}]" for i in range(len(graph.outputs)))
        out.lines(lines)
        out.lines(f"{target} = {result}" for target, result in zip(targets, results, strict=True))
        out.lines(f"{target} = 0.0" for target in zeros)
    return out.text()


def _parameters(out: Source, constants: Constants) -> None:
    """Fill ``c`` from ``p``: stretches of parameters at equal distances in loops, what is computed line by line."""
    graph, nodes = constants.graph, constants.parameters
    out.line(f"c = np.empty({len(nodes)})")
    where = [graph.ops[node][1][0] if graph.ops[node][0] == "p" else None for node in nodes]
    known: dict[int, str] = {}
    i = 0
    while i < len(nodes):
        first = where[i]
        if first is None:
            out.line(f"c[{i}] = {_value(out, graph, nodes[i], known)}")
            i += 1
            continue
        stride = (where[i + 1] or 0) - first if i + 1 < len(nodes) and where[i + 1] is not None else 0
        n = 1
        while i + n < len(nodes) and where[i + n] == first + n * stride:
            n += 1
        with out.block(f"for term in range({n})"):
            out.line(f"c[{i} + term] = p[{first} + term * {stride}]")
        i += n


def _value(out: Source, graph: Graph, root: int, known: dict[int, str]) -> str:
    """The name of a value that depends on parameters alone, computed where it has not been."""
    emitter = Emitter(graph, lambda function: f"math.{function}", rolls=False)
    for node in graph.needed([root]):
        name, args = graph.ops[node]
        if node in known:
            continue
        if name == "p":
            known[node] = f"p[{args[0]}]"
        elif name == "const":
            known[node] = number_text(args[0])
        else:
            known[node] = f"p{node}_"
            out.line(f"{known[node]} = {emitter.apply(name, [known[a] for a in graph.arguments(node)], lane=False)}")
    return known[root]
