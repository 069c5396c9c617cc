"""A number to the number of its bucket: bucketizer."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.formats.javatext import double_text
from nacre.plan.frame import Column, Result, Scalars
from nacre.plan.rowcode import Ref, RowCode, ScalarRef
from nacre.plan.types import DOUBLE, Type
from nacre.stages import mlattrs
from nacre.stages.base import REQUIRED, Attr, Port, Stage, double_of, param, stage

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

NAN = "Bucketizer encountered NaN value. To handle or skip NaNs, try setting Bucketizer.handleInvalid"
NAN_FIX = "Send a number, or fit with handleInvalid keep or skip"
BOUNDS_FIX = "Make the first split -Infinity and the last one Infinity when fitting"


@stage
class Bucketizer(Stage):
    """The bucket whose left edge is the last split not above the value; the last bucket holds its right edge, too.

    Spark searches with Java's Arrays.binarySearch, which orders -0.0 below 0.0: -0.0 falls into the bucket below a
    split of 0.0, and out of bounds when 0.0 is the first split.
    """

    op = "bucketizer"
    repaired = ("splits",)
    unlike = "null fails"
    spark_classes = ("org.apache.spark.ml.feature.Bucketizer",)
    attributes = (
        Attr("splits", "list<double>", REQUIRED, "edges of the buckets, ascending, at least three"),
        Attr(
            "handle_invalid", "string", "error", "what NaN does; a value outside the splits always fails",
            choices=("error", "skip", "keep"), spark=param("handleInvalid"),
        ),
    )  # fmt: skip
    inputs = (Port("input", DOUBLE, "inputCol", many="inputCols", split=True),)
    outputs = (Port("output", DOUBLE, "outputCol", many="outputCols", split=True),)

    splits: list[float]
    handle_invalid: str

    def prepare(self) -> None:
        splits = self.splits = list(self.splits)
        if splits and math.isnan(splits[0]):  # JSON writes the infinities as null
            splits[0] = -math.inf
        if splits and math.isnan(splits[-1]):
            splits[-1] = math.inf
        if len(splits) < 2 or any(not a < b for a, b in itertools.pairwise(splits)):
            raise self.bad("splits must ascend", "splits", "at least two ascending numbers", splits)
        # The number of a split equal to +0.0, below which -0.0 sorts.
        self.zero = next((i for i, x in enumerate(splits) if x == 0.0 and math.copysign(1.0, x) > 0), None)
        self.expected = f"a number from {splits[0]} to {splits[-1]}"

    @property
    def drops(self) -> bool:
        return self.handle_invalid == "skip"

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        double_of(self, self.input_names[0], inputs[0])
        return [DOUBLE]

    def ml_attrs(self, inputs: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
        edges = [double_text(x) for x in self.splits]
        return [mlattrs.scalar_json(mlattrs.Entry("nominal", None, tuple(map(", ".join, itertools.pairwise(edges)))))]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Scalars)
        values, name = column.doubles(), self.input_names[0]
        null = column.null if column.null is not None else np.zeros(len(values), bool)
        nan = np.isnan(values) & ~null
        buckets = np.searchsorted(self.splits, values, side="right") - 1
        if self.zero is not None:
            buckets[(values == 0.0) & np.signbit(values)] = self.zero - 1
        buckets[values == self.splits[-1]] = len(self.splits) - 2
        outside = ((buckets < 0) | (buckets > len(self.splits) - 2)) & ~nan & ~null
        buckets[nan] = len(self.splits) - 1
        result = Result([Scalars(buckets.astype(np.float64), column.null)])

        def got(row: int) -> float | None:
            return None if null[row] else float(values[row])

        if self.handle_invalid == "skip":
            result.drop(nan if self.context.mleap else nan | null)
        elif self.handle_invalid == "error":
            result.fail(nan, name, NAN, expected=self.expected, got=got, fix=NAN_FIX)
        if self.context.mleap:
            result.fail(null, name, "null where a number is needed", expected=self.expected, got=got)
        result.fail(outside, name, lambda row: out_of_bounds(got(row)), expected=self.expected, got=got, fix=BOUNDS_FIX)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, ScalarRef)
        x, out, word = code.double(ref), code.new("b"), "if"
        stays_null = ref.nullable and not self.context.mleap and self.handle_invalid != "skip"
        if ref.nullable:
            with code.block(f"if {x} is None"):
                self._null_row(code, x, out)
            word = "elif"
        with code.block(f"{word} {x} != {x}"):
            if self.handle_invalid == "skip":
                code.drop()
            elif self.handle_invalid == "keep":
                code.line(f"{out} = {code.number(len(self.splits) - 1)}")
            else:
                code.fail(self.input_names[0], NAN, self.expected, x, NAN_FIX)
        last = len(self.splits) - 2
        with code.block(f"elif {x} == {code.number(self.splits[-1])}"):
            code.line(f"{out} = {code.number(last)}")
        with code.block("else"):
            search, splits = code.const(bisect.bisect_right, "bisect"), code.const(self.splits, "splits")
            code.line(f"{out} = {search}({splits}, {x}) - 1.0")
            if self.zero is not None:
                with code.block(f"if {x} == 0.0 and {code.const(math.copysign, 'copysign')}(1.0, {x}) < 0.0"):
                    code.line(f"{out} = {code.number(self.zero - 1)}")
            with code.block(f"if not 0.0 <= {out} <= {code.number(last)}"):
                code.fail(self.input_names[0], out_of_bounds, self.expected, x, BOUNDS_FIX)
        return [ScalarRef(out, nullable=stays_null)]

    def _null_row(self, code: RowCode, x: str, out: str) -> None:
        """Spark keeps null under error and keep, drops it under skip; MLeap cannot take it."""
        if self.context.mleap:
            code.fail(self.input_names[0], "null where a number is needed", self.expected, x)
        elif self.handle_invalid == "skip":
            code.drop()
        else:
            code.line(f"{out} = None")

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """One node a column: MLeap has no multi-column form."""
        columns, outputs = saved.columns(cls.inputs[0]), saved.columns(cls.outputs[0])
        many = saved.param("splitsArray", None)
        nodes = []
        for n, (column, output) in enumerate(zip(columns, outputs, strict=True)):
            splits = many[n] if many is not None else saved.param("splits")
            values = {"splits": splits, "handle_invalid": saved.param("handleInvalid")}
            nodes.append(cls.make(saved.name(n, len(columns)), values, [("input", column)], [("output", output)]))
        return nodes


def out_of_bounds(value: float | None) -> str:
    """Spark's own sentence."""
    return f"Feature value {value} out of Bucketizer bounds"
