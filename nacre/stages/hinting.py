"""A vector column's promised size: nacre.vector_size_hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nacre.plan.frame import Column, Result, Vectors
from nacre.plan.rowcode import Ref, RowCode, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, param, stage, vector_of

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

NULL = "Got null vector in VectorSizeHint"
FIX = "Send a vector, or fit with handleInvalid skip"


@stage
class VectorSizeHint(Stage):
    """Passes vectors of the promised size on, in place; a null fails or is dropped.

    Columns of a plan have one size each, so a raw vector of another size counts as null where it is dropped, and is
    refused before any stage sees it where it fails. Spark's optimistic hint does nothing to a row and has no node.
    """

    op = "nacre.vector_size_hint"
    instead = "Leave VectorSizeHint out: the stages after it know the size of the vectors they were fitted on"
    spark_classes = ("org.apache.spark.ml.feature.VectorSizeHint",)
    attributes = (
        Attr("size", "int", REQUIRED, "number of entries", spark=param("size")),
        Attr(
            "handle_invalid", "string", "error", "what a null, or a vector of another size, does",
            choices=("error", "skip"), spark=param("handleInvalid"),
        ),
    )  # fmt: skip
    inputs = (Port("input", vector(), "inputCol"),)
    outputs = (Port("output", vector(), "inputCol"),)

    size: int
    handle_invalid: str

    def prepare(self) -> None:
        self.expected = f"vector[{self.size}]"

    @property
    def drops(self) -> bool:
        return self.handle_invalid == "skip"

    @property
    def drops_strays(self) -> bool:
        return self.drops

    def wants(self) -> list[Type | None]:
        return [vector(self.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        return [vector_of(self, self.input_names[0], inputs[0], self.size)]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        result = Result([column])
        if column.null is not None and self.drops:
            result.drop(column.null)
        elif column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=self.expected, got=lambda row: None, fix=FIX)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        if ref.null is None:
            return [ref]
        with code.block(f"if {ref.null}"):
            if self.drops:
                code.drop()
            else:
                code.fail(self.input_names[0], NULL, self.expected, "None", FIX)
        return [replace(ref, null=None)]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """No node for an optimistic hint; the size it promises is known from here on."""
        column = str(saved.param("inputCol"))
        if saved.type_of(column, vector()).size is None:
            saved.types[column] = vector(int(saved.param("size")))
        return [] if saved.param("handleInvalid") == "optimistic" else super().from_spark(saved)
