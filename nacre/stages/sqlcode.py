"""Expressions of nacre.sql as lines of the row plan, with Spark's rules: NULL, NaN, overflow, division by zero.

Where Spark 4 refuses a row (ANSI mode, its default) Spark 3 gives NULL, wraps, or saturates; `ansi` tells which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nacre.formats.javatext import float32
from nacre.plan.types import BITS, INTEGERS
from nacre.stages import sqlfunctions as functions
from nacre.stages.sqltypes import ARITHMETIC, COMPARISONS, DOUBLES, Expr, common, comparable, infer

if TYPE_CHECKING:
    from nacre.plan.rowcode import RowCode

FIX = {
    "overflow": "Use a wider type, or catch the case with CASE WHEN",
    "zero": "Catch the case with CASE WHEN, or NULLIF the divisor",
    "cast": "Catch the case with CASE WHEN",
}


@dataclass(frozen=True, slots=True)
class Value:
    """A variable (or a literal's source), its type, and whether it may be None."""

    name: str
    base: str
    nullable: bool = False


class Writer:
    """Writes expressions into `code`.

    Args:
        code: where the lines go.
        columns: the columns' variables: floats for FLOAT and DOUBLE, ints for integers.
        spark: version (major, minor) of the Spark whose rules hold.
    """

    def __init__(self, code: RowCode, columns: Mapping[str, Value], spark: tuple[int, int]):
        self.code = code
        self.columns = columns
        self.ansi = spark >= (4, 0)
        self.bounded = spark >= (4, 3)  # whether FLOOR and CEIL refuse what is beyond a BIGINT
        self.types = {name: value.base for name, value in columns.items()}
        self.field = ""

    def type_of(self, expr: Expr) -> str:
        return infer(expr, self.types)

    def write(self, expr: Expr) -> Value:
        """Lines for the expression; gives the variable that holds it."""
        kind = expr[0]
        if kind == "col":
            return self.columns[expr[1]]
        if kind == "lit":
            return self._literal(expr[1], expr[2])
        if kind == "cast":
            return self._cast(self.write(expr[2]), expr[1])
        if kind == "case":
            return self._case(expr)
        if kind == "in":
            return self._in(expr)
        if kind == "like":
            test = self.code.const(functions.like(expr[2]), "like")
            return self._strict([self.write(expr[1])], "boolean", lambda x: f"{test}({x}) is not None")
        return self._call(expr[1], expr[2:])

    def _literal(self, base: str, value: Any) -> Value:
        if base == "null":
            return Value(self.code.let("None", "k"), "null", True)
        if base == "decimal":
            return Value(self.code.const(Decimal(value)), "decimal")
        if base == "string":
            return Value(self.code.const(value), base)
        if base in ("float", "double"):
            number = float32(value) if base == "float" else value
            return Value(self.code.let(self.code.number(number), "k"), base)
        return Value(self.code.let(repr(value), "k"), base)

    def _strict(self, given: Sequence[Value], base: str, text: Callable[..., str], maybe: bool = False) -> Value:
        """NULL if any argument is; else the expression that `text` makes of their names, which may be None, too."""
        out = self.code.new("q")
        nulls = [each.name for each in given if each.nullable]
        names = [each.name for each in given]
        if nulls:
            with self.code.block(f"if {' or '.join(f'{name} is None' for name in nulls)}"):
                self.code.line(f"{out} = None")
            with self.code.block("else"):
                self.code.line(f"{out} = {text(*names)}")
        else:
            self.code.line(f"{out} = {text(*names)}")
        return Value(out, base, bool(nulls) or maybe)

    def _to(self, value: Value, base: str) -> Value:
        """A value under a wider type, as Spark converts arguments."""
        if value.base in (base, "null") or (base in INTEGERS and value.base in INTEGERS) or base == "decimal":
            return Value(value.name, base, value.nullable)
        if value.base == "float" and base == "double":
            return Value(value.name, base, value.nullable)
        return self._strict([value], base, lambda x: f"float({x})")

    def _refuse(self, out: str, message: str, fix: str, got: str) -> None:
        """What a row comes to that Spark 4 refuses and Spark 3 makes NULL."""
        if self.ansi:
            self.code.fail(self.field, message, "a value that Spark can compute", got, FIX[fix])
        else:
            self.code.line(f"{out} = None")

    # Logic

    def _case(self, expr: Expr) -> Value:
        base = self.type_of(expr)
        out = self.code.new("q")
        nullable = self._branches(expr[1], expr[2], base, out)
        return Value(out, base, nullable)

    def _branches(self, pairs: Sequence[Sequence[Expr]], otherwise: Expr | None, base: str, out: str) -> bool:
        if not pairs:
            value = self._to(self.write(otherwise or ["lit", "null", None]), base)
            self.code.line(f"{out} = {value.name}")
            return value.nullable
        (when, then), *rest = pairs
        with self.code.block(f"if {self.write(when).name} is True"):
            value = self._to(self.write(then), base)
            self.code.line(f"{out} = {value.name}")
        with self.code.block("else"):
            nullable = self._branches(rest, otherwise, base, out)
        return nullable or value.nullable

    def _logic(self, name: str, left: Expr, right: Expr) -> Value:
        """AND and OR: the right side is looked at only where the left one does not decide."""
        decisive = name == "or"
        first, out = self.write(left), self.code.new("q")
        with self.code.block(f"if {first.name} is {decisive}"):
            self.code.line(f"{out} = {decisive}")
        with self.code.block("else"):
            second = self.write(right)
            unknown = " or ".join(f"{each.name} is None" for each in (first, second) if each.nullable)
            rest = f"None if {unknown} else {not decisive}" if unknown else str(not decisive)
            self.code.line(f"{out} = {decisive} if {second.name} is {decisive} else {rest}")
        return Value(out, "boolean", first.nullable or second.nullable)

    def _coalesce(self, given: Sequence[Expr]) -> Value:
        base = common([self.type_of(each) for each in given])
        out = self.code.new("q")
        return Value(out, base, self._first_known(given, base, out))

    def _first_known(self, given: Sequence[Expr], base: str, out: str) -> bool:
        value = self._to(self.write(given[0]), base)
        self.code.line(f"{out} = {value.name}")
        if not value.nullable or len(given) == 1:
            return value.nullable
        with self.code.block(f"if {out} is None"):
            return self._first_known(given[1:], base, out)

    def _in(self, expr: Expr) -> Value:
        """True if equal to one; else NULL if any of them, or the value itself, is."""
        value, out = self.write(expr[1]), self.code.new("q")
        items = [self._compare("=", value, self.write(item)) for item in expr[2]]
        found = " or ".join(f"{each.name} is True" for each in items)
        unknown = " or ".join(f"{each.name} is None" for each in items if each.nullable)
        self.code.line(f"{out} = True if {found} else {f'None if {unknown} else False' if unknown else False}")
        return Value(out, "boolean", bool(unknown))

    def _compare(self, name: str, left: Value, right: Value) -> Value:
        base = comparable(left.base, right.base)
        if name == "<=>":
            equal = self._compare("=", left, right)
            both = f"{left.name} is None and {right.name} is None"
            return Value(self.code.let(f"{equal.name} is True or ({both})", "q"), "boolean")
        left, right = (self._to(each, base) for each in (left, right))
        if base in ("double", "float"):
            return self._strict([left, right], "boolean", COMPARE_DOUBLES[name].format)
        sign = "==" if name == "=" else name
        return self._strict([left, right], "boolean", lambda x, y: f"{x} {sign} {y}")

    # Calls

    def _call(self, name: str, given: Sequence[Expr]) -> Value:
        if name in ("and", "or"):
            return self._logic(name, *given)
        if name == "coalesce":
            return self._coalesce(given)
        values = [self.write(each) for each in given]
        if name in COMPARISONS:
            return self._compare(name, *values)
        if name in ARITHMETIC:
            return self._arithmetic(name, *values)
        if name in DOUBLES:
            call = self.code.const(functions.DOUBLES[name], name)
            doubles = [
                self._cast(each, "double") if each.base == "decimal" else self._to(each, "double") for each in values
            ]
            maybe = name in functions.NULL_OUTSIDE
            return self._strict(doubles, "double", lambda *names: f"{call}({', '.join(names)})", maybe)
        return self._other(name, values)

    def _other(self, name: str, values: list[Value]) -> Value:
        first = values[0]
        if name in ("isnull", "isnotnull"):
            return Value(self.code.let(f"{first.name} is {'' if name == 'isnull' else 'not '}None", "q"), "boolean")
        if name == "isnan":
            return Value(self.code.let(f"{first.name} is not None and {first.name} != {first.name}", "q"), "boolean")
        if name == "not":
            return self._strict(values, "boolean", lambda x: f"not {x}")
        if name in ("neg", "abs"):
            return self._sign(name, first)
        call = self.code.const(functions.OTHERS[name], name)
        base = self._base_of(name, first)
        if name in ("floor", "ceil", "round") and first.base in INTEGERS:
            if name != "round":
                return Value(first.name, "long", first.nullable)
            return self._integer_round(first, values[1])
        if base == "long" and self.bounded and first.base in ("float", "double"):
            self._in_long(first)
        return self._strict(values, base, lambda *names: f"{call}({', '.join(names)})")

    def _in_long(self, value: Value) -> None:
        """Refuse a number that no BIGINT is near; NaN is 0 all the same."""
        known = f"{value.name} is not None and " if value.nullable else ""
        with self.code.block(f"if {known}({value.name} >= {2.0**63} or {value.name} < {-(2.0**63)})"):
            self.code.fail(
                self.field, "[ARITHMETIC_OVERFLOW] overflow", "a number within BIGINT", value.name, FIX["overflow"]
            )

    def _base_of(self, name: str, first: Value) -> str:
        known = {"floor": "long", "ceil": "long", "length": "int"}
        return known.get(name) or ("double" if name == "round" else "string")

    def _integer_round(self, value: Value, places: Value) -> Value:
        call = self.code.const(functions.round_integer, "round")
        out = self._strict([value, places], value.base, lambda x, n: f"{call}({x}, {n})")
        return self._fitted(out)

    def _sign(self, name: str, value: Value) -> Value:
        made = self._strict([value], value.base, lambda x: f"-{x}" if name == "neg" else f"abs({x})")
        return self._fitted(made) if value.base in INTEGERS else made

    def _arithmetic(self, name: str, left: Value, right: Value) -> Value:
        base = "double" if name == "/" else common([left.base, right.base], name)
        base = "double" if base == "null" else base
        left, right = (
            self._cast(each, "double") if each.base == "decimal" else self._to(each, base) for each in (left, right)
        )
        if name in ("/", "%"):
            return self._divide(name, left, right, base)
        made = self._strict([left, right], base, lambda x, y: f"{x} {name} {y}")
        if base == "float":
            return self._strict([made], base, lambda x: f"{self.code.const(float32, 'single')}({x})")
        return self._fitted(made) if base in INTEGERS else made

    def _divide(self, name: str, left: Value, right: Value, base: str) -> Value:
        out = self.code.new("q")
        nulls = " or ".join(f"{each.name} is None" for each in (left, right) if each.nullable)
        word = "if"
        if nulls:
            with self.code.block(f"if {nulls}"):
                self.code.line(f"{out} = None")
            word = "elif"
        with self.code.block(f"{word} {right.name} == 0"):
            self._refuse(out, "[DIVIDE_BY_ZERO] Division by zero", "zero", left.name)
        with self.code.block("else"):
            if name == "/":
                self.code.line(f"{out} = {left.name} / {right.name}")
            else:
                call = functions.remainder_integer if base in INTEGERS else functions.remainder
                self.code.line(f"{out} = {self.code.const(call, 'rem')}({left.name}, {right.name})")
        return Value(out, base, bool(nulls) or not self.ansi)

    def _fitted(self, value: Value) -> Value:
        """An integer within its type: Spark 4 refuses an overflow, Spark 3 wraps it around."""
        bits = BITS[value.base]
        low, high = -(1 << bits - 1), (1 << bits - 1) - 1
        known = f"{value.name} is not None and " if value.nullable else ""
        with self.code.block(f"if {known}not {low} <= {value.name} <= {high}"):
            if self.ansi:
                self.code.fail(
                    self.field, f"[ARITHMETIC_OVERFLOW] {value.base} overflow", f"{low} to {high}", value.name,
                    FIX["overflow"],
                )  # fmt: skip
            else:
                self.code.line(f"{value.name} = {self.code.const(functions.wrapper(bits), 'wrap')}({value.name})")
        return value

    def _cast(self, value: Value, base: str) -> Value:
        if value.base in (base, "null"):
            return Value(value.name, base, value.nullable)
        if value.base in INTEGERS and base in INTEGERS and BITS[value.base] <= BITS[base]:
            return Value(value.name, base, value.nullable)
        call = self.code.const(functions.caster(value.base, base, self.ansi), "cast")
        out = self._strict([value], base, lambda x: f"{call}({x})", maybe=True)
        if not functions.may_refuse(value.base, base):
            return Value(out.name, base, value.nullable)
        if self.ansi:  # a cast that fails gives None
            known = f"{value.name} is not None and " if value.nullable else ""
            with self.code.block(f"if {known}{out.name} is None"):
                message = f"[CAST_INVALID_INPUT] The value cannot be cast to {base.upper()}"
                self.code.fail(self.field, message, f"a value that is a {base.upper()}", value.name, FIX["cast"])
        return Value(out.name, base, value.nullable or not self.ansi)


COMPARE_DOUBLES = {
    "=": "({0} == {1} or ({0} != {0} and {1} != {1}))",
    "!=": "not ({0} == {1} or ({0} != {0} and {1} != {1}))",
    "<": "({0} < {1} or ({1} != {1} and {0} == {0}))",
    "<=": "({0} <= {1} or {1} != {1})",
    ">": "({0} > {1} or ({0} != {0} and {1} == {1}))",
    ">=": "({0} >= {1} or {0} != {0})",
}
"""NaN equals NaN and is larger than any other number."""
