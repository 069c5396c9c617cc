"""Indexes back to labels: reverse_string_indexer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.bundle.values import Shape
from nacre.errors import UnsupportedError
from nacre.formats.javatext import double_text
from nacre.plan.frame import Column, Result, Scalars, Texts
from nacre.plan.rowcode import Ref, RowCode, ScalarRef
from nacre.plan.types import DOUBLE, STRING, Type
from nacre.stages import mlattrs
from nacre.stages.base import REQUIRED, Attr, Port, Stage, double_of, stage

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

INDEX = "input_shape"
FIX = "Send an index that the labels have"


@stage
class ReverseStringIndexer(Stage):
    """The label at an index, a fraction cut off: 1.9 is label 1, -0.5 label 0.

    Spark 4 refuses null and NaN; Spark 3 gives null for null, and the first label for NaN, as MLeap does; MLeap cannot
    take null.
    """

    op = "reverse_string_indexer"
    unlike = "NaN is the first label"
    spark_classes = ("org.apache.spark.ml.feature.IndexToString",)
    attributes = (
        Attr("labels", "list<string>", REQUIRED, "labels by index; those of the input column where Spark's has none"),
        Attr(INDEX, "shape", None, "shape of the input; only scalars are scored"),
    )
    inputs = (Port("input", DOUBLE, "inputCol"),)
    outputs = (Port("output", STRING, "outputCol"),)

    labels: list[str]
    input_shape: Shape | None

    def prepare(self) -> None:
        if self.input_shape is not None and self.input_shape.base != "scalar":
            raise self.bad("a shape that is not scored", INDEX, "scalar", self.input_shape.base)
        self.nan_is_first = not self.context.spark_4
        self.keeps_null = not self.context.spark_4 and not self.context.mleap
        self.expected = f"an index from 0 to {len(self.labels) - 1}"

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        double_of(self, self.input_names[0], inputs[0])
        return [STRING]

    def columns(self, inputs: Sequence[Column]) -> Result:
        import pyarrow as pa

        (column,) = inputs
        assert isinstance(column, Scalars)
        values = column.doubles()
        null = column.null if column.null is not None else np.zeros(len(values), bool)
        with np.errstate(invalid="ignore"):
            known = (values > -1.0) & (values < len(self.labels))
            if self.nan_is_first and self.labels:
                known |= np.isnan(values) & ~null
            codes = np.where(known & ~np.isnan(values), values, 0.0).astype(np.int64)
        found = pa.array(self.labels, pa.string()).take(pa.array(codes, mask=~known))
        result = Result([Texts(found)])

        def got(row: int) -> float | None:
            return None if null[row] else float(values[row])

        bad = ~known & ~null if self.keeps_null else ~known
        result.fail(
            bad, self.input_names[0], lambda row: unseen_index(got(row)), expected=self.expected, got=got, fix=FIX
        )
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, ScalarRef)
        x, out, labels = code.double(ref), code.new("s"), code.const(self.labels, "labels")
        test = f"{x} is not None and -1.0 < {x} < {code.number(len(self.labels))}" if ref.nullable else (
            f"-1.0 < {x} < {code.number(len(self.labels))}"
        )  # fmt: skip
        with code.block(f"if {test}"):
            code.line(f"{out} = {labels}[int({x})]")
        if self.nan_is_first and self.labels:
            with code.block(f"elif {x} is not None and {x} != {x}"):
                code.line(f"{out} = {labels}[0]")
        if self.keeps_null and ref.nullable:
            with code.block(f"elif {x} is None"):
                code.line(f"{out} = None")
        with code.block("else"):
            code.fail(self.input_names[0], unseen_index, self.expected, x, FIX)
        return [ScalarRef(out, nullable=self.keeps_null and ref.nullable, base="string")]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        labels = saved.param("labels", None)
        if not labels:
            column = saved.columns(cls.inputs[0])[0]
            known = mlattrs.scalar(saved.attrs.get(column))
            if known is None or known.values is None:
                raise UnsupportedError(
                    "labels that nobody tells", expected=f"labels, or a column {column} made by a StringIndexer",
                    got="a column without labels", node=saved.uid, field=column,
                    fix="Set labels, or give a sample that carries them",
                )  # fmt: skip
            labels = list(known.values)
        values: dict[str, Any] = {"labels": labels, INDEX: Shape("scalar", nullable=False)}
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


def unseen_index(value: float | None) -> str:
    """Spark's own sentence, which gives the index it looked up."""
    if value is None or not math.isfinite(value):
        return f"Unseen index: {'null' if value is None else double_text(value)} ??"
    return f"Unseen index: {int(value)} ??"
