"""A number to 0.0 or 1.0 by a threshold: binarizer, sklearn_binarizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.bundle.values import Shape
from nacre.plan.frame import Bools, Column, Csr, Floats, Result, Scalars, Vectors, compressed, compressed_row
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, Unfit, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

NO_NUMBER = "null where a number is needed"


@stage
class Binarizer(Stage):
    """1.0 for what is above the threshold, else 0.0; NaN gives 0.0, and null too since Spark 4 (before, null).

    Of a vector, Spark compares the entries that are not zero; under a threshold below zero all others, NaN among them,
    become 1.0 (since Spark 3.4). MLeap compares the entries that are stored, whatever the threshold.
    """

    op = "binarizer"
    spark_classes: ClassVar[tuple[str, ...]] = ("org.apache.spark.ml.feature.Binarizer",)
    attributes: ClassVar[tuple[Attr, ...]] = (
        Attr("threshold", "double", None, "what a value has to exceed"),
        Attr(
            "thresholds",
            "list<double>",
            None,
            "one for each of several columns, as MLeap 0.25 writes them",
            foreign=True,
        ),
        Attr("input_shapes", "shape", None, "scalar or tensor[n]; a list of one after MLeap 0.20 wrote it again"),
        Attr("input_shapes_list", "list<shape>", None, "one for each of several columns", foreign=True),
        Attr("input_shape", "shape", None, "the shape's name in MLeap 0.8", foreign=True),
    )
    inputs = (Port("input", DOUBLE, "inputCol", many="inputCols"),)
    outputs = (Port("output", DOUBLE, "outputCol", many="outputCols"),)

    threshold: float | None
    thresholds: list[float] | None
    input_shapes: Any
    input_shapes_list: list[Shape] | None
    input_shape: Shape | None

    def prepare(self) -> None:
        count = len(self.input_names)
        if self.threshold is None and self.thresholds is None:
            raise self.bad("an attribute is missing", "threshold", "double", "nothing")
        self.limits = self.thresholds or [self.threshold or 0.0] * count
        shapes = self.input_shapes_list or self.input_shapes or self.input_shape or [Shape()] * count
        self.shapes: list[Shape] = shapes if isinstance(shapes, list) else [shapes] * count
        if {len(self.limits), len(self.shapes), len(self.output_names)} != {count}:
            got = f"{len(self.limits)} thresholds, {len(self.shapes)} shapes, {len(self.output_names)} outputs"
            raise self.bad("ports and thresholds do not match", "thresholds", f"{count} of each", got)
        bad = next((x for x in self.shapes if x.base == "list" or (x.dims is not None and len(x.dims) > 1)), None)
        if bad is not None:
            raise self.bad("a shape that has no threshold", "input_shapes", "a scalar or a one-dimensional tensor", bad)

    def _value(self, attr: Attr, name: str) -> Any:
        listed = attr.kind == "shape" and self.node.attributes[name].form == "list"
        return super()._value(replace(attr, kind="list<shape>") if listed else attr, name)

    def unfit(self, format: str) -> Iterator[Unfit]:  # noqa: A002 - the word that bundle.json uses
        yield from super().unfit(format)
        if self.thresholds is not None:
            yield Unfit("thresholds", self.thresholds, "Give a node to each column")

    def wants(self) -> list[Type | None]:
        return [DOUBLE if x.base == "scalar" else vector(x.dims[0] if x.dims else None) for x in self.shapes]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        made = []
        for name, given, shape in zip(self.input_names, inputs, self.shapes, strict=True):
            if given.shape == "scalar":
                if not given.numeric:
                    raise self.refuse(name, "a number or a vector", given)
                made.append(DOUBLE)
                continue
            size = shape.dims[0] if shape.base == "tensor" and shape.dims else None
            made.append(vector_of(self, name, given, None if given.size is not None else size))
        return made

    # Columns

    def columns(self, inputs: Sequence[Column]) -> Result:
        result, outputs = Result([]), []
        for name, column, limit in zip(self.input_names, inputs, self.limits, strict=True):
            outputs.append(
                self._scalars(result, name, column, limit)
                if isinstance(column, Scalars)
                else self._vectors(result, name, column, limit)
            )
        result.outputs = outputs
        return result

    def _scalars(self, result: Result, name: str, column: Scalars, limit: float) -> Scalars:
        made = (column.doubles() > limit).astype(np.float64)
        if column.null is not None and self.context.mleap:
            result.fail(column.null, name, NO_NUMBER, expected="a number", got=lambda row: None)
        return Scalars(made, None if self._null_is_zero else column.null)

    def _vectors(self, result: Result, name: str, column: Column, limit: float) -> Vectors:
        assert isinstance(column, Vectors)
        if column.null is not None:
            result.fail(column.null, name, NULL, expected=f"vector[{column.size}]", got=lambda row: None)
        rule = compressed(self.context.spark_4)
        if isinstance(column, Csr) and not limit < 0.0:
            return self._csr(column, column.values > limit)
        return Vectors(self._above(column, limit).astype(np.float64), None, rule)

    def _above(self, column: Vectors, limit: float) -> Bools:
        matrix = column.matrix
        above: Bools = matrix > limit
        if limit < 0.0 and self._all_entries:
            above = ~(matrix <= limit)
        elif limit < 0.0 and self.context.mleap:
            sparse, entries = column.stored()
            above &= entries | ~sparse
        elif limit < 0.0:
            above &= matrix != 0.0
        return above

    def _csr(self, column: Csr, kept: Bools) -> Csr:
        counts = np.bincount(column.rows()[kept], minlength=len(column))
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        ones: Floats = np.ones(int(indptr[-1]))
        return Csr(indptr, column.indices[kept], ones, column.size, None, compressed(self.context.spark_4))

    @property
    def _null_is_zero(self) -> bool:
        return self.context.spark_4

    @property
    def _all_entries(self) -> bool:
        """Whether zeros are above a threshold below zero."""
        return not self.context.mleap and self.context.spark >= (3, 4)

    # One row

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        return [self._one(code, *each) for each in zip(self.input_names, inputs, self.limits, strict=True)]

    def _one(self, code: RowCode, name: str, ref: Ref, limit: float) -> Ref:
        if isinstance(ref, ScalarRef):
            return self._scalar_row(code, name, ref, limit)
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, name, ref)
        if isinstance(ref, SparseRef) and not limit < 0.0:
            found = f"[i for i, x in zip({ref.indices}, {ref.values}, strict=True) if x > {code.number(limit)}]"
            indices = code.let(found, "ix")
            return SparseRef(indices, code.let(f"[1.0] * len({indices})", "vx"), ref.size)
        names = code.components(replace(ref, null=None))
        stored = ref.stored if self.context.mleap and limit < 0.0 else None
        kept = None if stored is None else code.let(stored, "k")
        made = code.vector([self._entry(code, i, x, limit, kept) for i, x in enumerate(names)])
        return code.compressed(made, compressed_row(self.context.spark_4))

    def _entry(self, code: RowCode, i: int, x: str, limit: float, kept: str | None) -> str:
        edge = code.number(limit)
        if not limit < 0.0 or (self.context.mleap and kept is None):
            return code.let(f"1.0 if {x} > {edge} else 0.0", "b")
        if self._all_entries:
            return code.let(f"0.0 if {x} <= {edge} else 1.0", "b")
        held = f"({kept} is None or {i} in {kept})" if kept is not None else f"{x} != 0.0"
        return code.let(f"1.0 if {x} > {edge} and {held} else 0.0", "b")

    def _scalar_row(self, code: RowCode, name: str, ref: ScalarRef, limit: float) -> ScalarRef:
        x = code.double(ref)
        text = f"1.0 if {x} > {code.number(limit)} else 0.0"
        if not ref.nullable:
            return ScalarRef(code.let(text, "b"))
        if self.context.mleap:
            with code.block(f"if {x} is None"):
                code.fail(name, NO_NUMBER, "a number", x)
            return ScalarRef(code.let(text, "b"))
        if self._null_is_zero:
            return ScalarRef(code.let(f"1.0 if {x} is not None and {x} > {code.number(limit)} else 0.0", "b"))
        return ScalarRef(code.let(f"None if {x} is None else {text}", "b"), nullable=True)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """One node a column: MLeap's runtime refuses the multi-column form."""
        columns, outputs = saved.columns(cls.inputs[0]), saved.columns(cls.outputs[0])
        limits = saved.param("thresholds", None) or [saved.param("threshold")] * len(columns)
        nodes = []
        for n, (column, output, limit) in enumerate(zip(columns, outputs, limits, strict=True)):
            given = saved.type_of(column, DOUBLE)
            size = None if given.size is None else (given.size,)
            shape = Shape() if given.shape == "scalar" else Shape("tensor", dims=size)
            values = {"threshold": limit, "input_shapes": shape}
            nodes.append(cls.make(saved.name(n, len(columns)), values, [("input", column)], [("output", output)]))
        return nodes


@stage
class SklearnBinarizer(Binarizer):
    """The binarizer as MLeap's scikit-learn exporter writes it, and as its runtime 0.20 writes any binarizer again."""

    op = "sklearn_binarizer"
    since = "0.9.3"
    spark_classes = ()
    attributes = (
        Attr("threshold", "double", REQUIRED, "what a value has to exceed"),
        Attr("input_shapes", "list<shape>", None, "one shape, scalar or tensor[n]"),
    )
    inputs = (Port("input", DOUBLE, "inputCol"),)
    outputs = (Port("output", DOUBLE, "outputCol"),)

    thresholds = None
    input_shapes_list = None
    input_shape = None
