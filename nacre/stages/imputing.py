"""Missing values to a fitted one: imputer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.formats.javatext import float32
from nacre.plan.frame import Column, Result, Scalars
from nacre.plan.rowcode import Ref, RowCode, ScalarRef
from nacre.plan.types import BITS, DOUBLE, INTEGERS, Type
from nacre.stages.base import REQUIRED, Attr, Port, Stage, double_of, stage

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved


@stage
class Imputer(Stage):
    """Null, and the missing value, become the surrogate.

    Two makers share this op. Spark's own ImputerModel (marked by `nacre.input_type`) leaves NaN alone unless NaN is
    the missing value, and casts its result back to the input's type. MLeap's extension always replaces NaN, too.
    """

    op = "imputer"
    spark_classes = ("org.apache.spark.ml.feature.ImputerModel",)
    attributes = (
        Attr("surrogate_value", "double", REQUIRED, "what stands in for a missing value"),
        Attr("missing_value", "double", math.nan, "the value that counts as missing, besides null"),
        Attr("strategy", "string", "mean", "how the surrogate was fitted: mean, median or mode; not used in scoring"),
        Attr("nullable_input", "boolean", True, "written by MLeap, not used in scoring"),
        Attr("nacre.input_type", "string", None, "the input's type, to which Spark casts the output"),
    )
    inputs = (Port("input", DOUBLE, "inputCol", many="inputCols", split=True),)
    outputs = (Port("output", DOUBLE, "outputCol", many="outputCols", split=True),)

    surrogate_value: float
    missing_value: float
    input_type: str | None

    def prepare(self) -> None:
        if self.input_type not in (None, "float", "double", *INTEGERS):
            raise self.bad("unknown type", "nacre.input_type", "a numeric type of Spark", self.input_type)
        self.result_type = Type(self.input_type or "double")
        self.nan_is_missing = math.isnan(self.missing_value) or self.input_type is None or self.context.mleap
        if self.context.mleap:
            self.result_type = DOUBLE
        self.cast = caster(self.result_type.base)

    def ignored(self) -> Iterator[str]:
        if self.input_type not in (None, "double"):
            yield f"the output is a double, not of the input's type {self.input_type}"
        if self.input_type is not None and not math.isnan(self.missing_value):
            yield f"NaN is replaced too, not only {self.missing_value}"

    def wants(self) -> list[Type | None]:
        return [Type(self.input_type or "double")]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        double_of(self, self.input_names[0], inputs[0])
        return [self.result_type]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Scalars)
        values = column.values.astype(np.float64, copy=False)
        missing = values == self.missing_value
        if self.nan_is_missing:
            missing |= np.isnan(values)
        if column.null is not None:
            missing |= column.null
        filled = np.where(missing, self.surrogate_value, values)
        return Result([Scalars(self._cast(filled))])

    def _cast(self, values: np.ndarray) -> np.ndarray:
        base = self.result_type.base
        if base == "double":
            return values
        if base == "float":
            with np.errstate(over="ignore"):
                return values.astype(np.float32)
        unique, where = np.unique(values, return_inverse=True)
        return np.array([self.cast(x) for x in unique.tolist()], f"i{BITS[base] // 8}")[where]

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, ScalarRef)
        x, tests = code.double(ref), []
        if ref.nullable:
            tests.append(f"{x} is None")
        if not math.isnan(self.missing_value):
            tests.append(f"{x} == {code.number(self.missing_value)}")
        if self.nan_is_missing:
            tests.append(f"{x} != {x}")
        text = f"{code.number(self.surrogate_value)} if {' or '.join(tests)} else {x}" if tests else x
        if self.result_type != DOUBLE:
            text = f"{code.const(self.cast, 'cast')}({text})"
        return [ScalarRef(code.let(text, "m"), base=self.result_type.base)]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """One node a column. The surrogates' table has one double column per input column, named after it."""
        columns, outputs = saved.columns(cls.inputs[0]), saved.columns(cls.outputs[0])
        nodes = []
        for n, (column, output) in enumerate(zip(columns, outputs, strict=True)):
            values = {
                "surrogate_value": saved.data(column),
                "missing_value": saved.param("missingValue"),
                "strategy": saved.param("strategy"),
                "nullable_input": True,
                "nacre.input_type": saved.type_of(column, DOUBLE).base,
            }
            nodes.append(cls.make(saved.name(n, len(columns)), values, [("input", column)], [("output", output)]))
        return nodes


def caster(base: str) -> Callable[[Any], Any]:
    """Spark's CAST from double to a numeric type: integers truncate and saturate, NaN becomes 0, floats round."""
    if base == "double":
        return float
    if base == "float":
        return float32
    top = 1 << (BITS[base] - 1)
    if BITS[base] < 32:  # Scala goes through Int and keeps the low bits
        wide = caster("int")
        return lambda x: (wide(x) + top) % (2 * top) - top

    def cast(x: float) -> int:
        if x != x:
            return 0
        return max(-top, min(top - 1, int(x))) if math.isfinite(x) else (top - 1 if x > 0 else -top)

    return cast
