"""A text to a number by patterns or by a table: regex_indexer, string_map. Ops of MLeap's own, with no Spark class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.plan.frame import Column, Result, Scalars, Texts
from nacre.plan.rowcode import Ref, RowCode, ScalarRef
from nacre.plan.types import DOUBLE, Type
from nacre.stages.base import REQUIRED, Attr, Port, stage
from nacre.stages.indexing import expected_labels
from nacre.stages.tokenizing import TextStage, pattern_of

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved


@stage
class RegexIndexer(TextStage):
    """The index of the first pattern that matches anywhere in the text."""

    op = "regex_indexer"
    since = "0.11"
    exact = "bit for bit MLeap's; Spark has no such class"
    outputs = (Port("output", Type("int"), "outputCol"),)
    attributes = (
        Attr("regexes", "list<string>", REQUIRED, "patterns of java.util.regex, tried in order"),
        Attr("indices", "list<int>", REQUIRED, "the index of each"),
        Attr("default_value", "int", None, "the index of a text that none matches; absent: such a text fails"),
    )

    regexes: list[str]
    indices: list[int]
    default_value: int | None

    def prepare(self) -> None:
        patterns = [pattern_of(self, "regexes", regex) for regex in self.regexes]
        # MLeap pairs what there is of both.
        self.tests = [(pattern.finds, index) for pattern, index in zip(patterns, self.indices, strict=False)]

    def output_type(self) -> Type:
        return Type("int")

    def index(self, text: str) -> int | None:
        """The index of a text, None for none."""
        return next((index for finds, index in self.tests if finds(text)), self.default_value)

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Texts)
        known = column.array.dictionary_encode()
        found = [self.index(text) for text in known.dictionary.to_pylist()]
        codes = known.indices.fill_null(len(found)).to_numpy()
        values = np.array([*(0 if index is None else index for index in found), 0], np.int32)
        result = Result([Scalars(values[codes])])
        self.refuse_null(result, column)
        missed = np.array([*(index is None for index in found), False])[codes]
        result.fail(
            missed, self.input_names[0], UNMATCHED, expected=self._expected(), got=lambda n: column.array[n].as_py()
        )
        return result

    def _expected(self) -> str:
        return f"a text that one of {len(self.regexes)} patterns matches"

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, ScalarRef)
        self.refuse_null_row(code, ref)
        index = code.let(f"{code.const(self.index, 'index')}({ref.name})", "i")
        with code.block(f"if {index} is None"):
            code.fail(self.input_names[0], UNMATCHED, self._expected(), ref.name)
        return [ScalarRef(index, base="int")]


UNMATCHED = "a text that no pattern matches"


@stage
class StringMap(TextStage):
    """The number that a table gives for a text; null is a text that the table has not."""

    op = "string_map"
    spark_classes = ("org.apache.spark.ml.mleap.feature.StringMap",)
    exact = "bit for bit MLeap's; Spark has no such class"
    outputs = (Port("output", DOUBLE, "outputCol"),)
    attributes = (
        Attr("labels", "list<string>", REQUIRED, "the texts"),
        Attr("values", "list<double>", REQUIRED, "the number of each"),
        Attr(
            "handle_invalid", "string", "error", "what a text does that is none of them", choices=("error", "keep"),
            foreign=True,
        ),
        Attr("default_value", "double", 0.0, "what such a text gives under keep"),
    )  # fmt: skip

    labels: list[str]
    values: list[float]
    handle_invalid: str
    default_value: float

    def prepare(self) -> None:
        if len(self.labels) != len(self.values):
            raise self.bad("labels and values do not match", "values", f"{len(self.labels)} values", len(self.values))
        self.table = dict(zip(self.labels, self.values, strict=True))
        self.keep = self.handle_invalid == "keep"

    def output_type(self) -> Type:
        return DOUBLE

    def columns(self, inputs: Sequence[Column]) -> Result:
        import pyarrow as pa
        import pyarrow.compute as pc

        (column,) = inputs
        assert isinstance(column, Texts)
        labels = pa.array(list(self.table), pa.string())
        codes = pc.index_in(column.array, value_set=labels).fill_null(len(labels)).to_numpy()
        values = np.array([*self.table.values(), self.default_value], np.float64)
        result = Result([Scalars(values[codes])])

        def got(row: int) -> Any:
            return column.array[row].as_py()

        if not self.keep:
            result.fail(
                codes == len(labels), self.input_names[0], lambda row: missing_label(got(row)),
                expected=expected_labels(sorted(self.table)), got=got, fix=FIX,
            )  # fmt: skip
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, ScalarRef)
        table = code.const(self.table, "table")
        if self.keep:
            return [ScalarRef(code.let(f"{table}.get({ref.name}, {code.number(self.default_value)})", "m"))]
        found = code.let(f"{table}.get({ref.name})", "m")
        with code.block(f"if {found} is None"):
            code.fail(self.input_names[0], missing_label, expected_labels(sorted(self.table)), ref.name, FIX)
        return [ScalarRef(found)]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """MLeap's Spark extension keeps the table as one map."""
        table = dict(saved.data("labels"))
        values = {
            "labels": list(table),
            "values": list(table.values()),
            "handle_invalid": saved.data("handleInvalid"),
            "default_value": saved.data("defaultValue"),
        }
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


FIX = "Send a label of the table, or make it with handleInvalid keep"


def missing_label(label: str | None) -> str:
    """MLeap's own sentence."""
    shown = "null" if label is None else label
    way_out = "To handle unseen labels, set handleInvalid to keep and optionally set a custom defaultValue"
    return f"Missing label: {shown}. {way_out}"
