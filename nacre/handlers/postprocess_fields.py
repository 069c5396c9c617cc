"""Fields and expressions of the postprocess container's rules, as lines of the function they are compiled to.

Expressions are Spark SQL, parsed by our own parser and written by the row plan's writer (nacre.stages.sqlcode), so
NULL, NaN, overflow and division by zero are Spark's. Texts of the file reach the function only as bound constants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nacre.handlers.postprocess_check import Checks
from nacre.handlers.postprocess_config import kind_of, refuse
from nacre.plan.rowcode import RowCode
from nacre.stages.sqlcode import Value, Writer
from nacre.stages.sqlparser import Parser
from nacre.stages.sqltypes import Expr, SqlError, check, infer

if TYPE_CHECKING:
    from nacre.handlers.postprocess_config import Column

SPARK_4, SPARK_3 = (4, 1), (3, 5)
HIDDEN = "\0"
"""Begins names of fields that rules make for themselves; no name of the file can."""


class Fields:
    """The fields so far: each is a variable of the function, its type, and whether it may be null."""

    def __init__(self, ansi: bool):
        self.code = RowCode()
        self.values: dict[str, Value] = {}
        self.writer = Writer(self.code, self.values, SPARK_4 if ansi else SPARK_3)
        self.checks = Checks(self.code)

    def _argument(self, column: Column) -> str:
        assert column.type is not None, "a column that comes in has one"
        name = self.code.new("a")
        self._define(column.name, Value(name, column.type, True))
        self.checks.add(column, self.values[column.name])
        if not column.nullable:
            self._define(column.name, Value(name, column.type, False))
        return name

    def _define(self, name: str, value: Value) -> None:
        self.values[name] = value
        self.writer.types[name] = value.base

    def _output(self, column: Column, where: str) -> Value:
        value = self._field(column.source, where)
        if column.type not in (None, value.base):
            refuse(f"{where}.type", "the field has another type", column.type, value.base, "Add a rule that CASTs it")
        self.checks.fit(column, value.base, where)
        self.checks.add(column, value)
        return value

    def _field(self, name: Any, where: str, *bases: str) -> Value:
        """A field by its name, of one of these types if any are given."""
        known = [each for each in self.values if not each.startswith(HIDDEN)]
        if not isinstance(name, str) or name not in known:
            from nacre.pipeline import meant

            refuse(where, "no such field", ", ".join(known), name, meant(str(name), known))
        value = self.values[name]
        if bases and value.base not in bases:
            refuse(
                where, f"the field {name} has another type", " or ".join(bases), value.base, "Add a rule that CASTs it"
            )
        return value

    def _named(self, name: Any, where: str) -> str:
        """The name of a field that a rule makes or replaces."""
        found: str = kind_of(name, str, where, "a field's name")
        twin = next((each for each in self.values if each.lower() == found.lower() and each != found), None)
        if not found or found.startswith(HIDDEN) or twin:
            refuse(where, "not a name for a field", "a name that differs in more than case", found)
        return found

    # Expressions

    def _parsed(self, text: str) -> Expr:
        parser = Parser(text, [name for name in self.values if not name.startswith(HIDDEN)])
        expr = parser.expression()
        if parser.next.kind != "end":
            raise SqlError(f"{parser.next.text!r} is not expected after {text[:40]!r}")
        check(expr)
        return expr

    def _of(self, given: Any, where: str) -> Expr:
        """What a field is set to: a number, true, false or null as they are, a text as an expression."""
        if isinstance(given, str):
            expr = self._parsed(given)
        elif isinstance(given, bool):
            expr = ["lit", "boolean", given]
        elif given is None:
            expr = ["lit", "null", None]
        else:
            expr = literal(kind_of(given, (int, float), where, "an expression, a number, true, false or null"))
        if expr[:2] == ["lit", "decimal"]:  # alone it can only be meant as a number
            return ["lit", "double", float(expr[2])]
        return expr

    def _condition(self, given: Any, where: str) -> Value:
        text = kind_of(given, str, where, "a condition")
        expr = self._parsed(text)
        base = infer(expr, self.writer.types)
        if base not in ("boolean", "null"):
            refuse(where, "not a condition", "an expression that is true or false", f"{text} is {base}")
        self.writer.field = text
        return self.writer.write(expr)

    def _assign(self, name: str, expr: Expr, where: str) -> None:
        base = infer(expr, self.writer.types)
        if base == "null":
            refuse(where, "a field without a type", "a CAST around it", f"{name} = NULL")
        self.writer.field = name
        value = self.writer.write(expr)
        self._define(name, Value(self.code.let(value.name, "f"), base, value.nullable))


def literal(value: float) -> Expr:
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise SqlError(f"{value} is beyond a BIGINT")
        return ["lit", "int" if -(1 << 31) <= value < 1 << 31 else "long", value]
    return ["lit", "double", value]
