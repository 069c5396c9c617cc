"""Vectors to vectors, entry by entry: what such stages share, and standard_scaler and min_max_scaler."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.bundle.values import Tensor
from nacre.plan.frame import Column, Csr, Result, Vectors, compressed, compressed_row
from nacre.plan.rowcode import Ref, RowCode, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, Unfit, data, param, stage, vector_of

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved


class VectorStage(Stage):
    """A stage with one vector in and one vector of the same size out, each entry on its own."""

    inputs = (Port("input", vector(), "inputCol"),)
    outputs = (Port("output", vector(), "outputCol"),)
    size: int | None

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
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{column.size}]", got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        names = code.components(replace(ref, null=None))
        return [self.stored_row(code, ref, code.vector([self.scale_row(code, i, x) for i, x in enumerate(names)]))]

    def stored_as(self, column: Vectors, matrix: np.ndarray) -> Vectors:
        """The output column around its numbers: always dense, unless a stage says otherwise."""
        return Vectors(matrix)

    def stored_row(self, code: RowCode, ref: VectorRef | SparseRef, made: VectorRef) -> VectorRef:
        """The same for one row."""
        return made

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


class Multiplier(VectorStage):
    """Each entry times a factor of its own. A sparse row stays sparse and stores what it stored; a zero that it does
    not store stays 0.0, whatever the factor."""

    factors: list[float]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        if not isinstance(column, Csr) or column.null is not None:
            return super().columns(inputs)
        with np.errstate(all="ignore"):
            return Result([column.with_values(self.product(column.values, np.array(self.factors)[column.indices]))])

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        if isinstance(ref, SparseRef):
            pairs = f"zip({ref.indices}, {ref.values}, strict=True)"
            text = self.product_row("x", f"{code.const(self.factors, 'f')}[i]")
            return [SparseRef(ref.indices, code.let(f"[{text} for i, x in {pairs}]", "vx"), ref.size)]
        return [replace(code.vector(self._entries(code, ref)), stored=ref.stored)]

    def _entries(self, code: RowCode, ref: VectorRef) -> list[str]:
        names = code.components(replace(ref, null=None))
        kept = code.let(ref.stored, "k") if ref.stored is not None and any(map(bends_zero, self.factors)) else None
        made = []
        for i, (x, factor) in enumerate(zip(names, self.factors, strict=True)):
            text = self.product_row(x, code.number(factor))
            if kept is not None and bends_zero(factor):
                text = f"{text} if {x} != 0.0 or {kept} is None or {i} in {kept} else 0.0"
            made.append(code.let(text, "s"))
        return made

    def scale(self, i: int, values: np.ndarray, out: np.ndarray) -> None:
        out[:] = self.product(values, self.factors[i])

    def stored_as(self, column: Vectors, matrix: np.ndarray) -> Vectors:
        if any(map(bends_zero, self.factors)):
            sparse, entries = column.stored()
            matrix[sparse & ~entries] = 0.0
        return column.like(matrix)

    def product(self, values: np.ndarray, factors: Any) -> np.ndarray:
        """Values times their factors."""
        made: np.ndarray = values * factors
        return made

    def product_row(self, x: str, factor: str) -> str:
        """The same as source."""
        return f"{x} * {factor}"


def bends_zero(factor: float) -> bool:
    """Whether 0.0 times the factor is anything but 0.0."""
    return not 0.0 <= factor < math.inf or math.copysign(1.0, factor) < 0.0


@stage
class StandardScaler(Multiplier):
    """(x - mean) * (1 / std), a std of 0 counting as a factor of 0. Multiplied, never divided, as Spark does."""

    op = "standard_scaler"
    spark_classes = ("org.apache.spark.ml.feature.StandardScalerModel",)
    attributes = (
        Attr("mean", "tensor", None, "subtracted from each entry; absent: nothing is"),
        Attr("std", "tensor", None, "standard deviation of each entry; absent: no scaling; neither: nothing is done"),
    )

    mean: Tensor | None
    std: Tensor | None

    def prepare(self) -> None:
        known = [tensor for tensor in (self.mean, self.std) if tensor is not None]
        self.size = len(known[0].values) if known else None
        if len({len(tensor.values) for tensor in known}) > 1:
            raise self.bad(
                "mean and std differ in size", "mean", f"{len(known[1].values)} values", f"{len(known[0].values)}"
            )
        self.shifts = None if self.mean is None else self.mean.values
        std = [1.0] * (self.size or 0) if self.std is None else self.std.values
        self.factors = [0.0 if s == 0.0 else 1.0 / s for s in std]

    def unfit(self, format: str) -> Iterator[Unfit]:  # noqa: A002 - the word that bundle.json uses
        yield from super().unfit(format)
        if self.mean is None and self.std is None:
            yield Unfit("std", None, "Leave the scaler out: with neither mean nor std it does nothing")

    # Without a mean it multiplies and keeps its input's form; with one the rows become dense.

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        made = super().types(inputs)
        if self.size is None:  # MLeap 0.25 writes a scaler with neither mean nor std
            self.factors = [1.0] * (made[0].size or 0)
        return made

    def columns(self, inputs: Sequence[Column]) -> Result:
        return super().columns(inputs) if self.shifts is None else VectorStage.columns(self, inputs)

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        return super().row(code, inputs) if self.shifts is None else VectorStage.row(self, code, inputs)

    def scale(self, i: int, values: np.ndarray, out: np.ndarray) -> None:
        if self.shifts is not None:
            values = np.subtract(values, self.shifts[i], out=out)
        np.multiply(values, self.factors[i], out=out)
        if self._flat(i):
            out[:] = 0.0

    def _flat(self, i: int) -> bool:
        """Where MLeap writes 0.0 for a constant entry, whatever comes; it does so only when it also subtracts."""
        return self.context.mleap and self.shifts is not None and self.std is not None and self.factors[i] == 0.0

    def scale_row(self, code: RowCode, i: int, x: str) -> str:
        if self._flat(i):
            return code.let("0.0", "s")
        assert self.shifts is not None, "row() sees to that"
        text = f"{x} - {code.number(self.shifts[i])}"
        return code.let(text if self.std is None else f"({text}) * {code.number(self.factors[i])}", "s")

    def stored_as(self, column: Vectors, matrix: np.ndarray) -> Vectors:
        return super().stored_as(column, matrix) if self.shifts is None else Vectors(matrix)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        mean, std = saved.data("mean"), saved.data("std")
        shifts = mean if saved.param("withMean") else None
        return [scaler(saved, shifts, std if saved.param("withStd") else None, len(std.values))]


def scaler(saved: Saved, shifts: Tensor | None, scales: Tensor | None, size: int) -> Node:
    """A standard_scaler node of these numbers. One that does nothing divides by ones, since MLeap wants either."""
    if shifts is None and scales is None:
        scales = Tensor([1.0] * size, (size,))
    ports = saved.ports(StandardScaler.inputs), saved.ports(StandardScaler.outputs)
    return StandardScaler.make(saved.uid, {"mean": shifts, "std": scales}, *ports)


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

    def stored_row(self, code: RowCode, ref: VectorRef | SparseRef, made: VectorRef) -> VectorRef:
        return code.compressed(made, compressed_row(self.context.spark_4))

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
