"""Categories to what the label was on average: nacre.target_encoder (Spark 4's TargetEncoder)."""

from __future__ import annotations

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

UNSEEN, NULL = 2147483647.0, -1.0
"""The keys under which Spark's model holds the whole column and its nulls."""
FIX = "Send a category the model was fitted on, or fit with handleInvalid keep"


@stage
class TargetEncoder(Stage):
    """The encoding of a category, of null if the model was fitted on nulls; any other value has that of the whole."""

    op = "nacre.target_encoder"
    spark_classes = ("org.apache.spark.ml.feature.TargetEncoderModel",)
    attributes = (
        Attr("categories", "list<double>", REQUIRED, "the categories"),
        Attr("encodings", "list<double>", REQUIRED, "the encoding of each"),
        Attr("null_encoding", "double", None, "the encoding of null; absent: null is unseen"),
        Attr("unseen_encoding", "double", REQUIRED, "the encoding of what is unseen, under keep"),
        Attr(
            "handle_invalid", "string", "error", "what an unseen value does",
            choices=("error", "keep"), spark=param("handleInvalid"),
        ),
    )  # fmt: skip
    inputs = (Port("input", DOUBLE, "inputCol"),)
    outputs = (Port("output", DOUBLE, "outputCol"),)

    categories: list[float]
    encodings: list[float]
    null_encoding: float | None
    unseen_encoding: float
    handle_invalid: str

    def prepare(self) -> None:
        if len(self.categories) != len(self.encodings):
            raise self.bad("categories without their encodings", "encodings", len(self.categories), len(self.encodings))
        self.known = {x: y for x, y in zip(self.categories, self.encodings, strict=True) if x == x}
        self.keep = self.handle_invalid == "keep"
        self.nulls = (
            self.null_encoding if self.null_encoding is not None else self.unseen_encoding if self.keep else None
        )
        shown = ", ".join(map(double_text, sorted(self.known)[:8]))
        self.expected = f"one of {shown}" + (f", … ({len(self.known)} categories)" if len(self.known) > 8 else "")

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        double_of(self, self.input_names[0], inputs[0])
        return [DOUBLE]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Scalars)
        values = column.doubles()
        null = column.null if column.null is not None else np.zeros(len(values), bool)
        out, unseen = np.full(len(values), self.unseen_encoding), ~null
        for category, encoding in self.known.items():
            at = values == category
            out[at] = encoding
            unseen &= ~at
        out[null] = 0.0 if self.nulls is None else self.nulls

        def got(row: int) -> float | None:
            return None if null[row] else float(values[row])

        bad = np.zeros(len(values), bool) if self.keep else unseen
        if self.nulls is None:
            bad = bad | null
        result, field = Result([Scalars(out)]), self.input_names[0]
        result.fail(bad, field, lambda row: unseen_value(got(row)), expected=self.expected, got=got, fix=FIX)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, ScalarRef)
        x, table = code.double(ref), code.const(self.known, "known")
        if self.keep:
            out = code.let(f"{table}.get({x}, {code.number(self.unseen_encoding)})", "y")
        else:
            out = code.let(f"{table}.get({x})", "y")
        if ref.nullable and self.nulls is not None:
            with code.block(f"if {x} is None"):
                code.line(f"{out} = {code.number(self.nulls)}")
        if not self.keep or self.nulls is None:
            with code.block(f"if {out} is None"):
                code.fail(self.input_names[0], unseen_value, self.expected, x, FIX)
        return [ScalarRef(out)]

    def ml_attrs(self, inputs: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
        made = [*self.encodings, self.unseen_encoding, *([] if self.null_encoding is None else [self.null_encoding])]
        values = tuple(double_text(x) for x in dict.fromkeys(made))
        return [mlattrs.scalar_json(mlattrs.Entry("nominal", self.output_names[0], values))]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """One node a column."""
        given = saved.metadata["paramMap"]
        columns = [given["inputCol"]] if "inputCol" in given else given["inputCols"]
        named = [given["outputCol"]] if "outputCol" in given else given.get("outputCols")
        outputs = named or [f"{column}_indexed" for column in columns]
        rows = sorted(saved.table.to_pylist(), key=lambda row: row["index"])
        nodes = []
        for n, (column, output, row) in enumerate(zip(columns, outputs, rows, strict=True)):
            made = dict(zip(row["categories"], _encodings(saved, row), strict=True))
            values = {
                "unseen_encoding": made.pop(UNSEEN),
                "null_encoding": made.pop(NULL, None),
                "categories": list(made),
                "encodings": list(made.values()),
                "handle_invalid": saved.param("handleInvalid"),
            }
            nodes.append(cls.make(saved.name(n, len(columns)), values, [("input", column)], [("output", output)]))
        return nodes


def _encodings(saved: Saved, row: Mapping[str, Any]) -> list[float]:
    """Spark's formula: the mean of the label in the category, and in the whole, weighted by the category's count."""
    smoothing, binary = float(saved.param("smoothing")), saved.param("targetType") == "binary"
    counts, stats = row["counts"], row["stats"]
    whole = row["categories"].index(UNSEEN)
    means = [stat / count for stat, count in zip(stats, counts, strict=True)] if binary else stats
    weights = [count / (count + smoothing) for count in counts]
    return [weight * mean + (1 - weight) * means[whole] for weight, mean in zip(weights, means, strict=True)]


def unseen_value(value: float | None) -> str:
    return f"Unseen {'null value' if value is None else f'value {double_text(value)}'}: set handleInvalid to keep"
