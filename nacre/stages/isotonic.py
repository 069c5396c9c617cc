"""isotonic_regression: a line through points, flat outside them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.plan.frame import Column, Csr, Floats, Result, Scalars, Vectors
from nacre.plan.maths import mapped
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, data, double_of, stage, vector_of
from nacre.stages.classifying import PREDICTION

if TYPE_CHECKING:
    from typing import Any

    from nacre.spark.saved import Saved


def _feature_index(saved: Saved) -> Any:
    """Which entry to look at, where the features are a vector."""
    (column,) = saved.columns(IsotonicRegression.inputs[0])
    return saved.param("featureIndex", 0) if saved.type_of(column, DOUBLE).shape != "scalar" else None


@stage
class IsotonicRegression(Stage):
    """A boundary's own prediction on it, a straight line between two, the last one's beyond the ends.

    The search is Java's: -0.0 lies below 0.0, NaN above all. A null number gives null, in MLeap an error.
    """

    op = "isotonic_regression"
    spark_classes = ("org.apache.spark.ml.regression.IsotonicRegressionModel",)
    attributes = (
        Attr("boundaries", "list<double>", REQUIRED, "ascending", spark=data("boundaries")),
        Attr("predictions", "list<double>", REQUIRED, "one a boundary", spark=data("predictions")),
        Attr("isotonic", "boolean", REQUIRED, "ascending predictions; else descending", spark=data("isotonic")),
        Attr("feature_index", "long", None, "the entry to look at; absent: the features are one number",
             spark=_feature_index),
    )  # fmt: skip
    inputs = (Port("features", None, "featuresCol"),)
    outputs = (PREDICTION,)
    boundaries: list[float]
    predictions: list[float]
    isotonic: bool
    feature_index: int | None

    def prepare(self) -> None:
        if not self.boundaries or len(self.boundaries) != len(self.predictions):
            raise self.bad(
                "boundaries and predictions differ", "predictions", f"{len(self.boundaries)} values, at least 1",
                len(self.predictions),
            )  # fmt: skip

    def wants(self) -> list[Type | None]:
        return [DOUBLE if self.feature_index is None else vector()]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        (given,) = inputs
        if self.feature_index is None:
            double_of(self, self.input_names[0], given)
        else:
            size = vector_of(self, self.input_names[0], given, None).size
            if not 0 <= self.feature_index < (1 << 31 if size is None else size):
                raise self.refuse(self.input_names[0], f"a vector with an entry {self.feature_index}", given)
        return [DOUBLE for _ in self.output_ports]

    def columns(self, inputs: Sequence[Column]) -> Result:
        if not self.output_ports:
            return Result([])  # Spark's model does nothing then
        (column,) = inputs
        if isinstance(column, Scalars):
            values, null = column.doubles(), column.null
        else:
            assert isinstance(column, Vectors)
            values, null = self._entry(column), column.null
        lenient = isinstance(column, Scalars) and not self.context.mleap
        made = Scalars(mapped(self.predict, values), null if lenient else None)
        result = Result([made for _ in self.output_ports])
        if null is not None and not lenient:
            result.fail(null, self.input_names[0], NO_VALUE, expected=self._expected(column), got=lambda row: None)
        return result

    def _expected(self, column: Column | Ref) -> str:
        return f"vector[{column.size}]" if isinstance(column, (Vectors, VectorRef, SparseRef)) else "a number"

    def _entry(self, column: Vectors) -> Floats:
        assert self.feature_index is not None
        if not isinstance(column, Csr):
            entry: Floats = column.matrix[self.feature_index]
            return entry
        here = column.indices == self.feature_index
        values = np.zeros(len(column))
        values[column.rows()[here]] = column.values[here]
        return values

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        if not self.output_ports:
            return []
        (ref,) = inputs
        predict = code.const(self.predict)
        if isinstance(ref, ScalarRef):
            x = code.double(ref)
            if ref.nullable and self.context.mleap:
                with code.block(f"if {x} is None"):
                    code.fail(self.input_names[0], NO_VALUE, self._expected(ref), x)
            text = f"None if {x} is None else {predict}({x})" if ref.nullable else f"{predict}({x})"
            return [ScalarRef(code.let(text, "y"), ref.nullable and not self.context.mleap) for _ in self.output_ports]
        assert isinstance(ref, (VectorRef, SparseRef))
        if ref.null is not None:
            with code.block(f"if {ref.null}"):
                code.fail(self.input_names[0], NO_VALUE, self._expected(ref), "None")
        return [ScalarRef(code.let(f"{predict}({self._entry_row(code, ref)})", "y")) for _ in self.output_ports]

    def _entry_row(self, code: RowCode, ref: VectorRef | SparseRef) -> str:
        index = self.feature_index or 0
        if isinstance(ref, SparseRef):
            return code.let(f"dict(zip({ref.indices}, {ref.values})).get({index}, 0.0)", "x")
        start = 0
        for part in ref.parts:
            width = part.width or 1
            if index < start + width:
                return part.name if part.width is None else f"{part.name}[{index - start}]"
            start += width
        raise AssertionError("an index checked by `types`")

    def predict(self, x: float) -> float:
        """The line's height at x, as Spark's IsotonicRegressionModel and java.util.Arrays.binarySearch have it."""
        place, found = search(self.boundaries, x)
        if found:
            return self.predictions[place]
        if place == 0:
            return self.predictions[0]
        if place == len(self.boundaries):
            return self.predictions[-1]
        x1, x2 = self.boundaries[place - 1], self.boundaries[place]
        y1, y2 = self.predictions[place - 1], self.predictions[place]
        rise, run = (y2 - y1) * (x - x1), x2 - x1
        return y1 + (rise / run if run else rise * np.inf)


NO_VALUE = "null where a value is needed"


def search(values: Sequence[float], key: float) -> tuple[int, bool]:
    """(index, True) of the key, or (where it would be inserted, False): Java's binary search of doubles."""
    low, high = 0, len(values) - 1
    while low <= high:
        middle = (low + high) >> 1
        value = values[middle]
        if value < key:
            low = middle + 1
        elif value > key:
            high = middle - 1
        else:
            one, other = _order(value), _order(key)
            if one == other:
                return middle, True
            if one < other:
                low = middle + 1
            else:
                high = middle - 1
    return low, False


def _order(x: float) -> int:
    """Java's doubleToLongBits, which puts -0.0 below 0.0 and the one NaN above all."""
    bits: int = struct.unpack(">q", struct.pack(">d", x if x == x else float("nan")))[0]
    return bits
