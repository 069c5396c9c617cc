"""Expressions of nacre.sql over whole columns, for the usual kinds of them: arithmetic, comparisons, logic, CASE,
functions of texts and of doubles. What is not among them (`Unusual`) is left to the lines that score a row.

The rules are those of `sqlcode`, in the same order, so that both give the same bits and refuse the same rows with the
same words: a part is looked at only in the rows in which a row's own lines would come to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nacre.formats.javatext import float32
from nacre.plan.types import BITS, INTEGERS
from nacre.stages import sqlfunctions as functions
from nacre.stages.sqlcode import FIX
from nacre.stages.sqltypes import COMPARISONS, DOUBLES, TEXTS, Expr, common, comparable, infer

if TYPE_CHECKING:
    from nacre.plan.frame import Bools, Result

CALLS = (*TEXTS, "length", "concat", "substring")


class Unusual(Exception):  # noqa: N818 - no error: the rows are scored one by one then
    """A part that is only offered for single rows."""


class Values(NamedTuple):
    """A column: integers in 64 bits, floats as doubles, texts as objects; `null` where it is NULL."""

    data: np.ndarray
    null: Bools
    base: str

    def item(self, row: int) -> Any:
        return None if self.null[row] else self.data[row].item() if self.base != "string" else self.data[row]


KINDS = {"boolean": np.bool_, "string": np.object_, "double": np.float64, "float": np.float64, "null": np.float64}
EMPTY = {"string": "", "boolean": False}


def kind_of(base: str) -> Any:
    return KINDS.get(base, np.int64)


class Columns:
    """Evaluates expressions.

    Args:
        columns: by name.
        count: number of rows.
        spark: version (major, minor) of the Spark whose rules hold.
        result: where refused rows go.
    """

    def __init__(self, columns: Mapping[str, Values], count: int, spark: tuple[int, int], result: Result):
        self.columns = columns
        self.types = {name: value.base for name, value in columns.items()}
        self.count = count
        self.ansi = spark >= (4, 0)
        self.result = result
        self.alive = np.ones(count, bool)
        """Rows that are neither refused nor dropped so far."""
        self.field = ""

    def value(self, expr: Expr, active: Bools) -> Values:
        """The expression's values; arbitrary where a row is not active. Raises Unusual."""
        kind = expr[0]
        if kind == "col":
            return self.columns[expr[1]]
        if kind == "lit":
            return self._literal(expr[1], expr[2])
        if kind == "cast":
            return self._cast(self.value(expr[2], active), expr[1], active)
        if kind == "case":
            return self._case(expr[1], expr[2], infer(expr, self.types), active)
        if kind == "in":
            return self._in(expr, active)
        if kind == "like":
            test = functions.like(expr[2])
            return self._mapped(lambda x: test(x) is not None, [self.value(expr[1], active)], "boolean", active)
        return self._call(expr[1], expr[2:], active)

    def _literal(self, base: str, value: Any) -> Values:
        if base == "null":
            return Values(np.zeros(self.count), np.ones(self.count, bool), base)
        if base == "decimal":
            return Values(np.full(self.count, Decimal(value), object), np.zeros(self.count, bool), base)
        data = np.full(self.count, float32(value) if base == "float" else value, kind_of(base))
        return Values(data, np.zeros(self.count, bool), base)

    def _mapped(self, call: Callable[..., Any], given: Sequence[Values], base: str, active: Bools) -> Values:
        """A Python function of each row's values; NULL where any is, or where it gives None."""
        null = _nulls(given)
        rows = np.flatnonzero(active & self.alive & ~null)
        data = np.full(self.count, EMPTY.get(base, 0), kind_of(base))
        answers = [call(*row) for row in zip(*(each.data[rows].tolist() for each in given), strict=True)]
        missing = np.array([each is None for each in answers], bool)
        data[rows] = [EMPTY.get(base, 0) if each is None else each for each in answers]
        null = null.copy()
        null[rows[missing]] = True
        return Values(data, null, base)

    def _to(self, value: Values, base: str) -> Values:
        """A value under a wider type, as Spark converts arguments."""
        if value.base == base or (base in INTEGERS and value.base in INTEGERS):
            return value._replace(base=base)
        if value.base == "null":
            return Values(np.full(self.count, EMPTY.get(base, 0), kind_of(base)), value.null, base)
        if base == "decimal":
            raise Unusual
        return Values(value.data.astype(np.float64), value.null, base)

    def _refuse(self, mask: Bools, message: str, expected: str, got: Values, fix: str) -> None:
        bad = mask & self.alive
        self.result.fail(bad, self.field, message, expected=expected, got=got.item, fix=FIX[fix])
        self.alive &= ~bad

    # Logic

    def _case(self, pairs: Sequence[Sequence[Expr]], otherwise: Expr | None, base: str, active: Bools) -> Values:
        data, null = np.full(self.count, EMPTY.get(base, 0), kind_of(base)), np.ones(self.count, bool)
        for when, then in pairs:
            test = self.value(when, active)
            taken = active & ~test.null & (test.data.astype(bool))
            _put(data, null, self._to(self.value(then, taken), base), taken)
            active = active & ~taken
        if otherwise is not None:
            _put(data, null, self._to(self.value(otherwise, active), base), active)
        return Values(data, null, base)

    def _logic(self, name: str, given: Sequence[Expr], active: Bools) -> Values:
        """AND and OR: the right side is looked at only where the left one does not decide."""
        decisive = name == "or"
        first = self._to(self.value(given[0], active), "boolean")
        decided = ~first.null & (first.data == decisive)
        second = self._to(self.value(given[1], active & ~decided), "boolean")
        data = decided | (~second.null & (second.data == decisive))
        return Values(data if decisive else ~data, ~data & (first.null | second.null), "boolean")

    def _coalesce(self, given: Sequence[Expr], active: Bools) -> Values:
        base = common([infer(each, self.types) for each in given])
        data, null = np.full(self.count, EMPTY.get(base, 0), kind_of(base)), np.ones(self.count, bool)
        for each in given:
            open_rows = active & null
            _put(data, null, self._to(self.value(each, open_rows), base), open_rows)
        return Values(data, null, base)

    def _in(self, expr: Expr, active: Bools) -> Values:
        """True if equal to one; else NULL if any of them, or the value itself, is."""
        value = self.value(expr[1], active)
        items = [self._compare("=", value, self.value(item, active)) for item in expr[2]]
        found = np.any([each.data & ~each.null for each in items], axis=0) if items else np.zeros(self.count, bool)
        unknown = np.any([each.null for each in items], axis=0) if items else np.zeros(self.count, bool)
        return Values(found, ~found & unknown, "boolean")

    def _compare(self, name: str, left: Values, right: Values) -> Values:
        base = comparable(left.base, right.base)
        if name == "<=>":
            equal = self._compare("=", left, right)
            data = (equal.data & ~equal.null) | (left.null & right.null)
            return Values(data, np.zeros(self.count, bool), "boolean")
        left, right = self._to(left, base), self._to(right, base)
        x, y = left.data, right.data
        known = base in ("double", "float")
        data = COMPARE_DOUBLES[name](x, y) if known else COMPARE[name](x, y)
        return Values(data.astype(bool), left.null | right.null, "boolean")

    # Calls

    def _call(self, name: str, given: Sequence[Expr], active: Bools) -> Values:
        if name in ("and", "or"):
            return self._logic(name, given, active)
        if name == "coalesce":
            return self._coalesce(given, active)
        values = [self.value(each, active) for each in given]
        if name in COMPARISONS:
            return self._compare(name, *values)
        if name in ("+", "-", "*", "/"):
            return self._arithmetic(name, values[0], values[1], active)
        if name in DOUBLES:
            doubles = [self._double(each) for each in values]
            return self._mapped(functions.DOUBLES[name], doubles, "double", active)
        first = values[0]
        if name in ("isnull", "isnotnull"):
            return Values(first.null == (name == "isnull"), np.zeros(self.count, bool), "boolean")
        if name == "isnan":
            return Values(~first.null & (first.data != first.data), np.zeros(self.count, bool), "boolean")
        if name == "not":
            value = self._to(first, "boolean")
            return value._replace(data=~value.data)
        if name in ("neg", "abs") and first.base in ("double", "float"):
            return first._replace(data=-first.data if name == "neg" else np.abs(first.data))
        if name in CALLS:
            base = "int" if name == "length" else "string"
            return self._mapped(functions.OTHERS[name], values, base, active)
        raise Unusual

    def _double(self, value: Values) -> Values:
        """An argument under the type DOUBLE; a decimal literal is rounded to it."""
        return Values(value.data.astype(np.float64), value.null, "double")

    def _arithmetic(self, name: str, left: Values, right: Values, active: Bools) -> Values:
        base = "double" if name == "/" else common([left.base, right.base], name)
        base = "double" if base == "null" else base
        if base == "long" or base == "decimal":
            raise Unusual
        left, right = (self._double(each) if each.base == "decimal" else self._to(each, base) for each in (left, right))
        null = left.null | right.null
        if name == "/":
            zero = ~null & (right.data == 0)
            if self.ansi:
                message, expected = "[DIVIDE_BY_ZERO] Division by zero", "a value that Spark can compute"
                self._refuse(zero & active, message, expected, left, "zero")
            null = null | zero
        with np.errstate(all="ignore"):
            made = OPERATIONS[name](left.data, right.data)
            if base == "float":
                made = made.astype(np.float32).astype(np.float64)
        return self._fitted(Values(made, null, base), active) if base in INTEGERS else Values(made, null, base)

    def _fitted(self, value: Values, active: Bools) -> Values:
        """An integer within its type: Spark 4 refuses an overflow, Spark 3 wraps it around."""
        half = 1 << BITS[value.base] - 1
        if not self.ansi:
            return value._replace(data=(value.data + half) % (2 * half) - half)
        over = ~value.null & ((value.data < -half) | (value.data >= half))
        message = f"[ARITHMETIC_OVERFLOW] {value.base} overflow"
        self._refuse(over & active, message, f"{-half} to {half - 1}", value, "overflow")
        return value

    def _cast(self, value: Values, base: str, active: Bools) -> Values:
        if value.base == base or value.base == "null":
            return self._to(value, base)
        if value.base in INTEGERS and base in INTEGERS and BITS[value.base] <= BITS[base]:
            return value._replace(base=base)
        if base == "double" and value.base in ("float", "boolean", "decimal", *INTEGERS):
            return self._double(value)
        made = self._mapped(functions.caster(value.base, base, self.ansi), [value], base, active)
        if functions.may_refuse(value.base, base) and self.ansi:  # a cast that fails gives None
            message = f"[CAST_INVALID_INPUT] The value cannot be cast to {base.upper()}"
            expected = f"a value that is a {base.upper()}"
            self._refuse(made.null & ~value.null & active, message, expected, value, "cast")
        return made


def _nulls(given: Sequence[Values]) -> Bools:
    null = given[0].null
    for each in given[1:]:
        null = null | each.null
    return null


def _put(data: np.ndarray, null: Bools, value: Values, rows: Bools) -> None:
    np.copyto(data, value.data, where=rows)
    np.copyto(null, value.null, where=rows)


OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide,
}  # fmt: skip
COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip
COMPARE_DOUBLES: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda x, y: (x == y) | ((x != x) & (y != y)),
    "!=": lambda x, y: ~((x == y) | ((x != x) & (y != y))),
    "<": lambda x, y: (x < y) | ((y != y) & (x == x)),
    "<=": lambda x, y: (x <= y) | (y != y),
    ">": lambda x, y: (x > y) | ((x != x) & (y == y)),
    ">=": lambda x, y: (x >= y) | (x != x),
}
"""NaN equals NaN and is larger than any other number."""
