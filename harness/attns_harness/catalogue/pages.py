"""Pages of methods, correctors, metrics and everything else that is registered."""

import dataclasses
from typing import Any

import numpy as np

from attns_core.corrector import Corrector
from attns_core.exponential import ExponentialRungeKutta
from attns_core.method import AbstractMethod, ExplicitRungeKutta, Rosenbrock, Splitting
from attns_core.metric import Metric
from attns_harness.catalogue.text import code, escape, join, prose, source, summary, table


def method_page(method: AbstractMethod) -> str:
    """Order, error estimate and coefficients."""
    rows = [("order", str(method.order)), ("adaptive steps", "yes" if method.is_adaptive else "no")]
    coefficients = ""
    if isinstance(method, ExplicitRungeKutta):
        rows += [
            ("stages", str(method.tableau.stages)),
            ("evaluations per fixed step", str(method.tableau.effective_stages)),
            ("first same as last", "yes" if method.tableau.is_fsal else "no"),
        ]
        coefficients = _tableau(method)
    elif isinstance(method, Splitting):
        rows.append(("force evaluations per step", str(method.stages)))
        coefficients = table(("part", "coefficients"), [(n, _numbers(getattr(method, n))) for n in ("drift", "kick")])
    elif isinstance(method, Rosenbrock):
        rows += [("stages", str(method.stages)), ("evaluations per step", str(method.evaluations))]
        rows.append(("linear systems per step", f"{method.stages}, one matrix"))
    elif isinstance(method, ExponentialRungeKutta):
        rows.append(("stages", str(method.stages)))
    about = [f"{code(method.name)} · " + ", ".join(map(escape, sorted(method.tags))), summary(type(method))]
    properties = ["## Properties", table(("property", "value"), rows)]
    shown = ["## Coefficients", coefficients] if coefficients else []
    return join(method.title, [*about, *properties, *shown, *source(method.citation)])


def _tableau(method: ExplicitRungeKutta) -> str:
    t = method.tableau
    s = t.stages
    rows = [(f"{t.c[i]:.6g}", *(f"{t.a[i, j]:.6g}" if t.a[i, j] else "" for j in range(s))) for i in range(s)]
    rows.append(("**b**", *(f"{b:.6g}" for b in t.b)))
    if t.b_error is not None:
        rows.append(("**error**", *(f"{b:.6g}" for b in t.b_error)))
    return table(("c", *(f"k{j + 1}" for j in range(s))), rows)


def _numbers(values: Any) -> str:
    return ", ".join(f"{v:.6g}" for v in np.atleast_1d(values))


def corrector_page(corrector: Corrector) -> str:
    """What it adds to a step, and its options."""
    texts = {"name", "title", "description", "citation", "tags"}
    options = [
        (code(f.name), code(getattr(corrector, f.name)))
        for f in dataclasses.fields(corrector)
        if f.init and f.name not in texts
    ]
    return join(
        corrector.title,
        [
            f"{code(corrector.name)} · " + ", ".join(map(escape, sorted(corrector.tags))),
            prose(corrector.description),
            "## Options",
            table(("option", "value"), options),
            *source(corrector.citation),
        ],
    )


def metric_page(metric: Metric) -> str:
    """The columns it fills, with their definitions."""
    columns = table(("column", "definition"), [(code(k), escape(v)) for k, v in metric.columns.items()])
    return join(metric.title, [code(metric.name), summary(metric.compute), columns, *source(metric.citation)])


def plain_page(thing: Any) -> str:
    """Recipes, backends, solvers and kinds that plugins bring: name, title, docstring, source."""
    title = getattr(thing, "title", "") or thing.name
    tags = ", ".join(map(escape, sorted(getattr(thing, "tags", ()))))
    citation = getattr(thing, "citation", None)
    heading = f"{code(thing.name)} · {tags}" if tags else code(thing.name)
    return join(title, [heading, prose(getattr(thing, "description", "")) or summary(type(thing)), *source(citation)])
