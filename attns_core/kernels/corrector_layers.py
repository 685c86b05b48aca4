"""The hidden layers of a corrector as statements: from standardised inputs to accumulators.

Hidden units are the outer loop and lanes the inner one, or both are one function on vectors where
the activation allows it; each unit's activation is used up where it is computed. Layers before the
last, and last layers with many inputs or outputs and other activations, are matrix products instead.
"""

from attns_core.kernels.corrector_form import CorrectorForm, Layout
from attns_core.kernels.emit import fma_sum
from attns_core.kernels.form import Form
from attns_core.kernels.source import Source
from attns_core.kernels.tiled_layer import UNITS
from attns_core.kernels.vectors import explicit_bits

_ACTIVATIONS = {
    "identity": "{z}",
    "sine": "{sin}({z})",
    "quintic": "{z} * fma({z} * {z}, fma({z} * {z}, quintic5, quintic3), one)",
    "tanh": "{tanh}({z})",
    "silu": "{z} / (one + {exp}(-{z}))",
    "relu": "({z} if not {z} < zero else zero)",
    "rational": "fma({z}, fma({z}, fma({z}, r3, r2), r1), r0) / fma({z}, fma({z}, r6, r5), r4)",
}


def functions(out: Source, corrector: CorrectorForm, layout: Layout, form: Form) -> None:
    """What the layers call, defined before the kernel."""
    if "fsnet" in corrector.activations:
        _bump(out, form)
    if corrector.is_on_vectors(form):
        define_layer(
            out,
            n_in=corrector.last_inputs,
            n_out=corrector.outputs(layout.dim),
            n_linear=len(corrector.inputs) if corrector.linear else 0,
            activation=corrector.activations[-1],
            form=form,
        )
    elif corrector.is_polynomial_on_vectors(layout.dim):
        given = {
            "n_out": corrector.outputs(layout.dim),
            "n_linear": len(corrector.inputs) if corrector.linear else 0,
            "dtype": form.dtype,
            "lanes": form.lanes,
            "vector_bits": explicit_bits(form.vector_bits),
        }
        out.line(f"monomials = monomial_layer({', '.join(f'{name}={value!r}' for name, value in given.items())})")
        out.lines(["", ""])


def define_layer(out: Source, *, n_in: int, n_out: int, n_linear: int, activation: str, form: Form) -> None:
    """A last hidden layer on vectors as the function ``hidden``."""
    given = {
        "n_in": n_in,
        "n_out": n_out,
        "n_linear": n_linear,
        "activation": activation,
        "dtype": form.dtype,
        "lanes": form.lanes,
        "vector_bits": explicit_bits(form.vector_bits),
        "fastmath": form.fastmath,
    }
    out.line(f"hidden = tiled_layer({', '.join(f'{name}={value!r}' for name, value in given.items())})")
    out.lines(["", ""])


def _bump(out: Source, form: Form) -> None:
    out.line('@njit(error_model="numpy", forceinline=True)')
    with out.block("def bump(a1, a2, a3, z)"):
        out.line(f"s = F(1) / (F(1) + {form.function('exp')}(-a2 * (z + a3)))")
        out.line("return a1 * s * (F(1) - s)")
    out.lines(["", ""])


def evaluate(out: Source, corrector: CorrectorForm, layout: Layout, form: Form) -> None:
    """Everything up to the accumulators."""
    n_out, n_in, a = corrector.outputs(layout.dim), len(corrector.inputs), layout.accumulators
    if corrector.is_on_vectors(form):
        _layers(out, corrector, layout, form)
        return
    if corrector.is_polynomial_on_vectors(layout.dim):
        out.line(f"monomials(w, {layout.inputs}, {a}, g, constant, linear, heads, parents, variables)")
        return
    with out.block(f"for o in range({n_out})"):
        out.line("start = constant[o]")
        out.line(f"acc = w[({a} + o) * L : ({a + 1} + o) * L]")
        with out.block("for l in range(L)"):
            out.line("acc[l] = start")
    if corrector.multiplies_inputs(layout.dim):
        _add_product(out, "lineart", _input_rows(layout), n_out, layout)
    elif corrector.linear:
        _linear(out, n_in, n_out, layout)
    if corrector.activations:
        _layers(out, corrector, layout, form)
    elif corrector.monomials:
        _monomials(out, n_out, layout)


def _input_rows(layout: Layout) -> str:
    n_in = len(layout.form.inputs)
    return f"w[{layout.inputs} * L : {layout.inputs + n_in} * L].reshape(({n_in}, L))"


def _add_product(out: Source, matrix: str, rows: str, n_out: int, layout: Layout) -> None:
    """Add a matrix product to the accumulators."""
    out.line(f"np.dot({matrix}, {rows}, sums)")
    with out.block(f"for o in range({n_out})"), out.block("for l in range(L)"):
        out.line(f"w[({layout.accumulators} + o) * L + l] += sums[o, l]")


def _linear(out: Source, n_in: int, n_out: int, layout: Layout) -> None:
    a, group = layout.accumulators, 8
    with out.block(f"for o in range({n_out})"):
        out.line(f"acc = w[({a} + o) * L : ({a + 1} + o) * L]")
        for begin_ in range(0, n_in, group):
            rows = range(begin_, min(n_in, begin_ + group))
            out.lines(f"p{i} = linear[{i}, o]" for i in rows)
            with out.block("for l in range(L)"):
                terms = [(f"p{i}", f"w[{layout.inputs + i} * L + l]") for i in rows]
                out.line(f"acc[l] = {fma_sum(terms, 'acc[l]')}")


def _layers(out: Source, corrector: CorrectorForm, layout: Layout, form: Form) -> None:
    n_out, last = corrector.outputs(layout.dim), len(corrector.activations) - 1
    source = _input_rows(layout)
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
        _add_product(out, "headst", f"g{last}", n_out, layout)
        return
    if last:
        # The fused loop reads its inputs from the same array as everything else.
        with out.block(f"for r in range({corrector.last_inputs})"), out.block("for l in range(L)"):
            out.line(f"xs[r * L + l] = g{last - 1}[r, l]")
    array, offset = ("xs", 0) if last else ("w", layout.inputs)
    if corrector.is_on_vectors(form):
        rows = f"w, {layout.inputs}, {layout.accumulators}, {array}, {offset}"
        out.line(f"hidden({rows}, constant, linear, layer{last}, heads, shape{last})")
    else:
        _fused_layer(out, corrector, layout, form, array, offset)


def _fused_layer(out: Source, corrector: CorrectorForm, layout: Layout, form: Form, array: str, offset: int) -> None:
    n_in, n_out, a = corrector.last_inputs, corrector.outputs(layout.dim), layout.accumulators
    last = len(corrector.activations) - 1
    kind = corrector.activations[last]
    # Units per pass over the lanes: more save loads and stores, fewer save registers.
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


def _monomials(out: Source, n_out: int, layout: Layout) -> None:
    """Monomials that feed more sums than registers hold."""
    a = layout.accumulators
    with out.block("for r in range(parents.size)"):
        out.line("own = g[r * L : (r + 1) * L]")
        with out.block("if parents[r] < 0"), out.block("for l in range(L)"):
            out.line("own[l] = one")
        with out.block("else"):
            out.line("parent = g[parents[r] * L : (parents[r] + 1) * L]")
            out.line(f"variable = w[({layout.inputs} + variables[r]) * L : ({layout.inputs + 1} + variables[r]) * L]")
            with out.block("for l in range(L)"):
                out.line("own[l] = parent[l] * variable[l]")
        with out.block(f"for o in range({n_out})"):
            out.line("v = heads[r, o]")
            out.line(f"acc = w[({a} + o) * L : ({a + 1} + o) * L]")
            with out.block("for l in range(L)"):
                out.line("acc[l] = fma(v, own[l], acc[l])")
