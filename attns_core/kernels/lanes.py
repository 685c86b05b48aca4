"""Loops over the lanes of a block, the innermost ones: what the compiler vectorises.

A loop among the statements of a trajectory would be innermost in their place. The lane loop is therefore
written in parts, before, inside and after it, and values that pass from one part to another wait in an array,
one row of lanes for each.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

from attns_core.kernels.emit import LITERAL
from attns_core.kernels.source import Loop, Source, Statement, indented
from attns_core.kernels.statements import free_names

HEAD = "for l in range(L)"
_NAME = re.compile(r"[A-Za-z_]\w*")
_TARGET = re.compile(r"([A-Za-z_]\w*) = ")


@contextmanager
def written(out: Source) -> Iterator[None]:
    """What is written inside becomes one function of statements, called here: nothing is left to infer."""
    mark = out.mark()
    out.is_direct = True
    yield
    out.is_direct = False
    _call(out, indented(out.take(mark)))


@contextmanager
def lane_loop(out: Source) -> Iterator[None]:
    """``for l in range(L)`` over the assignments written inside, each part as a function of statements.

    What passes from one part to another is held in working precision, so doubles must be read again
    after a loop.
    """
    mark = out.mark()
    with out.block(HEAD):
        yield
    _write(out, _parts([statement for _, statement in out.take(mark)[1:]]))


@final
@dataclass
class _Part:
    """A stretch of statements; with ``loop`` one that is repeated."""

    statements: list[str]
    loop: Loop | None = None

    def __post_init__(self) -> None:
        self.written: set[str] = set()
        self.needed: list[str] = []
        certain: set[str] = set()
        own = {_NAME.match(line)[0] for line in self.loop.common} if self.loop else set()  # pyright: ignore[reportOptionalSubscript]
        for text in self.statements:
            target = _TARGET.match(text)
            value = text[target.end() :] if target else text
            names = dict.fromkeys(_NAME.findall(value))
            self.needed += [n for n in names if n not in certain and n not in own and n not in self.needed]
            if target:
                self.written.add(target[1])
                certain.add(target[1])
        self.certain = certain


def _parts(statements: Sequence[Statement]) -> list[_Part]:
    parts: list[_Part] = []
    stretch: list[str] = []
    for statement in statements:
        if isinstance(statement, Loop):
            parts += [_Part(stretch), _Part(list(statement.lines), statement)]
            stretch = []
        else:
            stretch.append(statement)
    return [part for part in (*parts, _Part(stretch)) if part.statements]


def _write(out: Source, parts: Sequence[_Part]) -> None:
    alive: list[set[str]] = [set()]
    for part in reversed(parts):
        alive.append(set(part.needed) | (alive[-1] - part.certain))
    after = alive[-2::-1]
    rows: dict[str, int] = {}
    before: set[str] = set()
    for part, later in zip(parts, after, strict=True):
        # A loop hands its values from one round to the next.
        later = later | set(part.needed) if part.loop else later
        for name in sorted(part.written & later):
            rows.setdefault(name, len(rows))
        loads = [f"{n} = held[{rows[n]} * L + l]" for n in part.needed if n in rows and n in before | part.written]
        stores = [f"held[{rows[n]} * L + l] = {n}" for n in sorted(part.written & later)]
        before |= part.written
        if part.loop is None:
            _loop(out, loads, part.statements, stores)
        else:
            with out.block(part.loop.head):
                out.lines(part.loop.common)
                _loop(out, loads, part.statements, stores)
    out.held = max(out.held, len(rows))


def _loop(out: Source, loads: Sequence[str], statements: Sequence[str], stores: Sequence[str]) -> None:
    lines = [*loads, *statements, *stores]
    with out.block(HEAD):
        if out.is_direct:
            out.lines(lines)
        else:
            _call(out, lines)


def _call(out: Source, lines: Sequence[str]) -> None:
    """Statements as a function of their own, called here."""
    text = "\n".join(lines)
    names = ", ".join(name for name in free_names(text) if name != "L" and not LITERAL.fullmatch(name))
    function = f"part{out.n_definitions}"
    out.define([f'{function} = statements("{names}", """\n{text}\n""", globals())'])
    out.line(f"{function}({names})")
