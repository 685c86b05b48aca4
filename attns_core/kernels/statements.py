"""Statements of a kernel as one function, written in the compiler's intermediate language at once.

What numba does for a function in Python - blocks, types, calls - takes seconds for a kernel's hundreds or
thousands of statements and is most of the time to a first solution. The statements that kernels are generated
from need little of it: assignments (see :mod:`attns_core.kernels.expressions`), counted loops, loops that end by
``break``, and branches.
"""

import ast
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, final

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from attns_core.kernels.expressions import Expressions, Typed, unknown
from attns_core.kernels.loops import keep_rolled

_intrinsic: Any = intrinsic


def free_names(text: str) -> list[str]:
    """Names that statements read before they assign them, functions and modules apart."""
    return _Names(ast.parse(text)).free


def statements(arguments: str, text: str, scope: Mapping[str, Any]) -> Any:
    """A function, to be called from compiled code, that executes statements.

    Parameters
    ----------
    arguments : str
        Names of its arguments: arrays and numbers.
    text : str
        Statements, one to a line: ``name = expression``, ``array[index] = expression``, both also with ``+=`` and
        the like, ``name = array`` and ``name = array[begin:end]`` of a flat array, ``for name in range(...)`` with a
        positive step, ``while True``, ``if`` and ``else``, ``break`` and ``continue``. Expressions are made of names,
        numbers, elements of arrays, ``array.size``, arithmetic, comparisons, ``a if c else b`` (both are evaluated),
        ``fma``, conversions and functions of compiled code. A name has the type of what it is first assigned; a
        counter is known in its loop.
    scope : mapping
        What other names mean: constants, functions and modules; a module's ``globals()``.

    Raises
    ------
    TypeError
        While compiling, if a statement is of another kind.
    """
    names = [name.strip() for name in arguments.split(",")]

    def definition(context: Any, *args: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            known = dict(zip(names, zip(values, signature.args, strict=True), strict=True))
            tree = ast.parse(text)
            _Writer(Expressions(context, builder, known, scope), _Names(tree, names).kept).execute(tree.body)
            return context.get_dummy_value()

        return types.void(*args), generate

    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, positional) for name in ("context", *names)]
    definition.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return _intrinsic(definition)


@final
class _Writer:
    """Executes statements; ``kept`` are the names whose values are kept in memory."""

    def __init__(self, expressions: Expressions, kept: set[str]) -> None:
        self.at, self.builder, self.kept = expressions, expressions.builder, kept
        self._loops: list[tuple[Any, Any]] = []
        for name in kept & {*expressions.known}:
            self._assign(name, expressions.known[name])

    def execute(self, body: Sequence[ast.stmt]) -> None:
        for statement in body:
            self._execute(statement)

    def _execute(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                if name in self.kept or not self.at.binds_array(name, value):
                    self._assign(name, self.at.value(value))
            case ast.Assign(targets=[ast.Subscript() as target], value=value):
                self._store(self.at.value(value), self.at.element(target))
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                before = self.at.value(ast.Name(name))
                self._assign(name, self.at.arithmetic(op, before, self.at.value(value)))
            case ast.AugAssign(target=ast.Subscript() as target, op=op, value=value):
                pointer, kind = self.at.element(target)
                before = self.at.context.unpack_value(self.builder, kind, pointer), kind
                self._store(self.at.arithmetic(op, before, self.at.value(value)), (pointer, kind))
            case ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"), args=edges), orelse=[]):
                self._count(name, edges, statement.body)
            case ast.While(test=ast.Constant(value=True), orelse=[]):
                self._repeat(statement.body)
            case ast.If():
                self._branch(statement)
            case ast.Break():
                self.builder.branch(self._loops[-1][1])
            case ast.Continue():
                self.builder.branch(self._loops[-1][0])
            case _:
                raise unknown(statement)

    def _assign(self, name: str, value: Typed) -> None:
        if name not in self.kept:
            self.at.known[name] = value
            return
        if name not in self.at.places:
            self.at.places[name] = cgutils.alloca_once(self.builder, value[0].type, name=name), value[1]
        pointer, kind = self.at.places[name]
        if value[1] != kind and (kind, value[1]) != (types.float64, types.float32):
            raise TypeError(f"{name} is {kind} and is assigned {value[1]}; a name of a kernel has one type")
        self._store(value, (pointer, kind))

    def _store(self, value: Typed, place: Typed) -> None:
        pointer, kind = place
        self.builder.store(self.at.cast(value, kind), pointer)

    def _count(self, name: str, edges: Sequence[ast.expr], body: Sequence[ast.stmt]) -> None:
        begin, end, step = [*([] if len(edges) > 1 else [ast.Constant(0)]), *edges, ast.Constant(1)][:3]
        builder, (start, kind) = self.builder, self.at.value(begin)
        stop = self.at.cast(self.at.value(end), kind)
        stride = self.at.cast(self.at.value(step), kind)
        head, inside, next_, after = (
            builder.append_basic_block(f"{name}.{part}") for part in ("head", "in", "next", "after")
        )
        before = builder.block
        builder.branch(head)
        builder.position_at_end(head)
        counter = builder.phi(start.type, name=name)
        counter.add_incoming(start, before)
        builder.cbranch(builder.icmp_signed("<", counter, stop), inside, after)
        builder.position_at_end(inside)
        hidden = self.at.known.get(name)
        self.at.known[name] = counter, kind
        self._inside(body, next_, after)
        builder.position_at_end(next_)
        counter.add_incoming(builder.add(counter, stride, flags=["nsw"]), next_)
        again = builder.branch(head)
        if _has_loop(body):
            # Copies of the loops within take seconds to compile.
            keep_rolled(builder.module, again)
        builder.position_at_end(after)
        if hidden is None:
            del self.at.known[name]
        else:
            self.at.known[name] = hidden

    def _repeat(self, body: Sequence[ast.stmt]) -> None:
        inside, after = (self.builder.append_basic_block(part) for part in ("again", "after"))
        self.builder.branch(inside)
        self.builder.position_at_end(inside)
        self._inside(body, inside, after)
        self.builder.position_at_end(after)

    def _inside(self, body: Sequence[ast.stmt], next_: Any, after: Any) -> None:
        self._loops.append((next_, after))
        self.execute(body)
        self._loops.pop()
        if not self.builder.block.is_terminated:
            self.builder.branch(next_)

    def _branch(self, statement: ast.If) -> None:
        builder = self.builder
        test = self.at.condition(statement.test)
        then, after = builder.append_basic_block("then"), builder.append_basic_block("after")
        otherwise = builder.append_basic_block("else") if statement.orelse else after
        builder.cbranch(test, then, otherwise)
        for block, body in ((then, statement.body), (otherwise, statement.orelse)):
            if body:
                builder.position_at_end(block)
                self.execute(body)
                if not builder.block.is_terminated:
                    builder.branch(after)
        builder.position_at_end(after)


def _has_loop(body: Sequence[ast.stmt]) -> bool:
    return any(
        isinstance(statement, ast.For | ast.While)
        or (isinstance(statement, ast.If) and (_has_loop(statement.body) or _has_loop(statement.orelse)))
        for statement in body
    )


@final
class _Names:
    """How statements use names.

    What is read of most names was assigned just before, in the same block or around it: these are values. Others
    are kept in memory, from which the compiler makes registers again: what is read may have been assigned in another
    branch or in the last round of a loop.

    Attributes
    ----------
    free : list of str
        Names read before they are assigned; functions and modules are not among them.
    kept : set of str
        Names to be kept in memory.
    """

    def __init__(self, tree: ast.Module, arguments: Sequence[str] = ()) -> None:
        self.kept: set[str] = set()
        self._free: dict[str, None] = {}
        # A block is the way to it; of each name, the block of the last assignment and those in which it was read since.
        self._last: dict[str, tuple[int, ...]] = dict.fromkeys(arguments, ())
        self._inner_reads: dict[str, set[tuple[int, ...]]] = {}
        self._counters: list[str] = []
        self._n_blocks = 0
        self._block(tree.body, ())
        self.free = list(self._free)

    def _block(self, body: Sequence[ast.stmt], block: tuple[int, ...]) -> None:
        for statement in body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self._read(value, block)
                    self._assign(name, block)
                case ast.AugAssign(target=ast.Name(id=name) as target, value=value):
                    self._read(value, block)
                    self._read(target, block)
                    self._assign(name, block)
                case ast.For(target=ast.Name(id=name)):
                    self._read(statement.iter, block)
                    self._counters.append(name)
                    self._inner(statement.body, block)
                    self._counters.pop()
                case ast.While():
                    self._inner(statement.body, block)
                case ast.If():
                    self._read(statement.test, block)
                    self._inner(statement.body, block)
                    self._inner(statement.orelse, block)
                case _:
                    self._read(statement, block)

    def _inner(self, body: Sequence[ast.stmt], block: tuple[int, ...]) -> None:
        self._n_blocks += 1
        self._block(body, (*block, self._n_blocks))

    def _assign(self, name: str, block: tuple[int, ...]) -> None:
        # Read before in this block, or around it: in its next round that is this value.
        if any(block[: len(b)] == b for b in self._inner_reads.get(name, ())):
            self.kept.add(name)
        self._last[name] = block

    def _read(self, node: ast.AST, block: tuple[int, ...]) -> None:
        for name in _read_names(node):
            if name in self._counters:
                continue
            if name not in self._last:
                self._free[name] = None
                continue
            last = self._last[name]
            if block[: len(last)] != last:
                self.kept.add(name)
            elif len(block) > len(last):
                self._inner_reads.setdefault(name, set()).add(block[: len(last) + 1])


def _read_names(node: ast.AST) -> Iterator[str]:
    """Names in an expression that are neither functions nor modules."""
    match node:
        case ast.Name(id=name):
            yield name
        case ast.Call(args=arguments):
            for argument in arguments:
                yield from _read_names(argument)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute):
            if attribute == "size":
                yield name
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _read_names(child)
