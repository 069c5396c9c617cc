"""Plain SQL expressions over the columns of a row: nacre.sql, Spark's SQLTransformer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from nacre.errors import RowError
from nacre.plan.frame import Column, Failed, Result, Scalars, Texts
from nacre.plan.maths import EXP
from nacre.plan.rowcode import Dropped, Ref, RowCode, ScalarRef
from nacre.plan.types import INTEGERS, Type
from nacre.stages.base import REQUIRED, Attr, Port, Stage, stage
from nacre.stages.sqlcode import Value, Writer
from nacre.stages.sqlcolumns import Columns, Unusual, Values, kind_of
from nacre.stages.sqltypes import Expr, SqlError, check, columns_of, functions_of, infer

INEXACT = {"exp", "log", "log10", "log2", "log1p", "pow"}
"""Functions whose last bit is the C library's, not Java's."""


@stage
class Sql(Stage):
    """The expressions of ``SELECT … FROM __THIS__``, parsed when the bundle was written, and its WHERE.

    Numbers follow Spark: integers have their type's range, NaN equals NaN and is the largest number, NULL is unknown.
    The columns plan takes usual expressions a column at a time, and runs the row plan's lines for others.
    """

    op = "nacre.sql"
    spark_classes = ("org.apache.spark.ml.feature.SQLTransformer",)
    exact = "bit for bit; exp, log and pow within 1e-12 of the result"
    attributes = (
        Attr("expressions", "list<string>", REQUIRED, "an expression for each output, as JSON"),
        Attr("where", "string", None, "the condition of rows that are kept, as JSON"),
        Attr("names", "list<string>", REQUIRED, "the columns that the expressions know, in the order of the inputs"),
    )
    inputs = (Port("input", None, "inputCols", many="inputCols", optional=True),)
    outputs = (Port("output", None, "outputCols", many="outputCols", optional=True),)

    expressions: list[str]
    where: str | None
    names: list[str]

    def prepare(self) -> None:
        self.parsed = [self._parsed("expressions", text) for text in self.expressions]
        self.condition = None if self.where is None else self._parsed("where", self.where)
        if len(self.names) != len(self.input_names) or len(self.parsed) != len(self.output_names):
            got = f"{len(self.names)} columns and {len(self.parsed)} expressions"
            ports = f"{len(self.input_names)} and {len(self.output_names)}"
            raise self.bad("ports and expressions do not match", "expressions", ports, got)

    def _parsed(self, field: str, text: str) -> Expr:
        try:
            expr: Expr = json.loads(text)
            check(expr)
            unknown = [name for name in columns_of(expr) if name not in self.names]
            if unknown:
                raise SqlError(f"unknown column {unknown[0]}")
        except (ValueError, RecursionError) as error:
            raise self.bad("unreadable expression", field, "an expression of nacre.sql", str(error)[:200]) from error
        return expr

    @property
    def drops(self) -> bool:
        return self.where is not None

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given in zip(self.input_names, inputs, strict=True):
            if given.shape != "scalar":
                raise self.refuse(name, "a number, a text or a boolean", given)
        self.bases = {name: given.base for name, given in zip(self.names, inputs, strict=True)}
        try:
            found = [infer(expr, self.bases) for expr in self.parsed]
            if self.condition is not None and infer(self.condition, self.bases) not in ("boolean", "null"):
                raise SqlError("WHERE needs a condition")
        except SqlError as error:
            raise self.bad(
                "an expression that is not offered", "expressions", "types that go together", error
            ) from error
        odd = [base for base in found if base in ("null", "decimal")]
        if odd:
            raise self.bad("an expression without a type", "expressions", "a CAST around it", odd[0])
        return [Type(base) for base in found]

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        known: dict[str, Value] = {}
        for name, ref in zip(self.names, inputs, strict=True):
            assert isinstance(ref, ScalarRef)
            known[name] = Value(ref.name, ref.base, ref.nullable)
        writer = Writer(code, known, self.context.spark)
        if self.condition is not None:
            writer.field = "WHERE"
            with code.block(f"if {writer.write(self.condition).name} is not True"):
                code.drop()
        made = []
        for name, expr in zip(self.output_names, self.parsed, strict=True):
            writer.field = name
            value = writer.write(expr)
            made.append(ScalarRef(code.let(value.name, "s"), value.nullable, value.base))
        return made

    @cached_property
    def _function(self) -> Callable[..., Any]:
        """One row's values in, its outputs out; raises RowError and Dropped."""
        code = RowCode()
        code.node = self.name
        names = [code.new("a") for _ in self.names]
        refs = [ScalarRef(name, True, self.bases[column]) for name, column in zip(names, self.names, strict=True)]
        made = self.row(code, refs)
        code.line(f"return ({''.join(f'{ref.expression}, ' for ref in made)})")
        return code.function("expressions", ", ".join(names))

    def columns(self, inputs: Sequence[Column]) -> Result:
        rows = len(inputs[0]) if inputs else 0
        try:
            return self._by_columns(inputs, rows)
        except Unusual:
            return self._by_rows(inputs, rows)

    def _by_columns(self, inputs: Sequence[Column], rows: int) -> Result:
        """Expression by expression. Raises Unusual where one has to be scored row by row."""
        result, made = Result([]), list[Column]()
        given = {name: _given(column, self.bases[name]) for name, column in zip(self.names, inputs, strict=True)}
        writer = Columns(given, rows, self.context.spark, result)
        if self.condition is not None:
            writer.field = "WHERE"
            kept = writer.value(self.condition, writer.alive)
            dropped = writer.alive & ~(kept.data.astype(bool) & ~kept.null)
            result.drop(dropped)
            writer.alive &= ~dropped
        for name, expr in zip(self.output_names, self.parsed, strict=True):
            writer.field = name
            made.append(_made(writer.value(expr, writer.alive)))
        result.outputs = made
        return result

    def _by_rows(self, inputs: Sequence[Column], rows: int) -> Result:
        """Row by row."""
        import pyarrow as pa

        given = [column.array.to_pylist() if isinstance(column, Texts) else _values(column) for column in inputs]
        result, dropped, empty = Result([]), np.zeros(rows, bool), (None,) * len(self.parsed)
        found: list[tuple[Any, ...]] = []
        for row, values in enumerate(zip(*given, strict=True)):
            try:
                found.append(self._function(*values))
                continue
            except Dropped:
                dropped[row] = True
            except RowError as error:
                result.failed.append(_failed(row, error))
            found.append(empty)
        result.drop(dropped)
        bases = [infer(expr, self.bases) for expr in self.parsed]
        outputs = zip(*found, strict=True) if found else [()] * len(bases)
        result.outputs = [
            Texts(pa.array(values, pa.string())) if base == "string" else _column(values, base)
            for base, values in zip(bases, outputs, strict=True)
        ]
        return result

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        place = self.output_ports.index(port)
        if not functions_of(self.parsed[place]) & INEXACT:
            return 0.0
        value = self._function(*inputs)[place]
        return EXP * max(abs(value), 1e-300) if isinstance(value, float) and value - value == 0.0 else 0.0


def _failed(row: int, error: RowError) -> Failed:
    return Failed(
        np.array([row]), str(error.where["field"]), error.message, error.expected, lambda row: error.got, error.fix
    )


def _values(column: Column) -> list[Any]:
    assert isinstance(column, Scalars)
    values: list[Any] = column.values.tolist()
    if column.null is None:
        return values
    return [None if null else value for value, null in zip(values, column.null.tolist(), strict=True)]


def _given(column: Column, base: str) -> Values:
    """A column as `sqlcolumns` takes it; what is NULL is zero or empty."""
    if isinstance(column, Texts):
        null = np.asarray(column.array.is_null())
        return Values(column.array.fill_null("").to_numpy(zero_copy_only=False), null, base)
    assert isinstance(column, Scalars)
    null = np.zeros(len(column), bool) if column.null is None else column.null
    data = column.values.astype(kind_of(base))
    data[null] = 0
    return Values(data, null, base)


def _made(values: Values) -> Column:
    import pyarrow as pa

    if values.base == "string":
        return Texts(pa.array(values.data, pa.string(), mask=values.null))
    with np.errstate(all="ignore"):
        return Scalars(values.data.astype(DTYPES[values.base]), values.null if values.null.any() else None)


DTYPES = {
    "boolean": np.bool_, "byte": np.int8, "short": np.int16, "int": np.int32, "long": np.int64,
    "float": np.float32, "double": np.float64,
}  # fmt: skip


def _column(values: Sequence[Any], base: str) -> Scalars:
    null = np.array([value is None for value in values], bool)
    zero = 0 if base in INTEGERS else False if base == "boolean" else 0.0
    numbers: np.ndarray = np.array([zero if value is None else value for value in values], DTYPES[base])
    return Scalars(numbers, null if null.any() else None)
