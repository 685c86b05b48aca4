"""Expressions as values of the compiler's intermediate language, with their types.

numba infers the type of every name and resolves every call, milliseconds each. Generated statements need none
of it: they are made of numbers of known type and elements of arrays, each operation rounds as written, and
the functions that they call are numba's own.
"""

import ast
import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, final

from numba import types
from numba.core import cgutils

from attns_core.kernels.elementary import fma

Typed: TypeAlias = tuple[Any, Any]
"""A value of the intermediate language and its numba type."""

_ARITHMETIC = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}
_BITS = {ast.BitAnd: "and_", ast.BitOr: "or_"}
_COMPARISONS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
_BUILTINS: Mapping[str, Any] = MappingProxyType({"abs": abs})


def unknown(node: ast.AST) -> TypeError:
    return TypeError(f"no statement of a kernel: {ast.unparse(node) or type(node).__name__}")


@final
class Expressions:
    """Evaluates expressions where a builder stands.

    Parameters
    ----------
    context, builder : numba's context and llvmlite's builder
    known : dict of name to value
        Arguments and what was computed; gains what is assigned.
    scope : mapping
        What other names mean: constants, functions and modules.
    """

    def __init__(self, context: Any, builder: Any, known: dict[str, Typed], scope: Mapping[str, Any]) -> None:
        self.context, self.builder, self.known, self.scope = context, builder, known, scope
        self.places: dict[str, Typed] = {}
        """Names whose values are kept in memory: pointer and type."""
        self._arrays = {
            name: context.make_array(kind)(context, builder, value)
            for name, (value, kind) in known.items()
            if isinstance(kind, types.Array)
        }
        flat = {name: array for name, array in self._arrays.items() if known[name][1].ndim == 1}
        self._pointers = {name: (array.data, known[name][1].dtype) for name, array in flat.items()}
        self._constants: dict[tuple[type, Any], Typed] = {}

    def value(self, node: ast.expr) -> Typed:
        match node:
            case ast.Name(id=name) if name in self.places:
                pointer, kind = self.places[name]
                return self.builder.load(pointer), kind
            case ast.Name(id=name) if name in self.known:
                return self.known[name]
            case ast.Attribute(value=ast.Name(id=name), attr="size") if name in self._arrays:
                return self._arrays[name].nitems, types.intp
            case ast.Constant() | ast.Name() | ast.Attribute():
                return self._constant(self._meaning(node))
            case ast.Subscript():
                pointer, kind = self.element(node)
                return self.context.unpack_value(self.builder, kind, pointer), kind
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=float(number) | int(number))):
                return self._constant(-number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                value, kind = self.value(operand)
                return self.builder.fneg(value) if kind in types.real_domain else self.builder.neg(value), kind
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return self.builder.not_(self.condition(operand)), types.boolean
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return self._call(operator.pow, [self.value(left), self.value(right)])
            case ast.BinOp(left=left, op=op, right=right):
                return self.arithmetic(op, self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._comparison(_COMPARISONS[type(op)], self.value(left), self.value(right))
            case ast.IfExp(test=test, body=body, orelse=orelse):
                condition = self.condition(test)
                a, b, kind = self._alike(self.value(body), self.value(orelse))
                return self.builder.select(condition, a, b), kind
            case ast.Call(func=function, args=arguments):
                return self._call(self._meaning(function), [self.value(a) for a in arguments])
        raise unknown(node)

    def binds_array(self, name: str, node: ast.expr) -> bool:
        """Let a name stand for a flat array or what follows a place in one, if that is what is assigned."""
        match node:
            case ast.Name(id=array) if array in self._pointers:
                self._pointers[name] = self._pointers[array]
            case ast.Subscript(value=ast.Name(id=array), slice=ast.Slice(lower=ast.expr() as lower, step=None)) if (
                array in self._pointers
            ):
                data, kind = self._pointers[array]
                start, _ = self.value(lower)
                self._pointers[name] = self.builder.gep(data, [start], inbounds=True), kind
            case _:
                return False
        return True

    def element(self, node: ast.expr) -> Typed:
        """Where an element of an array is, and its type; indices are taken as they are, none counts from the end."""
        match node:
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Tuple(elts=indices)) if name in self._arrays:
                places = [self.value(index)[0] for index in indices]
                kind, array = self.known[name][1], self._arrays[name]
                return cgutils.get_item_pointer(self.context, self.builder, kind, array, places), kind.dtype
            case ast.Subscript(value=ast.Name(id=name), slice=index) if name in self._pointers:
                data, kind = self._pointers[name]
                place, _ = self.value(index)
                return self.builder.gep(data, [place], inbounds=True), kind
        raise unknown(node)

    def condition(self, node: ast.expr) -> Any:
        value, kind = self.value(node)
        # A condition that was held in an array is a number.
        return value if kind == types.boolean else self._comparison("!=", (value, kind), self._constant(0))[0]

    def arithmetic(self, op: ast.operator, a: Typed, b: Typed) -> Typed:
        x, y, kind = self._alike(a, b)
        if type(op) in _BITS:
            return getattr(self.builder, _BITS[type(op)])(x, y), kind
        if type(op) not in _ARITHMETIC or (kind not in types.real_domain and type(op) is ast.Div):
            raise unknown(op)
        name = _ARITHMETIC[type(op)]
        return getattr(self.builder, f"f{name}" if kind in types.real_domain else name)(x, y), kind

    def cast(self, value: Typed, kind: Any) -> Any:
        """A value in another type."""
        return value[0] if value[1] == kind else self.context.cast(self.builder, *value, kind)

    def _meaning(self, node: ast.expr) -> Any:
        """What a number, a name or an attribute stands for."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self.scope[name] if name in self.scope else _BUILTINS[name]
            case ast.Attribute(value=value, attr=name):
                return getattr(self._meaning(value), name)
        raise unknown(node)

    def _constant(self, value: Any) -> Typed:
        # Equal numbers of other types, and zeros of other signs, are other constants.
        key = type(value), repr(value)
        if key not in self._constants:
            kind = self.context.typing_context.resolve_value_type(value)
            kind = types.intp if isinstance(kind, types.IntegerLiteral) else types.unliteral(kind)
            self._constants[key] = self.context.get_constant(kind, value), kind
        return self._constants[key]

    def _alike(self, a: Typed, b: Typed) -> tuple[Any, Any, Any]:
        """Both in the wider type of the two; whole numbers become floating point as they are."""
        (x, first), (y, second) = a, b
        if first == second:
            return x, y, first
        kinds = {first, second}
        if kinds == {types.float32, types.float64}:
            kind = types.float64
        else:
            (kind,) = kinds & types.real_domain or kinds
        return self.cast(a, kind), self.cast(b, kind), kind

    def _comparison(self, op: str, a: Typed, b: Typed) -> Typed:
        x, y, kind = self._alike(a, b)
        if kind not in types.real_domain:
            return self.builder.icmp_signed(op, x, y), types.boolean
        compare = self.builder.fcmp_unordered if op == "!=" else self.builder.fcmp_ordered
        return compare(op, x, y), types.boolean

    def _call(self, function: Any, arguments: list[Typed]) -> Typed:
        values, kinds = [a for a, _ in arguments], [kind for _, kind in arguments]
        context, builder = self.context, self.builder
        if function is fma:
            kind = kinds[0]
            return builder.fma(*(self.cast(a, kind) for a in arguments)), kind
        if function is abs and kinds[0] in types.real_domain:
            magnitude = builder.module.declare_intrinsic("llvm.fabs", [values[0].type])
            return builder.call(magnitude, values), kinds[0]
        called = context.typing_context.resolve_value_type(function)
        if isinstance(called, types.NumberClass):
            return self.cast(arguments[0], called.instance_type), called.instance_type
        signature = called.get_call_type(context.typing_context, tuple(kinds), {})
        converted = [self.cast(a, w) for a, w in zip(arguments, signature.args, strict=True)]
        written = context.get_function(called, signature)
        return written(builder, converted), signature.return_type
