"""The page of an equation."""

import inspect
from typing import Any

from attns_core.equation import Equation
from attns_core.tracing import trace
from attns_harness.catalogue.formula import formula_markdown
from attns_harness.catalogue.text import code, escape, join, number, prose, source, table


def equation_page(equation: Equation, *, formula: str = "", solution: str = "") -> str:
    """Markdown page generated from an equation's metadata.

    Parameters
    ----------
    equation : Equation
    formula, solution : str, optional
        Relative paths of the rendered formula and of the picture of a solution.
    """
    title = escape(equation.title)
    return join(
        equation.title,
        [
            f"{code(equation.name)} · " + ", ".join(escape(tag) for tag in sorted(equation.tags)),
            prose(equation.description),
            "## Formula",
            formula_markdown(equation),
            f"![Formula of {title}]({formula})" if formula else "",
            f"![A solution of {title}]({solution})" if solution else "",
            *_parameters(equation),
            "## Properties",
            table(("property", "value"), _properties(equation)),
            "## Initial states",
            _sampler(equation),
            "## Use",
            _use(equation),
            *source(equation.citation),
        ],
    )


def _parameters(equation: Equation) -> list[str]:
    if not equation.p:
        return []
    rows = [(code(k), _kind(equation, k, v), escape(number(v))) for k, v in equation.p.items()]
    return ["## Parameters", table(("name", "kind", "default"), rows)]


def _kind(equation: Equation, name: str, value: Any) -> str:
    kind = "structural" if isinstance(value, int) else "list" if isinstance(value, tuple) else "number"
    notes = [] if name in equation.params else ["derived"]
    if name in equation.least:
        notes.append(f"at least {equation.least[name]:g}")
    return ", ".join([kind, *notes])


def _properties(equation: Equation) -> list[tuple[str, str]]:
    traced = trace(equation)
    names = equation.component_names
    shown = names if len(names) <= 8 else (*names[:3], "…", *names[-2:])
    rows = [
        ("components", f"{equation.dim}: " + ", ".join(code(n) if n != "…" else n for n in shown)),
        ("time span", f"{equation.t0:g} to {equation.t_end:g}"),
        ("good steps", ", ".join(f"{dt:.6g}" for dt in equation.dts)),
        ("operations per evaluation", f"{traced.operations} (in additions; a sine counts 20)"),
        ("explicitly time-dependent", "no" if traced.is_autonomous else "yes"),
        ("separable for splitting methods", "no" if traced.halves is None else "yes"),
        ("invariants", ", ".join(escape(i.name) for i in equation.invariants) or "none declared"),
        ("closed form", "known" if equation.exact is not None else "not known"),
    ]
    if equation.lyapunov is not None:
        rows.append(("largest Lyapunov exponent", f"{equation.lyapunov:g} (time {1 / equation.lyapunov:.3g})"))
    if equation.period is not None:
        rows.append(("period of the forcing", f"{equation.period(equation.p):.12g}"))
    if equation.log_times is not None:
        first, last = equation.log_times
        rows.append(("logarithmic output times", f"{first:g} to {last:g}"))
    if equation.array_rhs is not None:
        rows.append(("array form", "yes: a few operations on whole arrays"))
    return rows


def _sampler(equation: Equation) -> str:
    text = inspect.getdoc(equation.sample)
    u = equation.initial_states(0, 1000)
    low, high = u.min(axis=1), u.max(axis=1)
    names = equation.component_names
    kept = range(equation.dim) if equation.dim <= 8 else [0, 1, equation.dim - 2, equation.dim - 1]
    rows = [(code(names[i]), f"{low[i]:.3g}", f"{high[i]:.3g}") for i in kept]
    ranges = table(("component", "least of 1000 draws", "largest"), rows)
    return f"{prose(text)}\n\n{ranges}" if text else ranges


def _use(equation: Equation) -> str:
    lines = [
        "from attns_core import Problem, build_registry",
        "",
        "registry = build_registry()",
        f"equation = registry.equation({equation.name!r})",
        "problem = Problem.sample(equation, n=8, seed=0)",
        "derivatives = equation.evaluate(problem.t0, problem.u0)",
    ]
    return "```python\n" + "\n".join(lines) + "\n```"
