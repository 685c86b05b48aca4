"""A corrected step's lane loops before and after the corrector's layers: its inputs and values, and its term.

For few components they are straight-line code with every number in a scalar. For many, loops over rows:
the same arithmetic, compiled in a fraction of the time. Where the inputs are the state alone, the layers come
first: step and term are one loop then, whose stages need no place in memory.
"""

from itertools import pairwise

from attns_core.kernels.corrector_form import UNROLLED, CorrectorForm, Layout
from attns_core.kernels.emit import fma_sum
from attns_core.kernels.fixed import StagedLines
from attns_core.kernels.form import Form
from attns_core.kernels.lanes import lane_loop
from attns_core.kernels.order import ordered
from attns_core.kernels.source import Source, Statement
from attns_core.kernels.step import Step

INPUT_LIMIT = {"float64": 1e5, "float32": 1e3}
"""Standardised inputs up to which sine activations are fast; beyond, nothing was trained anyway."""


def scalars(layout: Layout) -> list[str]:
    """Scalars that the lane loops use, from the arrays of one corrector."""
    corrector, n_in = layout.form, len(layout.form.inputs)
    lines = [f"x{v}_{j} = F(dt * mix[{v}, {j}])" for v, row in enumerate(corrector.values) for j in row]
    if layout.dim > UNROLLED:
        return lines
    lines += [f"m{i} = mean[{i}]" for i in range(n_in)] + [f"e{i} = rscale[{i}]" for i in range(n_in)]
    if corrector.bound or corrector.clip:
        for i in range(layout.dim):
            lines += [f"b{i} = limits[0, {i}]", f"l{i} = limits[1, {i}]"]
    if corrector.limited:
        for i in range(n_in):
            lines += [f"g{i}_ = ranges[0, {i}]", f"j{i}_ = ranges[1, {i}]"]
    return lines


def is_after_layers(layout: Layout) -> bool:
    """Whether a whole step can follow the layers, in one loop with the term."""
    corrector = layout.form
    is_short = layout.dim <= UNROLLED or not (corrector.values or corrector.bound or corrector.clip)
    return is_short and all(kind in ("u", "u0_") for kind, _, _ in corrector.inputs)


def standardise_state(out: Source, layout: Layout, form: Form) -> None:
    """Standardised inputs in their rows, where they are the state alone."""
    dim, corrector = layout.dim, layout.form
    if dim > UNROLLED:
        # Inputs come in whole blocks of the state's components.
        for row in range(0, len(corrector.inputs), dim):
            first = 0 if corrector.inputs[row][0] == "u" else layout.initial
            _standardised_rows(out, layout, form, row, dim, f"w[({first} + r) * L + l]")
        return
    with lane_loop(out):
        for row, (kind, _, i) in enumerate(corrector.inputs):
            first = 0 if kind == "u" else layout.initial
            out.lines(_standardised(row, f"w[{first + i} * L + l]", layout, form))


def step_with_term(out: Source, step: Step, layout: Layout, form: Form) -> None:
    """The method's step and the new state ``(u + S) + C`` from the accumulators."""
    dim, corrector, a = layout.dim, layout.form, layout.accumulators
    stages = {(s, i): name for s, row in step.stages.items() for i, name in enumerate(row)}
    lines: list[Statement] = [*(f"u{i} = w[{i} * L + l]" for i in range(dim)), *step.lane]
    for i in range(dim):
        term = f"w[{a + i} * L + l]" if corrector.offset else ""
        for v, mixed in enumerate(corrector.values):
            value = fma_sum([(f"x{v}_{j}", stages.get((j, i), "zero")) for j in mixed]) or "zero"
            weight = f"w[{layout.first_weight + (v if corrector.shared else v * dim + i)} * L + l]"
            lines += [f"v{v}_{i} = {value}", f"C{v}_{i} = {fma_sum([(weight, f'v{v}_{i}')], term)}"]
            term = f"C{v}_{i}"
        lines.append(f"C_{i} = {term}")
        term = f"C_{i}"
        lines += _limits(term, f"b{i}", f"l{i}", layout, form)
        lines.append(f"w[{i} * L + l] = (u{i} + S{i}) + {term}")
    out.lines(step.time)
    with lane_loop(out):
        out.lines(ordered(lines))


def prepare(out: Source, step: Step | StagedLines, layout: Layout, form: Form) -> None:
    """The method's step, then increment, standardised inputs and values in their rows."""
    if isinstance(step, StagedLines):
        step.step(out)
        _rows_of_stages(out, layout, form)
        return
    out.lines(step.time)
    with lane_loop(out):
        out.lines(f"u{i} = w[{i} * L + l]" for i in range(layout.dim))
        out.lines(step.lane)
        names = {(s, i): name for s, row in step.stages.items() for i, name in enumerate(row)}
        out.lines(f"k{s}_{i} = {names.get((s, i), 'zero')}" for s, i in _used_stages(layout))
        _inputs(out, layout, form)
    if layout.dim > UNROLLED:
        _standardised_rows(out, layout, form, 0, len(layout.form.inputs), f"w[({layout.inputs} + r) * L + l]")


def _standardised(row: int, source: str, layout: Layout, form: Form) -> list[str]:
    """An input in its row."""
    lines = [f"z = ({source} - m{row}) * e{row}"]
    if layout.form.limited:
        lines += [f"z = g{row}_ if z < g{row}_ else z", f"z = j{row}_ if z > j{row}_ else z"]
    return [*lines, f"w[{layout.inputs + row} * L + l] = {_guarded(layout.form, form)}"]


def _rows_of_stages(out: Source, layout: Layout, form: Form) -> None:
    """Increment, standardised inputs and values of a staged step, whose stages lie in an array.

    Row by row: rows are whole cache lines apart, and lane by lane they would meet in few places of the cache.
    """
    dim, corrector = layout.dim, layout.form
    with out.block(f"for x in range({dim} * L)"):
        out.line(f"w[{layout.increment} * L + x] = h * y[x]")
    # Stages that the step leaves out stay at the zeros that the array began with.
    places = {"u": ("w", 0), "S": ("w", layout.increment), "u0_": ("w", layout.initial), "k": ("k", 0)}
    rows = [(places[kind][0], places[kind][1] + s * dim + i) for kind, s, i in corrector.inputs]
    # What lies together in memory is one loop.
    firsts = [n for n, (array, at) in enumerate(rows) if n == 0 or rows[n - 1] != (array, at - 1)]
    for first, end in pairwise([*firsts, len(rows)]):
        array, at = rows[first]
        _standardised_rows(out, layout, form, first, end - first, f"{array}[({at} + r) * L + l]")
    for v, stages in enumerate(corrector.values):
        mixed = fma_sum([(f"x{v}_{j}", f"k[{j * dim} * L + x]") for j in stages]) or "zero"
        with out.block(f"for x in range({dim} * L)"):
            out.line(f"w[{layout.values + v * dim} * L + x] = {mixed}")


def _standardised_rows(out: Source, layout: Layout, form: Form, first: int, count: int, source: str) -> None:
    """Inputs ``first`` to ``first + count`` from ``source``, an expression of row ``r`` and lane ``l``."""
    with out.block(f"for r in range({count})"):
        out.lines([f"m = mean[{first} + r]", f"e = rscale[{first} + r]"])
        if layout.form.limited:
            out.lines([f"least = ranges[0, {first} + r]", f"most = ranges[1, {first} + r]"])
        with out.block("for l in range(L)"):
            out.line(f"z = ({source} - m) * e")
            if layout.form.limited:
                out.lines(["z = least if z < least else z", "z = most if z > most else z"])
            out.line(f"w[({layout.inputs + first} + r) * L + l] = {_guarded(layout.form, form)}")


def _used_stages(layout: Layout) -> list[tuple[int, int]]:
    corrector = layout.form
    used = {(s, i) for kind, s, i in corrector.inputs if kind == "k"}
    return sorted(used | {(s, i) for row in corrector.values for s in row for i in range(layout.dim)})


def _guarded(corrector: CorrectorForm, form: Form) -> str:
    """A standardised input; sines of huge numbers are left to the C library: NaN has the block solved again with it."""
    guarded = not form.exact and {"sine", "fsnet"} & {*corrector.activations}
    return "z if abs(z) <= reach else np.nan" if guarded else "z"


def _inputs(out: Source, layout: Layout, form: Form) -> None:
    """Increment, inputs (raw where rows are standardised afterwards) and values from the step's names."""
    dim, corrector = layout.dim, layout.form
    out.lines(f"w[{layout.increment + i} * L + l] = S{i}" for i in range(dim))
    for row, (kind, s, i) in enumerate(corrector.inputs):
        name = f"k{s}_{i}" if kind == "k" else f"{kind}{i}"
        if kind == "u0_":
            name = f"w[{layout.initial + i} * L + l]"
        if dim > UNROLLED:
            out.line(f"w[{layout.inputs + row} * L + l] = {name}")
            continue
        out.lines(_standardised(row, name, layout, form))
    for v, stages in enumerate(corrector.values):
        for i in range(dim):
            mixed = fma_sum([(f"x{v}_{j}", f"k{j}_{i}") for j in stages]) or "zero"
            out.line(f"w[{layout.values + v * dim + i} * L + l] = {mixed}")


def add_term(out: Source, layout: Layout, form: Form) -> None:
    """The new state ``(u + S) + C`` from the accumulators."""
    if layout.dim > UNROLLED:
        with out.block(f"for o in range({layout.dim})"):
            if layout.form.bound or layout.form.clip:
                out.lines(["bound = limits[0, o]", "clip = limits[1, o]"])
            with out.block("for l in range(L)"):
                _component(out, layout, form, " + o", "bound", "clip")
        return
    with out.block("for l in range(L)"):
        for i in range(layout.dim):
            _component(out, layout, form, f" + {i}", f"b{i}", f"l{i}")


def _component(out: Source, layout: Layout, form: Form, i: str, bound: str, clip: str) -> None:
    corrector, dim, a = layout.form, layout.dim, layout.accumulators
    terms = []
    for v in range(len(corrector.values)):
        weight = f"{layout.first_weight + v}" if corrector.shared else f"({layout.first_weight + v * dim}{i})"
        terms.append((f"w[{weight} * L + l]", f"w[({layout.values + v * dim}{i}) * L + l]"))
    out.line(f"C = {fma_sum(terms, f'w[({a}{i}) * L + l]' if corrector.offset else '')}")
    out.lines(_limits("C", bound, clip, layout, form))
    out.line(f"w[(0{i}) * L + l] = (w[(0{i}) * L + l] + w[({layout.increment}{i}) * L + l]) + C")


def _limits(term: str, bound: str, clip: str, layout: Layout, form: Form) -> list[str]:
    """A term bounded and cut."""
    lines = [f"{term} = {bound} * {form.function('tanh')}({term} / {bound})"] if layout.form.bound else []
    if layout.form.clip:
        lines.append(f"{term} = {clip} if {term} > {clip} else {term}")
        lines.append(f"{term} = -{clip} if {term} < -{clip} else {term}")
    return lines
