r"""Learned tableaus: weights of the stages inside the step, for each component its own.

They are found in two passes:

* stage by stage, each row by least squares, so that stage ``l`` comes as close as it can to the
  solution at a node of its own, ``u(t + c_l dt)``;
* all at once, first alike for all components, then for more and more blocks of them, by Levenberg-Marquardt on the
  error of the step (:mod:`attns_core.fitting.levenberg_marquardt`).

The first pass gives a start from which the second converges in a hundred iterations; from the method's
own tableau it ends in poor minima where steps are large.
"""

from dataclasses import replace

import numpy as np

from attns_core.dataset import Dataset
from attns_core.fitting.step_model import Rows, StepModel
from attns_core.flow import compiled_flow, exact_increment, substeps_for
from attns_core.types import Array

_RIDGE = 1e-13


def drawn(data: Dataset, share: Array, most: int, seed: int) -> tuple[Dataset, Array]:
    """About ``most`` pairs, the hard ones rather than the easy ones, and the weights that make up for it.

    A pair is kept with a probability in proportion to its ``share`` (n,) (a fifth of them whatever it is), and the
    weight, one over the probability's square root, makes their mean squared error that of all pairs on average. Errors
    of steps differ by factors of thousands: drawn alike, a few pairs would stand for most of the loss.
    """
    if data.n <= most:
        return data, np.ones(data.n)
    chance = most * (0.8 * share / share.sum() + 0.2 / data.n)
    for _ in range(20):
        # Certain pairs leave the others more places.
        chance = np.minimum(1.0, chance * most / chance.sum())
    kept = np.flatnonzero(np.random.default_rng([seed, 11]).random(data.n) < chance)
    return replace(data.take(kept), units=data.scale), np.sqrt(len(kept) / data.n / chance[kept])


def starting_nodes(model: StepModel, clustered: float) -> Array:
    """Fractions of the step where stages begin their training.

    Between evenly spaced (``clustered`` 0) and those of Clenshaw and Curtis (1), without the last: there learned
    stages end up. From a method's own nodes, which are not in order, the search ends in minima ten times worse, and
    from those of Clenshaw and Curtis in one of several, up to five times worse. Where the right-hand side depends on
    time they must be the method's.
    """
    n = len(model.stages)
    if model.lin.is_autonomous:
        even = np.arange(n) / n
        return clustered * (1 - np.cos(np.pi * even)) / 2 + (1 - clustered) * even
    return model.tableau.c[model.stages]


def stage_by_stage(model: StepModel, nodes: Array) -> Rows:
    """Rows by least squares, one after another, for stages at ``nodes`` (fractions of the step)."""
    data = model.data
    rows: Rows = []
    k = [model.stage(0, data.u)]
    changes = _changes(model, nodes[1:])
    for n, change in enumerate([*changes, data.S + data.r], start=1):
        row = np.stack(
            [_least_squares(np.stack([k_j[d] for k_j in k], 1), change[d] / data.dt) for d in range(data.dim)], 1
        )
        rows.append(row)
        if n < len(model.stages):
            k.append(model.stage(n, data.u + data.dt * model.combined(row, k)))
    return rows


def _least_squares(design: Array, target: Array) -> Array:
    """Ridge least squares with columns of equal size."""
    size = np.sqrt(np.mean(design**2, axis=0))
    size = np.where(size > 0, size, 1.0)
    ridge = np.sqrt(_RIDGE * len(design)) * np.eye(len(size))
    rows = np.concatenate([design / size, ridge])
    return np.linalg.lstsq(rows, np.concatenate([target, np.zeros(len(size))]), rcond=None)[0] / size


def _changes(model: StepModel, nodes: Array) -> list[Array]:
    """What the solution changes by from each pair to each node, (dim, n)."""
    data, equation = model.data, model.data.equation
    count = substeps_for(equation, float(data.t[0]), data.u, data.dt)
    flow = compiled_flow(equation) if np.all(data.t == data.t[0]) or model.lin.is_autonomous else None

    def change(node: float) -> Array:
        dt = float(node) * data.dt
        if node == 0:
            return np.zeros_like(data.u)
        if flow is not None:
            return flow(data.t[:1], data.u, dt, count)[1][0]
        return exact_increment(equation, data.t, data.u, dt, count)

    return [change(node) for node in nodes]
