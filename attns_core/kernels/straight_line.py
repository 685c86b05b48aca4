"""Straight-line statements as one function, written in the compiler's intermediate language at once.

numba infers the type of every name and resolves every call, milliseconds each: for the thousands of
statements of a step of high order that is most of the time to a first solution. These statements need
none of it. They assign numbers of known type to names and to elements of flat arrays, each operation rounds
as written, and the functions that they call are numba's own.
"""

import ast
import inspect
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, final

from numba import types
from numba.extending import intrinsic

from attns_core.kernels.elementary import fma

_intrinsic: Any = intrinsic

_Typed: TypeAlias = tuple[Any, Any]
"""A value of the intermediate language and its numba type."""

_ARITHMETIC = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_BITS = {ast.BitAnd: "and_", ast.BitOr: "or_"}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


def free_names(statements: Iterable[str]) -> list[str]:
    """Names that statements use before they assign them, functions and modules apart."""
    assigned: set[str] = set()
    found: dict[str, None] = {}
    for statement in ast.parse("\n".join(statements)).body:
        assert isinstance(statement, ast.Assign)
        (target,) = statement.targets
        apart = {id(n.func) for n in ast.walk(statement) if isinstance(n, ast.Call)}
        apart |= {id(n.value) for n in ast.walk(statement) if isinstance(n, ast.Attribute)}
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node is not target and id(node) not in apart and node.id not in assigned:
                found[node.id] = None
        if isinstance(target, ast.Name):
            assigned.add(target.id)
    return list(found)


def straight_line(arguments: str, statements: str, scope: Mapping[str, Any]) -> Any:
    """A function, to be called from compiled code, that executes statements.

    Parameters
    ----------
    arguments : str
        Names of its arguments: flat arrays and numbers.
    statements : str
        One to a line, each ``name = expression`` or ``array[index] = expression``. Expressions are made of names,
        numbers, elements of arrays, arithmetic, comparisons, ``a if c else b`` (both are evaluated), ``fma``,
        conversions and functions of compiled code.
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
            writer = _Writer(context, builder, known, scope)
            for statement in ast.parse(statements).body:
                writer.execute(statement)
            return context.get_dummy_value()

        return types.void(*args), generate

    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, positional) for name in ("context", *names)]
    definition.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return _intrinsic(definition)


@final
class _Writer:
    """Executes statements on typed values."""

    def __init__(self, context: Any, builder: Any, known: dict[str, _Typed], scope: Mapping[str, Any]) -> None:
        self.context, self.builder, self.known, self.scope = context, builder, known, scope
        self._pointers = {
            name: context.make_array(kind)(context, builder, value).data
            for name, (value, kind) in known.items()
            if isinstance(kind, types.Array)
        }

    def execute(self, statement: ast.stmt) -> None:
        if not isinstance(statement, ast.Assign):
            raise _unknown(statement)
        (target,) = statement.targets
        value, kind = self.value(statement.value)
        if isinstance(target, ast.Name):
            self.known[target.id] = value, kind
            return
        pointer, wanted = self._element(target)
        self.builder.store(self.context.cast(self.builder, value, kind, wanted), pointer)

    def value(self, node: ast.expr) -> _Typed:
        match node:
            case ast.Name(id=name) if name in self.known:
                return self.known[name]
            case ast.Constant() | ast.Name() | ast.Attribute():
                return self._constant(self._meaning(node))
            case ast.Subscript():
                pointer, kind = self._element(node)
                return self.builder.load(pointer), kind
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=float(number) | int(number))):
                return self._constant(-number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value, kind = self.value(operand)
                return self.builder.fneg(value) if kind in types.real_domain else self.builder.neg(value), kind
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.builder.not_(self._condition(operand)), types.boolean
            case ast.BinOp(left=left, op=op, right=right):
                return self._arithmetic(op, self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._comparison(_COMPARISONS[type(op)], self.value(left), self.value(right))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition = self._condition(test)
                a, b, kind = self._alike(self.value(body), self.value(orelse))
                return self.builder.select(condition, a, b), kind
            case ast.Call(func=function, args=arguments):
                return self._call(self._meaning(function), [self.value(a) for a in arguments])
        raise _unknown(node)

    def _meaning(self, node: ast.expr) -> Any:
        """What a number, a name or an attribute stands for."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.scope[name] if name in self.scope else _BUILTINS[name]
            case ast.Attribute(value=value, attr=name):
                return getattr(self._meaning(value), name)
        raise _unknown(node)

    def _constant(self, value: Any) -> _Typed:
        kind = self.context.typing_context.resolve_value_type(value)
        kind = types.intp if isinstance(kind, types.IntegerLiteral) else types.unliteral(kind)
        return self.context.get_constant(kind, value), kind

    def _element(self, node: ast.expr) -> tuple[Any, Any]:
        """Where an element of an array is, and its type."""
        match node:
            case ast.Subscript(value=ast.Name(id=name), slice=index) if name in self._pointers:
                place, _ = self.value(index)
                kind = self.known[name][1]
                return self.builder.gep(self._pointers[name], [place], inbounds=True), kind.dtype
        raise _unknown(node)

    def _condition(self, node: ast.expr) -> Any:
        value, kind = self.value(node)
        # A condition that was held in an array is a number.
        return value if kind == types.boolean else self._comparison("!=", (value, kind), self._constant(0))[0]

    def _alike(self, a: _Typed, b: _Typed) -> tuple[Any, Any, Any]:
        """Both in the wider type of the two; whole numbers become floating point as they are."""
        (x, first), (y, second) = a, b
        if first == second:
            return x, y, first
        kinds = {first, second}
        if kinds == {types.float32, types.float64}:
            kind = types.float64
        else:
            (kind,) = kinds & types.real_domain or kinds
        return self.context.cast(self.builder, x, first, kind), self.context.cast(self.builder, y, second, kind), kind

    def _arithmetic(self, op: ast.operator, a: _Typed, b: _Typed) -> _Typed:
        x, y, kind = self._alike(a, b)
        if type(op) in _BITS:
            return getattr(self.builder, _BITS[type(op)])(x, y), kind
        if type(op) not in _ARITHMETIC:
            raise _unknown(op)
        name = _ARITHMETIC[type(op)]
        return getattr(self.builder, f"f{name}" if kind in types.real_domain else name)(x, y), kind

    def _comparison(self, op: str, a: _Typed, b: _Typed) -> _Typed:
        x, y, kind = self._alike(a, b)
        if kind not in types.real_domain:
            return self.builder.icmp_signed(op, x, y), types.boolean
        compare = self.builder.fcmp_unordered if op == "!=" else self.builder.fcmp_ordered
        return compare(op, x, y), types.boolean

    def _call(self, function: Any, arguments: list[_Typed]) -> _Typed:
        values, kinds = [a for a, _ in arguments], [kind for _, kind in arguments]
        context, builder = self.context, self.builder
        if function is fma:
            kind = kinds[0]
            return builder.fma(*(context.cast(builder, v, k, kind) for v, k in arguments)), kind
        if function is abs and kinds[0] in types.real_domain:
            magnitude = builder.module.declare_intrinsic("llvm.fabs", [values[0].type])
            return builder.call(magnitude, values), kinds[0]
        called = context.typing_context.resolve_value_type(function)
        if isinstance(called, types.NumberClass):
            return context.cast(builder, values[0], kinds[0], called.instance_type), called.instance_type
        signature = called.get_call_type(context.typing_context, tuple(kinds), {})
        converted = [context.cast(builder, v, k, w) for v, k, w in zip(values, kinds, signature.args, strict=True)]
        written = context.get_function(called, signature)
        return written(builder, converted), signature.return_type


_BUILTINS: Mapping[str, Any] = MappingProxyType({"abs": abs})


def _unknown(node: ast.AST) -> TypeError:
    return TypeError(f"no straight-line statement: {ast.unparse(node) or type(node).__name__}")
