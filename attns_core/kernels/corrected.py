r"""Corrected fixed steps: ``u1 = (u + S) + C`` with the correctors' one formula.

The form of a corrector decides the code; its numbers travel in arrays, so that neither retraining nor
another width compiles anything. After the method's step, a block's lanes hold the standardised
inputs, the values (mixed stages) and accumulators, which the corrector's layers fill.
"""

from attns_core.kernels.corrector_arrays import ARGUMENTS, EACH
from attns_core.kernels.corrector_form import CorrectorForm, Layout
from attns_core.kernels.corrector_lanes import (
    INPUT_LIMIT,
    add_term,
    is_after_layers,
    prepare,
    scalars,
    standardise_state,
    step_with_term,
)
from attns_core.kernels.corrector_layers import evaluate, functions
from attns_core.kernels.fixed import StagedLines, ask_ahead, load, store
from attns_core.kernels.form import Form, Generated, begin, each_step, entry
from attns_core.kernels.source import Source
from attns_core.kernels.step import Step


def corrected(step: Step | StagedLines, corrector: CorrectorForm, form: Form) -> Generated:
    """``solve(initial, out, t_save, counts, dt, c, first, last, [tableau,] corrector arrays)``.

    With varying steps the correctors form a sequence: each array in ``EACH`` and each layer has a leading
    axis, over which the steps cycle.
    """
    dim = step.dim
    layout = Layout(dim, corrector)
    out = begin(form, also=("wave64",))
    out.line("from attns_core.kernels.monomial_layer import monomial_layer")
    out.lines(["from attns_core.kernels.tiled_layer import tiled_layer", "", ""])
    functions(out, corrector, layout, form)
    tableau = f"{step.arguments}, " if isinstance(step, StagedLines) else ""
    arguments = _stacked() if form.varying else ARGUMENTS
    with entry(out, form, f"initial, out, t_save, counts, {form.steps}, c, first, last, {tableau}{arguments}"):
        out.line("n = initial.shape[1]")
        step.emitter.constants.write(out)
        scaled: list[str] = []
        if isinstance(step, StagedLines):
            step.prologue(out, form)
            scaled += step.scaled
        elif form.varying:
            scaled += step.prologue
        else:
            out.lines(step.prologue)
        out.line(f"w = empty_rows({layout.rows} * L, F)")
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
                    ask_ahead(out, form, dim)
                    if isinstance(step, Step) and is_after_layers(layout):
                        standardise_state(out, layout, form)
                        evaluate(out, corrector, layout, form)
                        step_with_term(out, step, layout, form)
                    else:
                        prepare(out, step, layout, form)
                        evaluate(out, corrector, layout, form)
                        add_term(out, layout, form)
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
    """What is made of the arrays of one corrector before its steps: scalars, and matrices as products want them."""
    lines = scalars(layout)
    # Loops of scalars: assigning whole arrays takes seconds to compile.
    for i in range(_products(corrector, layout)):
        lines += _copied(f"weight{i}", f"layer{i}[r, q]")
    if corrector.activations and not corrector.is_fused(layout.dim):
        lines += _copied("headst", "heads[q, r]")
    if corrector.multiplies_inputs(layout.dim):
        lines += _copied("lineart", "linear[q, r]")
    return lines


def _copied(matrix: str, source: str) -> list[str]:
    """Fill a matrix element by element from ``source``, an expression of its row ``r`` and column ``q``."""
    return [
        f"for r in range({matrix}.shape[0]):",
        f"    for q in range({matrix}.shape[1]):",
        f"        {matrix}[r, q] = {source}",
    ]


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
    fused, heads, linear = corrector.is_fused(layout.dim), "heads", "linear"
    if form.varying:
        heads, linear = "heads_each[0]", "linear_each[0]"
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
        out.line(f"xs = empty_rows({corrector.last_inputs} * L, F)")
    if corrector.activations and not fused:
        out.line(f"headst = np.empty(({heads}.shape[1], {heads}.shape[0]), dtype=F)")
    if corrector.multiplies_inputs(layout.dim):
        out.line(f"lineart = np.empty(({linear}.shape[1], {linear}.shape[0]), dtype=F)")
    if corrector.uses_products(layout.dim):
        out.line(f"sums = np.empty(({corrector.outputs(layout.dim)}, L), dtype=F)")
    if not corrector.activations:
        out.line("g = empty_rows(parents.size * L, F)")
