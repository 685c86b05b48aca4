"""Stages weighed for each component, or block of them, by weights of its own, on explicit vectors.

Sums stay in registers; in a loop over lanes the compiler would ask before each component whether its rows overlap,
and keep sums in memory. Where neighbours share a weight it is fetched once: such sums wait for the cache. For the
same reason two rows of a full tableau are summed together, as far as the stages of the second are known: each stage
is fetched for both.
"""

import inspect
from dataclasses import dataclass
from typing import Any, TypeAlias, final

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from attns_core.kernels.layer_function import Arguments
from attns_core.kernels.loops import rolled
from attns_core.kernels.vector_arithmetic import Vectors, vector_width
from attns_core.kernels.vectors import registers

_intrinsic: Any = intrinsic

_SIDE_BY_SIDE = registers() // 4
"""Sums of a row at a time, so that those of two rows and what is added to them find room.

Eight hide the latency of a multiply-add on two units; on a processor of 16 registers, of which two rows' sums would
fill all, rows of 24 stages take 2.7 times as long with eight as with four.
"""

Slots: TypeAlias = list[list[Any]]
"""Where sums stand while they grow: of each component, of each vector of lanes."""


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
    attentive: bool = False,
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
    attentive : bool
        Weights differ from lane to lane: each is a row of ``weights``.
    onto : bool
        With ``w, h``: row ``d`` of ``w`` plus ``h``, a number or one for each lane, times the sum is left instead.
    """
    names = ["y", "row", "k", "slots", "weights", "first", "last"]
    names += ["part"] * begun + ["next_row", "next_first"] * ahead + ["w", "h"] * onto
    # Weights of lanes' own are fetched vector by vector, and serve more components the fewer vectors there are.
    tiling = _Tiling(dim, sets, lanes, vector_width(dtype, lanes, vector_bits), most=1 if attentive else _SIDE_BY_SIDE)

    def definition(context: Any, *args: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            given = Arguments(context, builder, signature, args)
            at = {name: i for i, name in enumerate(names)}
            intp = context.get_value_type(types.intp)
            vectors = Vectors(builder, dtype, tiling.width)
            per_lane = onto and isinstance(signature.args[at["h"]], types.Array)
            _Sums(tiling, given, at, builder, intp, vectors, per_lane=per_lane, attentive=attentive).write()
            return context.get_constant(types.intp, 0)

        return types.intp(*args), generate

    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, positional) for name in ("context", *names)]
    definition.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return _intrinsic(definition)


@final
@dataclass(frozen=True)
class _Tiling:
    """How components and lanes are gone through: ``rows`` components of ``side`` vectors of ``width`` at a time.

    There are at most ``most`` vectors side by side.
    """

    dim: int
    sets: int
    lanes: int
    width: int
    most: int

    @property
    def side(self) -> int:
        most = min(self.most, self.lanes // self.width)
        return next(n for n in range(most, 0, -1) if self.lanes % (n * self.width) == 0)

    @property
    def rows(self) -> int:
        return max(1, _SIDE_BY_SIDE // self.side)

    @property
    def size(self) -> int:
        """Components that share a weight."""
        return self.dim // self.sets

    @property
    def run(self) -> int:
        """Components side by side that are sure to share it."""
        if self.size % self.rows == 0:
            return self.rows
        return self.size if self.rows % self.size == 0 else 1


@final
class _Sums:
    """Writes the sums of all components and lanes; ``at`` are the places of the arguments that there are."""

    def __init__(
        self,
        tiling: _Tiling,
        given: Arguments,
        at: dict[str, int],
        builder: Any,
        intp: Any,
        vectors: Vectors,
        *,
        per_lane: bool,
        attentive: bool,
    ) -> None:
        self.tiling, self.builder, self.intp, self.v, self.at = tiling, builder, intp, vectors, at
        self.y, self.k, self.slots, self.weights = (given.pointer(at[name]) for name in ("y", "k", "slots", "weights"))
        self.first, self.last = given.index(at["first"]), given.index(at["last"])

        def start(name: str) -> Any:
            """Where a row begins."""
            return builder.mul(given.index(at[name]), intp(tiling.lanes)) if name in at else None

        self.row, self.part, self.next_row = start("row"), start("part"), start("next_row")
        # From the weights of this row to those of the row ahead.
        self.further = builder.sub(given.index(at["next_first"]), self.first) if "next_first" in at else None
        self.per_lane, self.attentive = per_lane, attentive
        if "w" in at:
            self.w = given.pointer(at["w"])
            self.h = given.pointer(at["h"]) if per_lane else vectors.everywhere(given.number(at["h"]))

    def write(self) -> None:
        tiling, intp = self.tiling, self.intp
        stride = tiling.side * tiling.width
        whole = tiling.dim - tiling.dim % tiling.rows
        with cgutils.for_range_slice(self.builder, intp(0), intp(tiling.lanes), intp(stride)) as (lane, _):
            with cgutils.for_range_slice(self.builder, intp(0), intp(whole), intp(tiling.rows)) as (d, _):
                self._tile(d, tiling.rows, lane)
            if tiling.dim > whole:
                self._tile(intp(whole), tiling.dim - whole, lane)

    def _tile(self, d: Any, count: int, lane: Any) -> None:
        """``count`` components from ``d`` on, ``side`` vectors of lanes from ``lane`` on."""
        builder = self.builder
        mine = self._sums(count)
        of_rows = [mine] if self.further is None else [mine, self._sums(count)]
        if self.part is not None:
            for c in range(count):
                for q, place in enumerate(self._places(d, c, lane)):
                    builder.store(self.v.load(self.k, builder.add(self.part, place)), mine[c][q])
        self._add(self.first, d, lane, of_rows, begun=[self.part is not None, False])
        after = builder.add(self.first, self.intp(1))
        with rolled(builder, after, self.last) as m:
            self._add(m, d, lane, of_rows, begun=[True, True])
        for c in range(count):
            for q, place in enumerate(self._places(d, c, lane)):
                total = self._onto(builder.load(mine[c][q]), place, builder.add(lane, self.intp(q * self.tiling.width)))
                self.v.store(total, self.y, builder.add(self.row, place))
                for others in of_rows[1:]:
                    self.v.store(builder.load(others[c][q]), self.k, builder.add(self.next_row, place))

    def _sums(self, count: int) -> Slots:
        return [[cgutils.alloca_once(self.builder, self.v.type) for _ in range(self.tiling.side)] for _ in range(count)]

    def _places(self, first: Any, c: int, lane: Any) -> list[Any]:
        """Where the vectors of row ``first + c`` are."""
        builder, intp = self.builder, self.intp
        start = builder.add(builder.mul(builder.add(first, intp(c)), intp(self.tiling.lanes)), lane)
        return [builder.add(start, intp(q * self.tiling.width)) for q in range(self.tiling.side)]

    def _add(self, m: Any, d: Any, lane: Any, of_rows: list[Slots], *, begun: list[bool]) -> None:
        """The ``m``-th stage to the sums of one row or two; those that are not ``begun`` begin with it."""
        builder, intp, tiling = self.builder, self.intp, self.tiling
        stage = builder.mul(builder.load(builder.gep(self.slots, [m])), intp(tiling.dim))
        terms = [m] if self.further is None else [m, builder.add(m, self.further)]
        weights: list[list[Any]] = []
        for c, slots in enumerate(zip(*of_rows, strict=True)):
            values = [self.v.load(self.k, place) for place in self._places(builder.add(stage, d), c, lane)]
            if c % tiling.run == 0:
                mine = builder.udiv(builder.add(d, intp(c)), intp(tiling.size))
                places = [builder.add(builder.mul(term, intp(tiling.sets)), mine) for term in terms]
                weights = [self._weight(place, lane) for place in places]
            for of_lanes, slot, grows in zip(weights, slots, begun, strict=False):
                for weight, value, place in zip(of_lanes, values, slot, strict=True):
                    if grows:
                        self.v.accumulate(weight, value, place)
                    else:
                        builder.store(builder.fmul(weight, value), place)

    def _weight(self, place: Any, lane: Any) -> list[Any]:
        """A weight, for each vector of lanes."""
        if not self.attentive:
            return [self.v.spread(self.weights, place)] * self.tiling.side
        return [self.v.load(self.weights, at) for at in self._places(place, 0, lane)]

    def _onto(self, total: Any, place: Any, lane: Any) -> Any:
        """``w + h`` times a sum, or the sum."""
        if "w" not in self.at:
            return total
        h = self.v.load(self.h, lane) if self.per_lane else self.h
        return self.v.fma(h, total, self.v.load(self.w, place))
