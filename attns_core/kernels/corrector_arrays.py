"""The numbers of a corrector as arrays that its kernel takes."""

from typing import Any

import numpy as np

from attns_core.kernels.tiled_layer import UNITS

ARGUMENTS = "mean, rscale, constant, linear, heads, limits, ranges, layers, shapes, mix, parents, variables"

EACH = ("mean", "rscale", "constant", "linear", "heads", "limits", "ranges", "mix")
"""Arguments that every corrector of a sequence has of its own, besides the tuples ``layers`` and ``shapes``."""


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
    half_turns: bool = False,
) -> tuple[Any, ...]:
    """A corrector's numbers as the kernel's arguments, in the order of ``ARGUMENTS``.

    ``layers`` are ``(weight, bias, shape)``; ``weights`` may be None, or has shape
    ``(n_features, n_values, dim or 1)``. With ``half_turns``, the last layer's inputs are divided by pi.
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
        parents, variables, rows = monomial_table(np.asarray(exponents, dtype=np.int64), rows)
    packed, shapes = [], []
    for i, (weight, bias, shape) in enumerate(layers):
        matrix = np.concatenate([weight, np.asarray(bias)[:, None]], axis=1)
        shape = np.asarray(shape, dtype=np.float64)
        shape = shape[:, None] if shape.ndim == 1 and shape.size else shape
        shape = np.zeros((1, 1)) if shape.size == 0 else shape
        if i == len(layers) - 1:
            matrix = matrix / np.pi if half_turns else matrix
            # Whole groups of units: the last unit again, with nothing taken from it.
            extra = -len(matrix) % UNITS
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


def monomial_table(exponents: Any, rows: Any) -> tuple[Any, Any, Any]:
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
