"""Which series a figure names: few enough to be read; the tables have all."""

import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from attns_harness.analysis.frames import Frame
from attns_harness.analysis.work_precision import COSTS, WorkPrecisionSet

MOST_SERIES = 16
"""More series than this cannot be told apart in one diagram."""


def leaders(points: WorkPrecisionSet, problem: str, *, error: str, cost: str) -> list[str]:
    """Series of a problem in the order in which a reader wants to see them.

    Classical solvers that are cheapest somewhere, then the best series of every corrector, then the best
    of every family of classical methods, of every method with a corrector, and the rest; within each
    group by smallest error (geometric mean over seeds). What has no mark in a diagram (:func:`marked`)
    comes last.
    """
    names = points.series(problem)
    curves = {name: points.curve(problem, name, error=error, cost=cost).means() for name in names}
    ranked = sorted(curves, key=lambda name: (curves[name].empty, curves[name]["error"].min(), name))
    facts = points.table[points.table["problem"] == problem].drop_duplicates("series").set_index("series")
    method, corrector, solver = (facts[c].to_dict() for c in ("method", "corrector", "solver"))
    learned = [name for name in ranked if facts.loc[name, "learned"]]
    classical = [name for name in ranked if not facts.loc[name, "learned"]]

    def family(name: str) -> object:
        known = points.tags.get(solver[name], frozenset())
        return frozenset(t for t in known if not t.startswith("order-"))

    order = [
        *_on_the_front({name: curves[name] for name in classical}),
        *_first(learned, lambda name: corrector[name]),
        *_first(classical, family),
        *_first(learned, lambda name: (method[name], corrector[name])),
        *classical,
        *learned,
    ]
    visible = set(marked(points, problem, names, error=error, cost=cost))
    return sorted(dict.fromkeys(order), key=lambda name: name not in visible)


def marked(points: WorkPrecisionSet, problem: str, names: Iterable[str], *, error: str, cost: str) -> list[str]:
    """Those of ``names`` with a point, or an attempt of known cost that failed."""
    found = []
    for name in names:
        curve = points.curve(problem, name, error=error, cost=cost)
        if curve.error.size or (curve.failures[COSTS[cost][0]] > 0).any():
            found.append(name)
    return found


def named(points: WorkPrecisionSet, problem: str, *, error: str, cost: str, most: int = MOST_SERIES) -> list[str]:
    """At most ``most`` leaders, in the order of :meth:`WorkPrecisionSet.series`."""
    everything = points.series(problem)
    if len(everything) <= most:
        return everything
    kept = set(leaders(points, problem, error=error, cost=cost)[:most])
    return [name for name in everything if name in kept]


def short_labels(shown: Iterable[str], everything: Sequence[str]) -> dict[str, str]:
    """Labels without a solver's options in brackets, where no other of ``everything`` differs in them only."""
    options: dict[str, set[str]] = {}
    for name in everything:
        bare, chosen, _ = _split(name)
        options.setdefault(bare, set()).add(chosen)
    labels = {}
    for name in shown:
        bare, _, rest = _split(name)
        labels[name] = bare + rest if len(options.get(bare, ())) == 1 else name
    return labels


def _split(name: str) -> tuple[str, str, str]:
    """``rk4+attns[width=80], 20 traj.`` as solver, options and the rest."""
    found = re.match(r"([^\[,]*)(\[[^\]]*\])?(.*)", name, re.DOTALL)
    assert found is not None
    return found[1], found[2] or "", found[3]


def _first(names: Iterable[str], key: Callable[[str], object]) -> list[str]:
    """The first name of every group."""
    found: dict[object, str] = {}
    for name in names:
        found.setdefault(key(name), name)
    return list(found.values())


def _on_the_front(means: dict[str, Frame]) -> list[str]:
    """Series with a point that no cheaper or equally cheap one of another beats."""
    rows = [(c, e, name) for name, mean in means.items() for c, e in zip(mean["cost"], mean["error"], strict=True)]
    found, best = [], np.inf
    for _, error, name in sorted(rows):
        if error < best:
            best = error
            found.append(name)
    return list(dict.fromkeys(found))


def others(shown: int, everything: int) -> str:
    """A sentence on the series that a diagram leaves out; empty where there are none."""
    return f" {everything - shown} more series are in the tables." if everything > shown else ""
