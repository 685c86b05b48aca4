r"""Corrected fixed steps: ``u1 = (u + S) + C`` with the correctors' one formula.

The form of a corrector decides the code; its numbers travel in arrays, so that neither retraining nor
another width compiles anything. After the method's step, a block's lanes hold the standardised
inputs, the values (mixed stages) and accumulators, which the corrector's layers fill.
"""

from attns_core.kernels.corrector_arrays import ARGUMENTS, EACH
from attns_core.kernels.corrector_form import CorrectorForm, Layout
from attns_core.kernels.corrector_layers import evaluate, functions
from attns_core.kernels.emit import fma_sum
from attns_core.kernels.fixed import StagedLines, load, store
from attns_core.kernels.form import Form, Generated, begin, each_step, entry
from attns_core.kernels.lanes import lane_loop
from attns_core.kernels.source import Source
from attns_core.kernels.step import Step

INPUT_LIMIT = {"float64": 1e5, "float32": 1e3}
"""Standardised inputs up to which sine activations are fast; beyond, nothing was trained anyway."""


def corrected(step: Step | StagedLines, corrector: CorrectorForm, form: Form) -> Generated:
    """``solve(initial, out, t_save, counts, dt, c, first, last, [tableau,] corrector arrays)``.

    With varying steps the correctors form a sequence: each array in ``EACH`` and each layer has a leading
    axis, over which the steps cycle.
    """
    dim = step.dim
    layout = Layout(dim, corrector)
    out = begin(form, also=("wave64",))
    out.lines(["from attns_core.kernels.unit_layer import unit_layer", "", ""])
    functions(out, corrector, layout, form)
    tableau = f"{step.arguments}, " if isinstance(step, StagedLines) else ""
    arguments = _stacked() if form.varying else ARGUMENTS
    with entry(out, form, f"initial, out, t_save, counts, {form.steps}, c, first, last, {tableau}{arguments}"):
        out.line("n = initial.shape[1]")
        out.lines(step.emitter.constants.prologue())
        scaled: list[str] = []
        if isinstance(step, StagedLines):
            step.prologue(out, form)
            scaled += step.scaled
        elif form.varying:
            scaled += step.prologue
        else:
            out.lines(step.prologue)
        out.line(f"w = np.empty({layout.rows} * L, dtype=F)")
        _workspace(out, corrector, layout, form)
        numbers = _numbers(corrector, layout)
        if form.varying:
            scaled += _of_step(corrector) + numbers
        else:
            out.lines(numbers)
        with out.block("for block in range(first, last)"):
            load(out, dim)
            if form.varying:
                out.line("step = 0")
            if corrector.from_start:
                with out.block(f"for x in range({dim} * L)"):
                    out.line(f"w[{layout.initial} * L + x] = w[x]")
            with out.block("for i in range(counts.size)"):
                with each_step(out, form, scaled):
                    if isinstance(step, StagedLines):
                        step.step(out)
                        with out.block("for l in range(L)"):
                            _gather_staged(out, layout)
                            _inputs(out, layout, form)
                    else:
                        out.lines(step.time)
                        with lane_loop(out):
                            out.lines(f"u{i} = w[{i} * L + l]" for i in range(dim))
                            out.lines(step.lane)
                            names = {(s, i): name for s, row in step.stages.items() for i, name in enumerate(row)}
                            used = {(s, i) for kind, s, i in corrector.inputs if kind == "k"}
                            used |= {(s, i) for row in corrector.values for s in row for i in range(dim)}
                            out.lines(f"k{s}_{i} = {names.get((s, i), 'zero')}" for s, i in sorted(used))
                            _inputs(out, layout, form)
                    evaluate(out, corrector, layout, form)
                    with out.block("for l in range(L)"):
                        _apply(out, corrector, layout, form)
                store(out, dim, "i + 1")
    return Generated(out.text(), tuple(step.emitter.constants.parameters))


def _stacked() -> str:
    """The arguments of a sequence of correctors: plural names for what has a leading axis."""
    return ", ".join(f"{name}_each" if name in (*EACH, "layers", "shapes") else name for name in ARGUMENTS.split(", "))


def _of_step(corrector: CorrectorForm) -> list[str]:
    """The numbers of the present step's corrector under their usual names."""
    lines = ["mine = step % mean_each.shape[0]", *(f"{name} = {name}_each[mine]" for name in EACH)]
    for i in range(len(corrector.activations)):
        lines += [f"layer{i} = layers_each[{i}][mine]", f"shape{i} = shapes_each[{i}][mine]"]
    return lines


def _numbers(corrector: CorrectorForm, layout: Layout) -> list[str]:
    """Scalars that the lane loops use, from the arrays of one corrector."""
    n_in = len(corrector.inputs)
    lines = [f"m{i} = mean[{i}]" for i in range(n_in)] + [f"e{i} = rscale[{i}]" for i in range(n_in)]
    lines += [f"x{v}_{j} = F(dt * mix[{v}, {j}])" for v, row in enumerate(corrector.values) for j in row]
    if corrector.bound or corrector.clip:
        for i in range(layout.dim):
            lines += [f"b{i} = limits[0, {i}]", f"l{i} = limits[1, {i}]"]
    if corrector.limited:
        for i in range(n_in):
            lines += [f"g{i}_ = ranges[0, {i}]", f"j{i}_ = ranges[1, {i}]"]
    for i in range(_products(corrector, layout)):
        lines.append(f"weight{i}[:, :] = layer{i}[:, :-1]")
    if corrector.activations and not corrector.is_fused(layout.dim):
        lines.append("headst[:, :] = heads.T")
    return lines


def _products(corrector: CorrectorForm, layout: Layout) -> int:
    """Hidden layers that are matrix products."""
    return max(0, len(corrector.activations) - (1 if corrector.is_fused(layout.dim) else 0))


def _workspace(out: Source, corrector: CorrectorForm, layout: Layout, form: Form) -> None:
    """Constants and arrays of a call."""
    out.line("zero = F(0)")
    out.line("one = F(1)")
    out.line("quintic3 = F(-1 / 6)")
    out.line("quintic5 = F(1 / 120)")
    out.line("two_hundred = F(200)")
    out.line(f"reach = F({INPUT_LIMIT[form.dtype]!r})")
    fused, heads = corrector.is_fused(layout.dim), "heads"
    if form.varying:
        heads = "heads_each[0]"
    else:
        for i in range(len(corrector.activations)):
            # (width, inputs + 1): the last column is the bias.
            out.line(f"layer{i} = layers[{i}]")
            out.line(f"shape{i} = shapes[{i}]")
    for i in range(_products(corrector, layout)):
        layer = f"layers_each[{i}][0]" if form.varying else f"layer{i}"
        out.line(f"weight{i} = np.empty(({layer}.shape[0], {layer}.shape[1] - 1), dtype=F)")
        out.line(f"g{i} = np.empty(({layer}.shape[0], L), dtype=F)")
    if fused and len(corrector.activations) > 1:
        out.line(f"xs = np.empty({corrector.last_inputs} * L, dtype=F)")
    if corrector.activations and not fused:
        out.line(f"headst = np.empty(({heads}.shape[1], {heads}.shape[0]), dtype=F)")
        out.line(f"sums = np.empty(({corrector.outputs(layout.dim)}, L), dtype=F)")
    if corrector.monomials:
        out.line("g = np.empty(parents.size * L, dtype=F)")


def _gather_staged(out: Source, layout: Layout) -> None:
    dim, corrector = layout.dim, layout.form
    out.lines(f"u{i} = w[{i} * L + l]" for i in range(dim))
    out.lines(f"S{i} = h * y[{i} * L + l]" for i in range(dim))
    used = {(s, i) for kind, s, i in corrector.inputs if kind == "k"}
    used |= {(s, i) for row in corrector.values for s in row for i in range(dim)}
    # Stages that the step leaves out stay at the zeros that the array began with.
    out.lines(f"k{s}_{i} = k[{s * dim + i} * L + l]" for s, i in sorted(used))


def _inputs(out: Source, layout: Layout, form: Form) -> None:
    dim, corrector = layout.dim, layout.form
    out.lines(f"w[{layout.increment + i} * L + l] = S{i}" for i in range(dim))
    for row, (kind, s, i) in enumerate(corrector.inputs):
        name = f"k{s}_{i}" if kind == "k" else f"{kind}{i}"
        if kind == "u0_":
            name = f"w[{layout.initial + i} * L + l]"
        out.line(f"z = ({name} - m{row}) * e{row}")
        if corrector.limited:
            out.line(f"z = g{row}_ if z < g{row}_ else z")
            out.line(f"z = j{row}_ if z > j{row}_ else z")
        # Sines of huge numbers are left to the C library: NaN has the block solved again with it.
        guarded = not form.exact and {"sine", "fsnet"} & {*corrector.activations}
        out.line(f"w[{layout.inputs + row} * L + l] = {'z if abs(z) <= reach else np.nan' if guarded else 'z'}")
    for v, stages in enumerate(corrector.values):
        for i in range(dim):
            mixed = fma_sum([(f"x{v}_{j}", f"k{j}_{i}") for j in stages]) or "zero"
            out.line(f"w[{layout.values + v * dim + i} * L + l] = {mixed}")


def _apply(out: Source, corrector: CorrectorForm, layout: Layout, form: Form) -> None:
    dim, a, v0 = layout.dim, layout.accumulators, layout.values
    first = dim if corrector.offset else 0
    for i in range(dim):
        terms = []
        for v in range(len(corrector.values)):
            weight = first + (v if corrector.shared else v * dim + i)
            terms.append((f"w[{a + weight} * L + l]", f"w[{v0 + v * dim + i} * L + l]"))
        out.line(f"C{i} = {fma_sum(terms, f'w[{a + i} * L + l]' if corrector.offset else '')}")
        if corrector.bound:
            out.line(f"C{i} = b{i} * {form.function('tanh')}(C{i} / b{i})")
        if corrector.clip:
            out.line(f"C{i} = l{i} if C{i} > l{i} else C{i}")
            out.line(f"C{i} = -l{i} if C{i} < -l{i} else C{i}")
        out.line(f"w[{i} * L + l] = (w[{i} * L + l] + w[{layout.increment + i} * L + l]) + C{i}")
