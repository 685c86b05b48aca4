"""Stages weighed for each component, or block of them, by weights of its own, on explicit vectors.

Sums stay in registers; in a loop over lanes the compiler would ask before each component whether its rows overlap,
and keep sums in memory. Where neighbours share a weight it is fetched once: such sums wait for the cache. For the
same reason two rows of a full tableau are summed together, as far as the stages of the second are known: each stage
is fetched for both.
"""

import inspect
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from attns_core.kernels.layer_function import Arguments
from attns_core.kernels.vector_arithmetic import Vectors, vector_width

_intrinsic: Any = intrinsic

_SUMS = 8
"""Sums of a row side by side: as many as hide the latency of a multiply-add on two units."""


def component_sums(
    *,
    dim: int,
    sets: int,
    dtype: str,
    lanes: int,
    vector_bits: int,
    onto: bool,
    ahead: bool = False,
    begun: bool = False,
) -> Any:
    """The function ``sums(y, row, k, slots, weights, first, last, ...)``; it returns 0.

    It leaves ``sum_m weights[m * sets + d // (dim // sets)] * k[slots[m] * dim + d]`` over ``m`` from ``first`` to
    ``last`` in row ``row + d`` of ``y``, added in this order from the first product on. Rows have ``lanes`` values;
    ``y`` may be ``k``, in rows that the sum does not use. Further arguments, in this order:

    Parameters
    ----------
    dim : int
        Components.
    sets : int
        Sets of weights, each of which serves as many neighbouring components; it divides ``dim``.
    dtype : {"float64", "float32"}
    lanes : int
    vector_bits : int
        Width of a vector; narrower where ``lanes`` is no multiple of it.
    begun : bool
        With ``part``: what stands in rows ``part + d`` of ``k`` is the sum's beginning.
    ahead : bool
        With ``next_row, next_first``: the same stages weighed by the weights from ``next_first`` on, left in rows
        ``next_row + d`` of ``k``, are another sum's beginning.
    onto : bool
        With ``w, h``: row ``d`` of ``w`` plus ``h``, a number or one for each lane, times the sum is left instead.
    """
    names = ["y", "row", "k", "slots", "weights", "first", "last"]
    names += ["part"] * begun + ["next_row", "next_first"] * ahead + ["w", "h"] * onto
    width = vector_width(dtype, lanes, vector_bits)
    side = next(n for n in range(min(_SUMS, lanes // width), 0, -1) if lanes % (n * width) == 0)
    rows = max(1, _SUMS // side)
    size = dim // sets
    run = rows if size % rows == 0 else size if rows % size == 0 else 1
    """Sums side by side that are sure to have one weight."""

    def definition(context: Any, *args: Any) -> Any:
        signature = types.intp(*args)
        at = {name: i for i, name in enumerate(names)}

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = Arguments(context, builder, signature, args)
            intp = context.get_value_type(types.intp)
            v = Vectors(builder, dtype, width)
            out, stages, slot_of, factors = (given.pointer(at[name]) for name in ("y", "k", "slots", "weights"))
            begin, end = given.index(at["first"]), given.index(at["last"])

            def lanes_from(name: str) -> Any:
                return builder.mul(given.index(at[name]), intp(lanes))

            offset = lanes_from("row")
            base = given.pointer(at["w"]) if onto else None
            per_lane = onto and isinstance(signature.args[at["h"]], types.Array)
            h = None
            if onto:
                h = given.pointer(at["h"]) if per_lane else v.everywhere(given.number(at["h"]))
            # Where the weights of the row ahead are, from those of this row.
            further = builder.sub(given.index(at["next_first"]), begin) if ahead else None

            def group(d: Any, count: int, lane: Any) -> None:
                """``count`` components from ``d`` on, ``side`` vectors of lanes from ``lane`` on."""

                def sums() -> list[list[Any]]:
                    return [[cgutils.alloca_once(builder, v.type) for _ in range(side)] for _ in range(count)]

                def places(c: int, first: Any) -> list[Any]:
                    start = builder.add(builder.mul(builder.add(first, intp(c)), intp(lanes)), lane)
                    return [builder.add(start, intp(q * width)) for q in range(side)]

                def terms(m: Any, all_sums: list[list[list[Any]]], *, add: list[bool]) -> None:
                    first = builder.add(builder.mul(builder.load(builder.gep(slot_of, [m])), intp(dim)), d)
                    found: list[Any] = []
                    of_rows = [m] if further is None else [m, builder.add(m, further)]
                    for c in range(count):
                        values = [v.load(stages, place) for place in places(c, first)]
                        if c % run == 0:
                            mine = builder.udiv(builder.add(d, intp(c)), intp(size))
                            found = [
                                v.spread(factors, builder.add(builder.mul(of, intp(sets)), mine)) for of in of_rows
                            ]
                        for weight, slot, adds in zip(found, all_sums, add, strict=True):
                            for q, value in enumerate(values):
                                if adds:
                                    v.accumulate(weight, value, slot[c][q])
                                else:
                                    builder.store(builder.fmul(weight, value), slot[c][q])

                mine = sums()
                all_sums = [mine, sums()] if ahead else [mine]
                if begun:
                    part = lanes_from("part")
                    for c in range(count):
                        for q, place in enumerate(places(c, d)):
                            builder.store(v.load(stages, builder.add(part, place)), mine[c][q])
                terms(begin, all_sums, add=[begun, False][: len(all_sums)])
                with cgutils.for_range_slice(builder, builder.add(begin, intp(1)), end, intp(1)) as (m, _):
                    terms(m, all_sums, add=[True, True][: len(all_sums)])
                for c in range(count):
                    for q, place in enumerate(places(c, d)):
                        total = builder.load(mine[c][q])
                        if onto:
                            factor = v.load(h, builder.add(lane, intp(q * width))) if per_lane else h
                            total = v.fma(factor, total, v.load(base, place))
                        v.store(total, out, builder.add(offset, place))
                        if ahead:
                            value = builder.load(all_sums[1][c][q])
                            v.store(value, stages, builder.add(lanes_from("next_row"), place))

            with cgutils.for_range_slice(builder, intp(0), intp(lanes), intp(side * width)) as (lane, _):
                whole = dim - dim % rows
                with cgutils.for_range_slice(builder, intp(0), intp(whole), intp(rows)) as (d, _):
                    group(d, rows, lane)
                if dim > whole:
                    group(intp(whole), dim - whole, lane)
            return context.get_constant(types.intp, 0)

        return signature, generate

    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, positional) for name in ("context", *names)]
    definition.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return _intrinsic(definition)
