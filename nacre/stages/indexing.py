"""Labels to indexes to one-hot vectors: string_indexer, one_hot_encoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.formats.javatext import float_text, parse_double, parse_float, text_of
from nacre.plan.frame import Column, OneHot, Result, Scalars, Texts
from nacre.plan.rowcode import Part, Ref, RowCode, ScalarRef, VectorRef
from nacre.plan.types import DOUBLE, STRING, Type, vector
from nacre.stages import mlattrs
from nacre.stages.base import Attr, Port, Stage, Unfit, data, double_of, param, stage

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

LABEL_FIX = "Send a label the model was fitted on, or fit with handleInvalid keep or skip"
MOST = 1 << 24
"""Categories of one column, beyond which a bundle is refused: each row would hold 128 MB of zeros."""
INDEX_FIX = "Fit with handleInvalid keep"


@stage
class StringIndexer(Stage):
    """The index of a text in the fitted labels; numbers are turned to text as Spark's CAST does first."""

    op = "string_indexer"
    spark_classes = ("org.apache.spark.ml.feature.StringIndexerModel",)
    attributes = (
        Attr("labels_length", "int", None, "number of columns, each with its labels in labels_array_<n>"),
        Attr("labels_array_{n}", "list<string>", None, "labels of column n, by index"),
        Attr("labels", "list<string>", None, "labels of the one column (before MLeap 0.18, and scikit-learn's)"),
        Attr("nullable_input", "boolean", None, "written by old bundles, ignored"),
        Attr(
            "handle_invalid", "string", "error", "what a null or unseen label does",
            choices=("error", "skip", "keep"), spark=param("handleInvalid"),
        ),
    )  # fmt: skip
    inputs = (Port("input", STRING, "inputCol", many="inputCols"),)
    outputs = (Port("output", DOUBLE, "outputCol", many="outputCols"),)

    labels: list[str] | None
    labels_array: dict[int, list[str]]
    labels_length: int | None
    handle_invalid: str

    def prepare(self) -> None:
        self.label_lists = self._label_lists()
        counts = {len(self.label_lists), len(self.input_names), len(self.output_names)}
        if len(counts) > 1:
            ports = f"{len(self.input_names)} inputs and {len(self.output_names)} outputs"
            raise self.bad("ports and labels do not match", "labels_length", f"{len(self.label_lists)} of each", ports)
        # A label that stands twice has the index of its first place, as Spark's own map and index_in have it.
        self.tables = [{x: float(i) for i, x in reversed(list(enumerate(labels)))} for labels in self.label_lists]

    def _label_lists(self) -> list[list[str]]:
        if self.labels_length is None and not self.labels_array:
            if self.labels is None:
                raise self.bad("an attribute is missing", "labels_array_0", "list<string>", "nothing")
            return [self.labels]
        length = len(self.labels_array) if self.labels_length is None else self.labels_length
        missing = next((n for n in range(length) if n not in self.labels_array), None)
        if missing is not None:
            raise self.bad("an attribute is missing", f"labels_array_{missing}", "list<string>", "nothing")
        return [self.labels_array[n] for n in range(length)]

    def unfit(self, format: str) -> Iterator[Unfit]:  # noqa: A002 - the word that bundle.json uses
        yield from super().unfit(format)
        if self.labels_length is not None and self.labels_length != 1:
            yield Unfit("labels_length", self.labels_length, "MLeap 0.23.3 reads several columns; 0.20 a node for each")

    @property
    def drops(self) -> bool:
        return self.handle_invalid == "skip"

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given in zip(self.input_names, inputs, strict=True):
            if given.shape != "scalar" or given.base == "boolean":
                raise self.refuse(name, "a text or a number", given)
        return [DOUBLE] * len(inputs)

    def columns(self, inputs: Sequence[Column]) -> Result:
        import pyarrow as pa
        import pyarrow.compute as pc

        result = Result([])
        outputs: list[Column] = []
        for name, column, labels in zip(self.input_names, inputs, self.label_lists, strict=True):
            texts = as_text(column, labels)
            found = pc.index_in(texts, value_set=pa.array(labels, pa.string()))
            codes = found.fill_null(len(labels)).to_numpy()
            if self.handle_invalid != "keep" and found.null_count:
                self._invalid(result, codes == len(labels), name, texts, labels)
            outputs.append(Scalars(codes.astype(np.float64)))
        result.outputs = outputs
        return result

    def _invalid(self, result: Result, invalid: np.ndarray, name: str, texts: Any, labels: list[str]) -> None:
        if self.handle_invalid == "skip":
            return result.drop(invalid)

        def got(row: int) -> str | None:
            return texts[row].as_py()  # type: ignore[no-any-return]

        expected = expected_labels(labels)
        return result.fail(invalid, name, lambda row: unseen(got(row)), expected=expected, got=got, fix=LABEL_FIX)

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        out: list[Ref] = []
        for name, ref, labels, table in zip(self.input_names, inputs, self.label_lists, self.tables, strict=True):
            assert isinstance(ref, ScalarRef), "types() lets only texts and numbers in"
            text, lookup = ref.name, code.const(table, "labels")
            if ref.base != "string":
                text = code.let(f"{code.const(texter(ref.base, labels), 'text')}({text})", "t")
            if self.handle_invalid == "keep":
                out.append(ScalarRef(code.let(f"{lookup}.get({text}, {code.number(len(labels))})", "i")))
                continue
            index = code.let(f"{lookup}.get({text})", "i")
            with code.block(f"if {index} is None"):
                if self.handle_invalid == "skip":
                    code.drop()
                else:
                    code.fail(name, unseen, expected_labels(labels), text, LABEL_FIX)
            out.append(ScalarRef(index))
        return out

    def ml_attrs(self, inputs: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
        unknown = ("__unknown",) if self.handle_invalid == "keep" else ()
        return [
            mlattrs.scalar_json(mlattrs.Entry("nominal", name, (*labels, *unknown)))
            for name, labels in zip(self.output_names, self.label_lists, strict=True)
        ]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """One node a column, since MLeap 0.20 loads indexers of one column only. A row is dropped if any column is
        invalid; several nodes, one after the other, do the same."""
        arrays = saved.data("labelsArray") if saved.has("labelsArray") else [saved.data("labels")]
        columns, outputs = saved.columns(cls.inputs[0]), saved.columns(cls.outputs[0])
        nodes = []
        for n, (labels, column, output) in enumerate(zip(arrays, columns, outputs, strict=True)):
            values = {
                "labels_length": 1,
                "labels_array_{n}": {0: labels},
                "handle_invalid": saved.param("handleInvalid"),
            }
            nodes.append(cls.make(saved.name(n, len(columns)), values, [("input", column)], [("output", output)]))
        return nodes


def as_text(column: Column, labels: Sequence[str]) -> Any:
    """A column as an Arrow string array, numbers as the Java that made the labels prints them."""
    import pyarrow as pa

    if isinstance(column, Texts):
        return column.array
    assert isinstance(column, Scalars), "types() lets only texts and numbers in"
    base = {"f4": "float", "f8": "double"}.get(column.values.dtype.str[1:], "long")
    return pa.array(map(texter(base, labels), column.values.tolist()), pa.string(), mask=column.null)


DIGITS = {"float": 8, "double": 16}
"""Significant digits from which on a label may be longer than need be."""


def texter(base: str, labels: Sequence[str]) -> Callable[[Any], str | None]:
    """The text of a number of a basic type, None for None.

    Java up to 18 prints some numbers with more digits than they need (JDK-4511638), and Spark's labels hold what its
    Java printed. So a label of that many digits stands for the number it reads as.
    """
    spell = float_text if base == "float" else text_of
    if base not in DIGITS:
        return lambda value: None if value is None else spell(value)
    parse = parse_float if base == "float" else parse_double
    long = {parse(label): label for label in labels if _is_long(label, DIGITS[base])}
    return lambda value: None if value is None else long.get(value) or spell(value)


def _is_long(label: str, digits: int) -> bool:
    """Whether a label is a number as Java prints one, of at least so many digits."""
    mantissa, _, exponent = label.partition("E")
    whole, point, fraction = mantissa.removeprefix("-").partition(".")
    parts = [whole, fraction, exponent.removeprefix("-") or "0"]
    return bool(point) and all(part.isascii() and part.isdigit() for part in parts) and len(whole + fraction) >= digits


def unseen(value: Any) -> str:
    """MLeap's own sentence, which clients of AWS's container know."""
    return f"Unseen label: {'null' if value is None else value}. To handle unseen labels, set handleInvalid to keep"


def expected_labels(labels: Sequence[str]) -> str:
    shown = ", ".join(repr(label) for label in labels[:8])
    return f"one of {shown}" if len(labels) <= 8 else f"one of {shown}, … ({len(labels)} labels)"


@stage
class OneHotEncoder(Stage):
    """An index to a vector with a 1.0 at it. Rules of Spark's OneHotEncoderModel: a value from 0 up to the number of
    categories is truncated; anything else is invalid; null gives a null vector."""

    op = "one_hot_encoder"
    spark_classes = (
        "org.apache.spark.ml.feature.OneHotEncoderModel",
        "org.apache.spark.ml.feature.OneHotEncoderEstimatorModel",
    )
    attributes = (
        Attr("category_sizes", "list<int>", None, "number of categories of each column", spark=data("categorySizes")),
        Attr("size", "long", None, "number of categories of the one column (before MLeap 0.11, and scikit-learn's)"),
        Attr("drop_last", "boolean", True, "whether the last category has no entry", spark=param("dropLast")),
        Attr(
            "handle_invalid", "string", None, "what an index outside the categories does",
            choices=("error", "keep"), spark=param("handleInvalid"),
        ),
    )  # fmt: skip
    inputs = (Port("input", DOUBLE, "inputCol", many="inputCols"),)
    outputs = (Port("output", vector(), "outputCol", many="outputCols"),)

    category_sizes: list[int] | None
    size: int | None
    drop_last: bool
    handle_invalid: str | None

    def prepare(self) -> None:
        sizes = [self.size] if self.category_sizes is None else self.category_sizes
        if sizes == [None]:
            raise self.bad("an attribute is missing", "category_sizes", "list<int>", "nothing")
        if self.handle_invalid is None:  # MLeap's rule for bundles older than the attribute
            self.handle_invalid = "keep" if self.category_sizes is None and self.drop_last else "error"
        if len({len(sizes), len(self.input_names), len(self.output_names)}) > 1:
            raise self.bad(
                "ports and sizes do not match", "category_sizes", f"{len(self.input_names)} columns", len(sizes)
            )
        self.sizes = [int(size) for size in sizes if size is not None]
        if not all(0 <= size <= MOST for size in self.sizes):
            raise self.bad("absurd number of categories", "category_sizes", f"0 to {MOST}", self.sizes)
        self.keep = self.handle_invalid == "keep"
        self.widths = [max(size - self.drop_last + self.keep, 0) for size in self.sizes]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given in zip(self.input_names, inputs, strict=True):
            double_of(self, name, given)
        return [vector(width) for width in self.widths]

    def columns(self, inputs: Sequence[Column]) -> Result:
        result = Result([])
        result.outputs = [
            self._encode(result, name, column, size, width)
            for name, column, size, width in zip(self.input_names, inputs, self.sizes, self.widths, strict=True)
        ]
        return result

    def _encode(self, result: Result, name: str, column: Column, size: int, width: int) -> OneHot:
        assert isinstance(column, Scalars)
        values = column.doubles()
        with np.errstate(invalid="ignore"):
            valid = (values >= 0.0) & (values < size)
            bad = ~_whole(values) if self.context.mleap else np.zeros(len(values), bool)
            codes = np.where(valid, values, size).astype(np.int32)
        if not self.keep:
            bad |= ~valid
        if column.null is not None and not self.context.mleap:
            bad &= ~column.null

        def got(row: int) -> float | None:
            return None if column.null is not None and column.null[row] else float(values[row])

        result.fail(
            bad, name, lambda row: invalid_index(got(row)), expected=expected_index(size), got=got, fix=INDEX_FIX
        )
        codes[codes >= width] = -1
        return OneHot(codes, width, column.null)

    def ml_attrs(self, inputs: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
        return [self._attrs(size, told) for size, told in zip(self.sizes, inputs, strict=True)]

    def _attrs(self, size: int, told: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Entries are called after the labels of the index, or by number."""
        known = mlattrs.scalar(told)
        names = known.values if known is not None and known.values is not None else tuple(map(str, range(size)))
        if self.keep != self.drop_last:
            names = (*names, "invalidValues") if self.keep else names[:-1]
        return mlattrs.entries_json([mlattrs.Entry("binary", name) for name in names])

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        return [
            self._encode_row(code, name, ref, size, width)
            for name, ref, size, width in zip(self.input_names, inputs, self.sizes, self.widths, strict=True)
        ]

    def _encode_row(self, code: RowCode, name: str, ref: Ref, size: int, width: int) -> VectorRef:
        assert isinstance(ref, ScalarRef)
        x, hot, found = code.double(ref), code.const(one_hot(width), "hot"), code.new("h")
        may_be_null = ref.nullable and not self.context.mleap
        null = code.let(f"{x} is None", "n") if may_be_null else None
        word = "if"
        if null:
            with code.block(f"if {null}"):
                code.line(f"{found} = {hot}(-1)")
            word = "elif"
        test = f"0.0 <= {x} < {code.number(size)}"
        whole = f"{x} is not None and {INT_MIN} <= {x} <= {INT_MAX} and {x} == {x} // 1.0"
        if self.context.mleap:
            test = f"{whole} and {test}"
        with code.block(f"{word} {test}"):
            code.line(f"{found} = {hot}(int({x}))")
        if self.keep and self.context.mleap:
            with code.block(f"elif {whole}"):
                code.line(f"{found} = {hot}({size})")
        with code.block("else"):
            if self.keep and not self.context.mleap:
                code.line(f"{found} = {hot}({size})")
            else:
                code.fail(name, invalid_index, expected_index(size), x, INDEX_FIX)
        return VectorRef((Part(found, width, unsigned=True),), width, null, f"nonzero({found})")


INT_MIN, INT_MAX = -2147483648.0, 2147483647.0


def _whole(values: np.ndarray) -> np.ndarray:
    """Where MLeap finds an index at all: a number that Scala's toInt leaves as it is."""
    found: np.ndarray = (values >= INT_MIN) & (values <= INT_MAX) & (values == np.floor(values))
    return found


def one_hot(width: int) -> Callable[[int], tuple[float, ...]]:
    """Index to one-hot tuple; an index outside gives zeros. A table up to 256 entries wide, else made on demand."""
    zeros = (0.0,) * width
    if width <= 256:
        table = {i: (*zeros[:i], 1.0, *zeros[i + 1 :]) for i in range(width)}
        return lambda i: table.get(i, zeros)
    return lambda i: (*zeros[:i], 1.0, *zeros[i + 1 :]) if 0 <= i < width else zeros


def invalid_index(value: float | None) -> str:
    """Spark's own sentences."""
    if value is not None and value < 0:
        return f"Negative value: {value}. Input can't be negative"
    return f"Unseen value: {'null' if value is None else value}. To handle unseen values, set handleInvalid to keep"


def expected_index(size: int) -> str:
    return f"an index from 0 to {size - 1}"
