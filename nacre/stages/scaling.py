"""Vectors to vectors, entry by entry: standard_scaler, min_max_scaler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.errors import UnsupportedError
from nacre.plan.frame import Column, Result, Vectors, compressed
from nacre.plan.rowcode import Ref, RowCode, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, data, param, stage, vector_of

if TYPE_CHECKING:
    from nacre.bundle.values import Tensor
    from nacre.spark.saved import Saved


class VectorStage(Stage):
    """A stage with one vector in and one vector of the same size out, each entry on its own."""

    inputs = (Port("input", vector(), "inputCol"),)
    outputs = (Port("output", vector(), "outputCol"),)
    size: int

    def wants(self) -> list[Type | None]:
        return [vector(self.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        return [vector_of(self, self.input_names[0], inputs[0], self.size)]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        out = np.empty(column.matrix.shape)
        with np.errstate(all="ignore"):
            for i, values in enumerate(column.matrix):
                self.scale(i, values, out[i])
        result = Result([self.stored_as(column, out)])
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{self.size}]", got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        names = code.components(replace(ref, null=None))
        return [code.vector([self.scale_row(code, i, x) for i, x in enumerate(names)])]

    def stored_as(self, column: Vectors, matrix: np.ndarray) -> Vectors:
        """The output column around its numbers: dense unless the stage keeps its input's sparsity."""
        return Vectors(matrix)

    def scale(self, i: int, values: np.ndarray, out: np.ndarray) -> None:
        """Entry `i` of all rows."""
        raise NotImplementedError

    def scale_row(self, code: RowCode, i: int, x: str) -> str:
        """Entry `i` of one row: from the name of its input to the name of its output."""
        raise NotImplementedError


NULL = "null where a vector is needed"


def refuse_null(code: RowCode, field: str, ref: VectorRef | SparseRef) -> None:
    """Fail the row when a vector is null, as Spark's own function does on one."""
    if ref.null is not None:
        with code.block(f"if {ref.null}"):
            code.fail(field, NULL, f"vector[{ref.size}]", "None")


@stage
class StandardScaler(VectorStage):
    """(x - mean) * (1 / std), a std of 0 counting as a factor of 0. Multiplied, never divided, as Spark does."""

    op = "standard_scaler"
    spark_classes = ("org.apache.spark.ml.feature.StandardScalerModel",)
    attributes = (
        Attr("mean", "tensor", None, "subtracted from each entry; absent: nothing is"),
        Attr("std", "tensor", None, "standard deviation of each entry; absent: no scaling"),
    )

    mean: Tensor | None
    std: Tensor | None

    def prepare(self) -> None:
        known = [tensor for tensor in (self.mean, self.std) if tensor is not None]
        if not known:
            raise self.bad("neither mean nor std", "std", "at least one of the two", "nothing")
        if len({len(tensor.values) for tensor in known}) > 1:
            raise self.bad(
                "mean and std differ in size", "mean", f"{len(known[1].values)} values", f"{len(known[0].values)}"
            )
        self.size = len(known[0].values)
        self.shifts = None if self.mean is None else self.mean.values
        self.factors = None if self.std is None else [0.0 if s == 0.0 else 1.0 / s for s in self.std.values]

    def scale(self, i: int, values: np.ndarray, out: np.ndarray) -> None:
        if self.shifts is not None:
            values = np.subtract(values, self.shifts[i], out=out)
        if self.factors is not None:
            np.multiply(values, self.factors[i], out=out)
            if self._flat(i):
                out[:] = 0.0

    def _flat(self, i: int) -> bool:
        """Where MLeap writes 0.0 for a constant entry, whatever comes; it does so only when it also subtracts."""
        if not self.context.mleap or self.shifts is None or self.factors is None:
            return False
        return self.factors[i] == 0.0

    def scale_row(self, code: RowCode, i: int, x: str) -> str:
        if self._flat(i):
            return code.let("0.0", "s")
        text = x if self.shifts is None else f"{x} - {code.number(self.shifts[i])}"
        if self.factors is not None:
            text = f"({text}) * {code.number(self.factors[i])}"
        return code.let(text, "s")

    def stored_as(self, column: Vectors, matrix: np.ndarray) -> Vectors:
        return column.like(matrix) if self.shifts is None else Vectors(matrix)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Any]:
        with_mean, with_std = saved.param("withMean"), saved.param("withStd")
        if not with_mean and not with_std:
            raise UnsupportedError(
                "a StandardScaler that does nothing has no MLeap form", expected="withMean or withStd",
                got="neither", node=saved.uid, fix="Leave the stage out of the pipeline",
            )  # fmt: skip
        values = {"mean": saved.data("mean") if with_mean else None, "std": saved.data("std") if with_std else None}
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


@stage
class MinMaxScaler(VectorStage):
    """(x - lo) * (scale / range) + min; a constant entry goes to the middle of the target range; NaN stays.

    Spark multiplies by scale / range, MLeap divides by the range first: the last bit differs for one value in four.
    """

    op = "min_max_scaler"
    spark_classes = ("org.apache.spark.ml.feature.MinMaxScalerModel",)
    attributes = (
        Attr("min", "tensor", REQUIRED, "smallest value of each entry when fitted", spark=data("originalMin")),
        Attr("max", "tensor", REQUIRED, "largest value of each entry when fitted", spark=data("originalMax")),
        Attr("minValue", "double", 0.0, "lower end of the target range", spark=param("min")),
        Attr("maxValue", "double", 1.0, "upper end of the target range", spark=param("max")),
    )

    min: Tensor
    max: Tensor
    minValue: float  # noqa: N815 - the attribute's own spelling
    maxValue: float  # noqa: N815

    def prepare(self) -> None:
        self.size = len(self.min.values)
        if len(self.max.values) != self.size:
            raise self.bad("min and max differ in size", "max", f"{self.size} values", len(self.max.values))
        scale = self.maxValue - self.minValue
        self.ranges = [hi - lo for lo, hi in zip(self.min.values, self.max.values, strict=True)]
        self.factors = [scale / width if width != 0.0 else 0.0 for width in self.ranges]
        self.span = scale
        # Spark: (min + max) / 2; MLeap: 0.5 * (max - min) + min.
        self.middle = 0.5 * scale + self.minValue if self.context.mleap else (self.minValue + self.maxValue) / 2.0

    def _constant(self, i: int) -> bool:
        return (self.ranges[i] if self.context.mleap else self.factors[i]) == 0.0

    def stored_as(self, column: Vectors, matrix: np.ndarray) -> Vectors:
        return Vectors(matrix, None, compressed(self.context.spark_4))

    def scale(self, i: int, values: np.ndarray, out: np.ndarray) -> None:
        if self._constant(i):
            out[:] = np.where(np.isnan(values), values, self.middle)
            return
        np.subtract(values, self.min.values[i], out=out)
        if self.context.mleap:
            out /= self.ranges[i]
            out *= self.span
        else:
            out *= self.factors[i]
        out += self.minValue

    def scale_row(self, code: RowCode, i: int, x: str) -> str:
        if self._constant(i):
            return code.let(f"{code.number(self.middle)} if {x} == {x} else {x}", "s")
        shifted = f"({x} - {code.number(self.min.values[i])})"
        if self.context.mleap:
            scaled = f"{shifted} / {code.number(self.ranges[i])} * {code.number(self.span)}"
        else:
            scaled = f"{shifted} * {code.number(self.factors[i])}"
        return code.let(f"{scaled} + {code.number(self.minValue)}", "s")
