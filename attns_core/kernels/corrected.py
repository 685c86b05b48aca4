r"""Corrected fixed steps: ``u1 = (u + S) + C`` with the correctors' one formula.

The form of a corrector decides the code; its numbers travel in arrays, so that neither retraining nor
another width compiles anything. After the method's step, a block's lanes hold the standardised
inputs, the values (mixed stages) and accumulators; hidden units are the outer loop, lanes the inner
one, and each unit's activation is used up where it is computed: nothing of the hidden layer is stored.
Layers before the last, and last layers with many inputs or outputs, are matrix products instead.
"""

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from attns_core.kernels.emit import fma_sum
from attns_core.kernels.fixed import StagedLines, load, store
from attns_core.kernels.form import ENTRY, Form, Generated, begin, decorator, each_step
from attns_core.kernels.source import Source
from attns_core.kernels.step import Step

FUSED_LIMIT = 32
"""Inputs plus outputs of the last layer up to which it is fused with its activation.

Measured: equal to matrix products at 24, three times slower at 80, where weights outgrow the registers.
"""

UNITS = 4
"""Hidden units per pass over the lanes: more save loads and stores, fewer save registers."""

INPUT_LIMIT = 1e5
"""Standardised inputs up to which sine activations are fast; beyond, nothing was trained anyway."""

_ACTIVATIONS = {
    "identity": "{z}",
    "sine": "{sin}({z})",
    "tanh": "{tanh}({z})",
    "silu": "{z} / (one + {exp}(-{z}))",
    "rational": "fma({z}, fma({z}, fma({z}, r3, r2), r1), r0) / fma({z}, fma({z}, r6, r5), r4)",
}


@final
@dataclass(frozen=True, kw_only=True)
class CorrectorForm:
    """What of a corrector is compiled in.

    Parameters
    ----------
    inputs : tuple of (str, int, int)
        One per input: ``("u", 0, i)``, ``("S", 0, i)``, ``("k", stage, i)``, or ``("u0_", 0, i)`` of the
        initial state.
    linear : bool
    activations : tuple of str
        One per hidden layer.
    last_inputs : int
        Inputs of the last layer.
    monomials : bool
    offset : bool
    values : tuple of tuple of int
        The stages that each value mixes.
    shared : bool
        One set of weights for all components.
    bound, clip, limited : bool
        Whether the term is bounded, cut, or its inputs limited.
    """

    inputs: tuple[tuple[str, int, int], ...]
    linear: bool
    activations: tuple[str, ...]
    last_inputs: int
    monomials: bool
    offset: bool
    values: tuple[tuple[int, ...], ...]
    shared: bool
    bound: bool
    clip: bool
    limited: bool = False

    @property
    def from_start(self) -> bool:
        """Whether the initial state is among the inputs."""
        return any(kind == "u0_" for kind, _, _ in self.inputs)

    def outputs(self, dim: int) -> int:
        """Accumulators: offsets, then weights value by value."""
        return (dim if self.offset else 0) + len(self.values) * (1 if self.shared else dim)

    def uses_products(self, dim: int) -> bool:
        """Whether matrix products occur, which a BLAS library would share between its own threads."""
        return len(self.activations) > 1 or (bool(self.activations) and not self.is_fused(dim))

    def is_fused(self, dim: int) -> bool:
        """Whether the last layer is fused with its activation rather than a matrix product."""
        return self.last_inputs + self.outputs(dim) <= FUSED_LIMIT


ARGUMENTS = "mean, rscale, constant, linear, heads, limits, ranges, layers, shapes, mix, parents, variables"

EACH = ("mean", "rscale", "constant", "linear", "heads", "limits", "ranges", "mix")
"""Arguments that every corrector of a sequence has of its own, besides the tuples ``layers`` and ``shapes``."""


@final
@dataclass(frozen=True)
class _Layout:
    """Row offsets of the regions in a block's one work array."""

    dim: int
    form: CorrectorForm

    @property
    def increment(self) -> int:
        return self.dim

    @property
    def inputs(self) -> int:
        return 2 * self.dim

    @property
    def values(self) -> int:
        return self.inputs + len(self.form.inputs)

    @property
    def accumulators(self) -> int:
        return self.values + len(self.form.values) * self.dim

    @property
    def rows(self) -> int:
        return self.initial + (self.dim if self.form.from_start else 0)

    @property
    def initial(self) -> int:
        return self.accumulators + self.form.outputs(self.dim)


def corrected(step: Step | StagedLines, corrector: CorrectorForm, form: Form) -> Generated:
    """``solve(initial, out, t_save, counts, dt, c, first, last, [tableau,] corrector arrays)``.

    With varying steps the correctors form a sequence: each array in ``EACH`` and each layer has a leading
    axis, over which the steps cycle.
    """
    dim = step.dim
    layout = _Layout(dim, corrector)
    out = begin(form, also=("wave64",))
    if "fsnet" in corrector.activations:
        _bump(out, form)
    out.line(decorator(form))
    tableau = f"{step.arguments}, " if isinstance(step, StagedLines) else ""
    arguments = _stacked() if form.varying else ARGUMENTS
    with out.block(f"def {ENTRY}(initial, out, t_save, counts, {form.steps}, c, first, last, {tableau}{arguments})"):
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
                        with out.block("for l in range(L)"):
                            out.lines(f"u{i} = w[{i} * L + l]" for i in range(dim))
                            out.lines(step.lane)
                            names = {(s, i): name for s, row in step.stages.items() for i, name in enumerate(row)}
                            used = {(s, i) for kind, s, i in corrector.inputs if kind == "k"}
                            used |= {(s, i) for row in corrector.values for s in row for i in range(dim)}
                            out.lines(f"k{s}_{i} = {names.get((s, i), 'zero')}" for s, i in sorted(used))
                            _inputs(out, layout, form)
                    _evaluate(out, corrector, layout, form)
                    with out.block("for l in range(L)"):
                        _apply(out, corrector, layout, form)
                store(out, dim, "i + 1")
    return Generated(out.text(), tuple(step.emitter.constants.parameters))


def _bump(out: Source, form: Form) -> None:
    out.line('@njit(error_model="numpy", forceinline=True)')
    with out.block("def bump(a1, a2, a3, z)"):
        out.line(f"s = F(1) / (F(1) + {form.function('exp')}(-a2 * (z + a3)))")
        out.line("return a1 * s * (F(1) - s)")
    out.lines(["", ""])


def _stacked() -> str:
    """The arguments of a sequence of correctors: plural names for what has a leading axis."""
    return ", ".join(f"{name}_each" if name in (*EACH, "layers", "shapes") else name for name in ARGUMENTS.split(", "))


def _of_step(corrector: CorrectorForm) -> list[str]:
    """The numbers of the present step's corrector under their usual names."""
    lines = ["mine = step % mean_each.shape[0]", *(f"{name} = {name}_each[mine]" for name in EACH)]
    for i in range(len(corrector.activations)):
        lines += [f"layer{i} = layers_each[{i}][mine]", f"shape{i} = shapes_each[{i}][mine]"]
    return lines


def _numbers(corrector: CorrectorForm, layout: _Layout) -> list[str]:
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


def _products(corrector: CorrectorForm, layout: _Layout) -> int:
    """Hidden layers that are matrix products."""
    return max(0, len(corrector.activations) - (1 if corrector.is_fused(layout.dim) else 0))


def _workspace(out: Source, corrector: CorrectorForm, layout: _Layout, form: Form) -> None:
    """Constants and arrays of a call."""
    out.line("zero = F(0)")
    out.line("one = F(1)")
    out.line("two_hundred = F(200)")
    out.line(f"reach = F({INPUT_LIMIT!r})")
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


def _gather_staged(out: Source, layout: _Layout) -> None:
    dim, corrector = layout.dim, layout.form
    out.lines(f"u{i} = w[{i} * L + l]" for i in range(dim))
    out.lines(f"S{i} = h * y[{i} * L + l]" for i in range(dim))
    used = {(s, i) for kind, s, i in corrector.inputs if kind == "k"}
    used |= {(s, i) for row in corrector.values for s in row for i in range(dim)}
    # Stages that the step leaves out stay at the zeros that the array began with.
    out.lines(f"k{s}_{i} = k[{s * dim + i} * L + l]" for s, i in sorted(used))


def _inputs(out: Source, layout: _Layout, form: Form) -> None:
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
        guarded = form.dtype == "float64" and not form.exact and {"sine", "fsnet"} & {*corrector.activations}
        out.line(f"w[{layout.inputs + row} * L + l] = {'z if abs(z) <= reach else np.nan' if guarded else 'z'}")
    for v, stages in enumerate(corrector.values):
        for i in range(dim):
            mixed = fma_sum([(f"x{v}_{j}", f"k{j}_{i}") for j in stages]) or "zero"
            out.line(f"w[{layout.values + v * dim + i} * L + l] = {mixed}")


def _evaluate(out: Source, corrector: CorrectorForm, layout: _Layout, form: Form) -> None:
    """Everything up to the accumulators."""
    n_out, n_in, a = corrector.outputs(layout.dim), len(corrector.inputs), layout.accumulators
    with out.block(f"for o in range({n_out})"):
        out.line("start = constant[o]")
        out.line(f"acc = w[({a} + o) * L : ({a + 1} + o) * L]")
        with out.block("for l in range(L)"):
            out.line("acc[l] = start")
    if corrector.linear:
        _linear(out, n_in, n_out, layout)
    if corrector.activations:
        _layers(out, corrector, layout, form)
    elif corrector.monomials:
        _monomials(out, n_out, layout)


def _linear(out: Source, n_in: int, n_out: int, layout: _Layout) -> None:
    a, group = layout.accumulators, 8
    with out.block(f"for o in range({n_out})"):
        out.line(f"acc = w[({a} + o) * L : ({a + 1} + o) * L]")
        for begin_ in range(0, n_in, group):
            rows = range(begin_, min(n_in, begin_ + group))
            out.lines(f"p{i} = linear[{i}, o]" for i in rows)
            with out.block("for l in range(L)"):
                terms = [(f"p{i}", f"w[{layout.inputs + i} * L + l]") for i in rows]
                out.line(f"acc[l] = {fma_sum(terms, 'acc[l]')}")


def _layers(out: Source, corrector: CorrectorForm, layout: _Layout, form: Form) -> None:
    n_in, n_out, last = len(corrector.inputs), corrector.outputs(layout.dim), len(corrector.activations) - 1
    source = f"w[{layout.inputs} * L : {layout.inputs + n_in} * L].reshape(({n_in}, L))"
    fused = corrector.is_fused(layout.dim)
    for i in range(last + (0 if fused else 1)):
        out.line(f"np.dot(weight{i}, {source}, g{i})")
        source = f"g{i}"
        with out.block(f"for r in range(layer{i}.shape[0])"):
            out.line(f"bias = layer{i}[r, layer{i}.shape[1] - 1]")
            _shape(out, corrector.activations[i], f"shape{i}", "r", "")
            out.line(f"row = g{i}[r]")
            with out.block("for l in range(L)"):
                out.line("z = row[l] + bias")
                out.line(f"row[l] = {_activation(corrector.activations[i], 'z', '', form)}")
    if not fused:
        a = layout.accumulators
        out.line(f"np.dot(headst, g{last}, sums)")
        with out.block(f"for o in range({n_out})"), out.block("for l in range(L)"):
            out.line(f"w[({a} + o) * L + l] += sums[o, l]")
        return
    if last:
        # The fused loop reads its inputs from the same array as everything else.
        with out.block(f"for r in range({corrector.last_inputs})"), out.block("for l in range(L)"):
            out.line(f"xs[r * L + l] = g{last - 1}[r, l]")
    _fused_layer(out, corrector, layout, form, "xs" if last else "w", 0 if last else layout.inputs)


def _fused_layer(out: Source, corrector: CorrectorForm, layout: _Layout, form: Form, array: str, offset: int) -> None:
    n_in, n_out, a = corrector.last_inputs, corrector.outputs(layout.dim), layout.accumulators
    last = len(corrector.activations) - 1
    kind = corrector.activations[last]
    group = UNITS
    with out.block(f"for r in range(0, layer{last}.shape[0], {group})"):
        for q in range(group):
            out.lines(f"p{q}_{i} = layer{last}[r + {q}, {i}]" for i in range(n_in))
            out.line(f"bias{q} = layer{last}[r + {q}, {n_in}]")
            out.lines(f"v{q}_{o} = heads[r + {q}, {o}]" for o in range(n_out))
            _shape(out, kind, f"shape{last}", f"r + {q}", f"{q}_")
        with out.block("for l in range(L)"):
            out.lines(f"i{i} = {array}[{offset + i} * L + l]" for i in range(n_in))
            for q in range(group):
                terms = [(f"p{q}_{i}", f"i{i}") for i in range(n_in)]
                out.line(f"z{q} = {fma_sum(terms, f'bias{q}')}")
                out.line(f"f{q} = {_activation(kind, f'z{q}', f'{q}_', form)}")
            for o in range(n_out):
                terms = [(f"v{q}_{o}", f"f{q}") for q in range(group)]
                out.line(f"w[{a + o} * L + l] = {fma_sum(terms, f'w[{a + o} * L + l]')}")


def sine(form: Form) -> str:
    """The sine of activations: in double precision one that relies on inputs below ``INPUT_LIMIT``."""
    return "math.sin" if form.exact else "wave64" if form.dtype == "float64" else "sin32"


def _shape(out: Source, kind: str, array: str, unit: str, prefix: str) -> None:
    if kind == "rational":
        out.lines(f"r{i} = {array}[{i}, 0]" for i in range(7))
    elif kind == "fsnet":
        out.lines(f"s{prefix}{i} = {array}[{i}, {unit}]" for i in range(5))


def _activation(kind: str, z: str, prefix: str, form: Form) -> str:
    names = {name: form.function(name) for name in ("tanh", "exp")}
    names["sin"] = sine(form)
    if kind == "fsnet":
        s = [f"s{prefix}{i}" for i in range(5)]
        return f"bump({s[0]}, {s[1]}, {s[2]}, {z}) + {s[3]} * {names['sin']}(two_hundred * {s[4]} * {z})"
    return _ACTIVATIONS[kind].format(z=z, **names)


def _monomials(out: Source, n_out: int, layout: _Layout) -> None:
    a = layout.accumulators
    with out.block("for r in range(parents.size)"):
        out.lines(f"v{o} = heads[r, {o}]" for o in range(n_out))
        out.line("own = g[r * L : (r + 1) * L]")
        with out.block("if parents[r] < 0"), out.block("for l in range(L)"):
            out.line("own[l] = one")
        with out.block("else"):
            out.line("parent = g[parents[r] * L : (parents[r] + 1) * L]")
            out.line(f"variable = w[({layout.inputs} + variables[r]) * L : ({layout.inputs + 1} + variables[r]) * L]")
            with out.block("for l in range(L)"):
                out.line("own[l] = parent[l] * variable[l]")
        with out.block("for l in range(L)"):
            out.line("f = own[l]")
            out.lines(f"w[{a + o} * L + l] = fma(v{o}, f, w[{a + o} * L + l])" for o in range(n_out))


def _apply(out: Source, corrector: CorrectorForm, layout: _Layout, form: Form) -> None:
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


def corrector_arrays(
    *,
    mean: Any,
    scale: Any,
    layers: list[tuple[Any, Any, Any]],
    exponents: Any,
    linear: bool,
    offset: Any,
    weights: Any,
    values: Any,
    bound: Any,
    clip: Any,
    lower: Any,
    upper: Any,
    dim: int,
    dtype: str,
) -> tuple[Any, ...]:
    """A corrector's numbers as the kernel's arguments, in the order of ``ARGUMENTS``.

    ``layers`` are ``(weight, bias, shape)``; ``weights`` may be None, or has shape
    ``(n_features, n_values, dim or 1)``.
    """
    n_in = len(mean)
    heads = [np.asarray(offset)] if offset is not None else []
    if weights is not None and values is not None:
        heads += [np.asarray(weights[:, v, :]) for v in range(len(values))]
    head = np.concatenate(heads, axis=1).astype(dtype)
    split = 1 + (n_in if linear else 0)
    parents = variables = np.zeros(0, dtype=np.int64)
    rows = head[split:]
    if exponents is not None and not layers:
        parents, variables, rows = _monomial_table(np.asarray(exponents, dtype=np.int64), rows)
    packed, shapes = [], []
    for i, (weight, bias, shape) in enumerate(layers):
        matrix = np.concatenate([weight, np.asarray(bias)[:, None]], axis=1)
        shape = np.asarray(shape, dtype=np.float64)
        shape = shape[:, None] if shape.ndim == 1 and shape.size else shape
        shape = np.zeros((1, 1)) if shape.size == 0 else shape
        if i == len(layers) - 1:
            # Whole groups of units: the last unit again, with nothing taken from it.
            extra = -len(matrix) % 4
            matrix = np.concatenate([matrix, np.repeat(matrix[-1:], extra, axis=0)])
            if shape.shape[1] > 1:
                shape = np.concatenate([shape, np.repeat(shape[:, -1:], extra, axis=1)], axis=1)
            rows = np.concatenate([rows, np.zeros((extra, rows.shape[1]), dtype=dtype)])
        packed.append(np.ascontiguousarray(matrix, dtype=dtype))
        shapes.append(np.ascontiguousarray(shape, dtype=dtype))
    limits = np.ones((2, dim), dtype=dtype)
    if bound is not None:
        limits[0] = bound
    if clip is not None:
        limits[1] = clip
    ranges = np.zeros((2, n_in), dtype=dtype)
    if lower is not None:
        ranges[0], ranges[1] = (lower - mean) / scale, (upper - mean) / scale
    return (
        np.asarray(mean, dtype=dtype),
        (1.0 / np.asarray(scale, dtype=np.float64)).astype(dtype),
        np.ascontiguousarray(head[0]),
        np.ascontiguousarray(head[1:split]) if linear else np.zeros((0, head.shape[1]), dtype=dtype),
        np.ascontiguousarray(rows),
        limits,
        ranges,
        tuple(packed) or (np.zeros((0, 1), dtype=dtype),),
        tuple(shapes) or (np.zeros((1, 1), dtype=dtype),),
        np.asarray(values if values is not None else np.zeros((0, 0)), dtype=np.float64),
        parents,
        variables,
    )


def stacked_arrays(arrays: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """The arguments of several correctors of one form as those of their sequence."""
    names = ARGUMENTS.split(", ")
    stacked: list[Any] = []
    for name, *parts in zip(names, *arrays, strict=True):
        if name in EACH:
            stacked.append(np.stack(parts))
        elif name in ("layers", "shapes"):
            stacked.append(tuple(np.stack(layer) for layer in zip(*parts, strict=True)))
        else:
            stacked.append(parts[0])
    return tuple(stacked)


def _monomial_table(exponents: Any, rows: Any) -> tuple[Any, Any, Any]:
    """Monomials, each its parent times a variable; parents that were not asked for weigh nothing."""
    order: dict[tuple[int, ...], int] = {}
    parents: list[int] = []
    variables: list[int] = []

    def place(e: tuple[int, ...]) -> int:
        if e not in order:
            if not any(e):
                parent, variable = -1, -1
            else:
                variable = max(i for i, x in enumerate(e) if x)
                parent = place((*e[:variable], e[variable] - 1, *e[variable + 1 :]))
            order[e] = len(parents)
            parents.append(parent)
            variables.append(variable)
        return order[e]

    positions = [place(tuple(int(x) for x in e)) for e in exponents]
    table = np.zeros((len(parents), rows.shape[1]), dtype=rows.dtype)
    for position, row in zip(positions, rows, strict=True):
        table[position] += row
    return np.array(parents, dtype=np.int64), np.array(variables, dtype=np.int64), table
