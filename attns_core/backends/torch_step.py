"""One step on tensors: every explicit method, with or without a corrector, for any device.

The same function is run eagerly, traced and compiled, captured in a CUDA graph and differentiated,
so it writes nothing in place and never looks at a value.

The state travels in *blocks*: either one tensor ``(dim, n)`` (array form, few operations whatever
the dimension) or one tensor ``(n,)`` per component (component form, which a compiler fuses into a
single loop over trajectories that keeps every stage in registers).
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor

from attns_core.backends.torch_corrector import CorrectorModule, Sums
from attns_core.correction import learned_weights
from attns_core.equation import Equation
from attns_core.errors import AttnsError
from attns_core.maths import numpy_maths, torch_maths
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Splitting
from attns_core.parameters import ParamView

Form: TypeAlias = Literal["array", "components"]
Blocks: TypeAlias = Sequence[Tensor]
Step: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""``step(t, u)`` -> next state; ``t`` a float64 tensor without dimensions, ``u`` of shape ``(dim, n)``."""

Field: TypeAlias = Callable[[Any, Blocks], Blocks]
"""A right-hand side on blocks, with ``t`` a tensor without dimensions or one time per trajectory."""

_Combination: TypeAlias = Callable[[list[Blocks | None], Blocks | None, Tensor | None], Blocks]
"""``combine(k, base, phi)``: a base and weighed stages; weights depend on the features ``phi`` (n_features, n)."""

_Increment: TypeAlias = Callable[[Any, Blocks], tuple[Blocks, list[Blocks | None]]]

# From this many terms on, stacking the stages and one matrix-vector product beat a chain of additions.
_STACK_FROM = 4


def make_step(
    equation: Equation,
    method: AbstractMethod,
    dt: float,
    *,
    corrector: CorrectorModule | None = None,
    parameters: Any = None,
    form: Form = "array",
    sums: Sums | None = None,
) -> Step:
    """The step ``u -> (u + S) + C`` of a method on an equation.

    Parameters
    ----------
    parameters : Tensor, shape (n_numeric,), optional
        Numeric parameters in the order of ``equation.p.numeric()``, for gradients with respect to
        them (default: the equation's values, as constants).
    form : {"array", "components"}
        How the state is laid out inside the step; results agree to round-off.
    sums : callable, optional
        Another way to compute what ``corrector.sums`` does.

    Raises
    ------
    AttnsError
        If torch has no step for the method, or it does not fit the equation.
    """
    field = make_field(equation, parameters, form)
    if isinstance(method, ExplicitRungeKutta):
        increment = _runge_kutta(field, method, dt, is_autonomous(equation), corrector)
    elif isinstance(method, Splitting):
        increment = _splitting(field, method, dt, _halves(equation, method), form)
    else:
        raise AttnsError(f"the torch backend has no step for {type(method).__name__}")

    def step(t: Tensor, u: Tensor) -> Tensor:
        blocks = [u] if form == "array" else u.unbind(0)
        S, k = increment(t, blocks)
        new = [u_i + s_i for u_i, s_i in zip(blocks, S, strict=True)]
        if corrector is None or not corrector.has_term:
            return new[0] if form == "array" else torch.stack(new)
        stages = _stack_stages(k, form, u) if corrector.needs_stages else None
        total = S[0] if form == "array" else torch.stack(list(S))
        term = corrector(u, total, stages, dt, sums=sums)
        return (new[0] if form == "array" else torch.stack(new)) + term

    return step


def is_autonomous(equation: Equation) -> bool:
    """Whether the right-hand side never computes with ``t`` (then steps need no clock)."""
    u = equation.initial_states(0, 1)
    try:
        equation.rhs(object(), u, equation.p, numpy_maths())
    except TypeError:
        return False
    return True


def parameter_view(equation: Equation, parameters: Any = None) -> Any:
    """What a right-hand side sees as ``p``: constants, or entries of a tensor of parameters."""
    return equation.p if parameters is None else equation.p.replaced_by(parameters)


def make_field(equation: Equation, parameters: Any = None, form: Form = "array") -> Field:
    """The right-hand side on blocks: ``field(t, blocks)`` -> derivatives in the same blocks."""
    if form == "array" and equation.array_rhs is not None:
        return _array_field(equation, parameters)
    p, m = parameter_view(equation, parameters), torch_maths()

    def components(t: Any, blocks: Blocks) -> Blocks:
        like = blocks[0]
        values = equation.rhs(t, tuple(blocks), p, m)
        if len(values) != len(blocks):
            raise AttnsError(
                f"equation {equation.name!r}: its right-hand side returned {len(values)} components, "
                f"the state has {len(blocks)}"
            )
        return [spread(value, like) for value in values]

    if form == "components":
        return components
    return lambda t, blocks: [torch.stack(list(components(t, blocks[0].unbind(0))))]


def spread(value: Any, like: Tensor) -> Tensor:
    """A component's derivative as a tensor over trajectories: constants and pure forcings are spread."""
    if not isinstance(value, Tensor):
        return torch.full_like(like, float(value))
    if value.shape == like.shape and value.dtype == like.dtype:
        return value
    return torch.zeros_like(like) + value.to(like.dtype)


def _array_field(equation: Equation, parameters: Any) -> Field:
    array_rhs = equation.array_rhs
    assert array_rhs is not None
    views: dict[tuple[torch.dtype, torch.device], Any] = {}

    def view(u: Tensor) -> Any:
        # Lists of parameters become tensors beside the state, once per dtype and device.
        key = (u.dtype, u.device)
        if key not in views:
            given = parameter_view(equation, parameters)
            values = {}
            for name, default in equation.p.items():
                value = getattr(given, name)
                if isinstance(default, tuple):
                    value = (
                        torch.stack(list(value)).to(device=u.device, dtype=u.dtype)
                        if parameters is not None and value
                        else torch.tensor(value, dtype=u.dtype, device=u.device)
                    )
                values[name] = value
            views[key] = ParamView(values)
        return views[key]

    return lambda t, blocks: [array_rhs(t, blocks[0], view(blocks[0]), torch)]


def combination(coefficients: Any) -> Callable[[list[Blocks | None], Blocks | None], Blocks]:
    """``(k, base) -> base + sum_j c_j k_j`` over the non-zero coefficients, block by block."""
    used = [(j, float(c)) for j, c in enumerate(coefficients) if c != 0]
    weights: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def row(like: Tensor) -> Tensor:
        # Made once per dtype and device: a copy to the device inside the loop would synchronise.
        key = (like.dtype, like.device)
        if key not in weights:
            weights[key] = torch.tensor([c for _, c in used], dtype=like.dtype, device=like.device)
        return weights[key]

    def combine(k: list[Blocks | None], base: Blocks | None) -> Blocks:
        terms = [(c, block) for (_, c), block in zip(used, (k[j] for j, _ in used), strict=True) if block is not None]
        out: list[Tensor] = []
        for i in range(len(terms[0][1])):
            columns = [(c, block[i]) for c, block in terms]
            first = columns[0][1]
            if len(columns) >= _STACK_FROM and first.ndim > 1:
                total = (row(first) @ torch.stack([x.flatten() for _, x in columns])).view_as(first)
                out.append(total if base is None else base[i] + total)
                continue
            if base is None:
                total, columns = first * columns[0][0], columns[1:]
            else:
                total = base[i]
            for c, x in columns:
                total = torch.add(total, x, alpha=c)
            out.append(total)
        return out

    return combine


def own_combination(weights: Any) -> _Combination:
    """:func:`combination` with coefficients ``(features, terms, dim)``, each component's own.

    The last argument are the values of the features, shape ``(features, n)``; there is no need of it where the constant
    is the only one.
    """
    used = [j for j in range(weights.shape[1]) if weights[:, j].any()]
    columns: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}

    def own(like: Tensor) -> list[Tensor]:
        """Of each term in use, shape (features, dim)."""
        key = (like.dtype, like.device)
        if key not in columns:
            columns[key] = [torch.tensor(weights[:, j], dtype=like.dtype, device=like.device) for j in used]
        return columns[key]

    def combine(k: list[Blocks | None], base: Blocks | None, phi: Tensor | None) -> Blocks:
        terms = [(j, at, block) for at, j in enumerate(used) if (block := k[j]) is not None]
        out: list[Tensor] = []
        for i in range(len(terms[0][2])):
            total = None if base is None else base[i]
            for j, at, block in terms:
                x = block[i]
                if x.ndim == 1 and phi is None:
                    c = float(weights[0, j, i])
                    total = c * x if total is None else torch.add(total, x, alpha=c)
                    continue
                w = own(x)[at] if x.ndim > 1 else own(x)[at][:, i : i + 1]
                w = w[0][:, None] if phi is None else w.T @ phi
                w = w if x.ndim > 1 else w[0]
                total = w * x if total is None else torch.addcmul(total, w, x)
            assert total is not None
            out.append(total)
        return out

    return combine


def _runge_kutta(
    field: Field, method: ExplicitRungeKutta, dt: float, autonomous: bool, corrector: CorrectorModule | None
) -> _Increment:
    tableau = method.tableau
    needed = tableau.needed
    queries = corrector if corrector is not None and corrector.is_attentive else None
    arguments: list[_Combination | None]
    if corrector is not None and corrector.tableau is not None:
        a, b = learned_weights(method, corrector.tableau)
        arguments = [own_combination(dt * a[:, i, :i]) if a[:, i, :i].any() else None for i in range(tableau.stages)]
        total = own_combination(dt * b)
    else:
        rows = [*tableau.a, tableau.b]
        *arguments, total = (_alike(combination(dt * row)) if row.any() else None for row in rows)
        assert total is not None

    def increment(t: Any, u: Blocks) -> tuple[Blocks, list[Blocks | None]]:
        phi = None if queries is None else queries.features(u[0] if u[0].ndim > 1 else torch.stack(list(u)))
        k: list[Blocks | None] = []
        for i, argument in enumerate(arguments):
            if not needed[i]:
                k.append(None)
                continue
            inner = u if argument is None else argument(k, u, phi)
            delay = 0.0 if autonomous else float(tableau.c[i]) * dt
            k.append(field(t + delay if delay else t, inner))
        return total(k, None, phi), k

    return increment


def _alike(combine: Callable[[list[Blocks | None], Blocks | None], Blocks]) -> _Combination:
    """A combination of the same coefficients whatever the features."""
    return lambda k, base, phi: combine(k, base)


def _halves(equation: Equation, method: Splitting) -> tuple[tuple[int, ...], tuple[int, ...]]:
    from attns_core.tracing import trace

    halves = trace(equation).halves
    if halves is None:
        raise AttnsError(f"{method.name} needs a separable system; {equation.name} is not")
    return halves


def _splitting(
    field: Field, method: Splitting, dt: float, halves: tuple[tuple[int, ...], tuple[int, ...]], form: Form
) -> _Increment:
    masks: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}

    def mask(half: int, like: Tensor) -> Tensor:
        key = (half, like.dtype, like.device)
        if key not in masks:
            column = torch.zeros(like.shape[0], 1, dtype=like.dtype, device=like.device)
            column[list(halves[half])] = 1
            masks[key] = column
        return masks[key]

    def move(t: Any, blocks: Blocks, half: int, c: float) -> Blocks:
        """Advance one half of the components by ``c`` times its derivative."""
        derivative = field(t, blocks)
        if form == "array":
            (u,), (du,) = blocks, derivative
            return [torch.where(mask(half, u) > 0, torch.add(u, du, alpha=c), u)]
        chosen = set(halves[half])
        return [
            torch.add(x, dx, alpha=c) if i in chosen else x
            for i, (x, dx) in enumerate(zip(blocks, derivative, strict=True))
        ]

    def increment(t: Any, u: Blocks) -> tuple[Blocks, list[Blocks | None]]:
        new = u
        for i, kick in enumerate(method.kick):
            if kick != 0:
                new = move(t, new, 1, float(kick) * dt)
            if i < len(method.drift) and method.drift[i] != 0:
                new = move(t, new, 0, float(method.drift[i]) * dt)
                t = t + float(method.drift[i]) * dt
        return [x1 - x0 for x1, x0 in zip(new, u, strict=True)], []

    return increment


def _stack_stages(k: list[Blocks | None], form: Form, u: Tensor) -> Tensor:
    """Stages ``(stages, dim, n)``; those a fixed step does not evaluate are zero."""
    zero = torch.zeros_like(u)

    def whole(blocks: Blocks | None) -> Tensor:
        if blocks is None:
            return zero
        return blocks[0] if form == "array" else torch.stack(list(blocks))

    return torch.stack([whole(blocks) for blocks in k])
