"""Columns of any kind to one hashed vector: feature_hasher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.bundle.values import Shape
from nacre.formats.javatext import float_text, text_of
from nacre.formats.murmur3 import hash_text
from nacre.plan.frame import Column, Csr, Result, Scalars, Texts
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef
from nacre.plan.types import BASES, Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, numbered, param, stage
from nacre.stages.counting import KNOWN, MOST, in_order

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved


@stage
class FeatureHasher(Stage):
    """A number goes to the place of its column's hash; a text, truth value or categorical number counts 1.0 at the
    place of the hash of `column=text`. Murmur3, modulo the size; what falls together is added; null is left out.
    """

    op = "feature_hasher"
    since = "0.10"
    spark_classes = ("org.apache.spark.ml.feature.FeatureHasher",)
    exact = "bit for bit; a categorical float or double as Java 19 and later print it"
    inputs = (Port("input", None, "inputCols", many="inputCols"),)
    outputs = (Port("output", vector(), "outputCol"),)
    attributes = (
        Attr("num_features", "long", 1 << 18, "size of the vector", spark=param("numFeatures")),
        Attr("categorical_cols", "list<string>", REQUIRED, "columns of numbers that are categories"),
        Attr("input_shapes", "list<shape>", REQUIRED, "scalar, for each column"),
        Attr("basic_types", "list<basic_type>", REQUIRED, "type of each column"),
        Attr("input_names", "list<string>", REQUIRED, "name of each column, as it is hashed"),
    )

    num_features: int
    categorical_cols: list[str]
    input_shapes: list[Shape]
    basic_types: list[str]
    hashed_names: list[str]

    def _read(self, attr: Attr) -> Any:
        """`input_names` is what a Stage calls its columns; the attribute of that name is kept under another."""
        value = super()._read(attr)
        if attr.name == "input_names":
            self.hashed_names = value
        return value

    def prepare(self) -> None:
        if not 1 <= self.num_features <= MOST:
            raise self.bad("absurd number of features", "num_features", f"1 to {MOST}", self.num_features)
        for field, held in (("basic_types", self.basic_types), ("input_names", self.hashed_names)):
            if len(held) != len(self.input_names):
                raise self.bad("ports and columns do not match", field, f"{len(self.input_names)} entries", held)
        strange = [base for base in self.basic_types if base not in BASES]
        if strange or any(shape.base != "scalar" for shape in self.input_shapes):
            raise self.bad("a column that cannot be hashed", "basic_types", f"scalars of {', '.join(BASES)}", strange)
        plain = {"boolean", "string", *(["byte"] if self.context.mleap else [])}
        self.numeric = [
            base not in plain and name not in self.categorical_cols
            for base, name in zip(self.basic_types, self.hashed_names, strict=True)
        ]
        self.zero = 0.0 if self.context.mleap else None
        """What MLeap adds the first value to; Spark keeps it as it is, a -0.0 too."""

    def place(self, text: str) -> int:
        """Where a text goes."""
        return hash_text(text) % self.num_features

    def wants(self) -> list[Type | None]:
        return [Type(base) for base in self.basic_types]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        for name, given, base, numeric in zip(self.input_names, inputs, self.basic_types, self.numeric, strict=True):
            if given != Type(base) and not (numeric and given.numeric):
                raise self.refuse(name, base, given)
        return [vector(self.num_features)]

    def columns(self, inputs: Sequence[Column]) -> Result:
        parts = [self._part(n, column) for n, column in enumerate(inputs)]
        rows, places, values = (np.concatenate(each) for each in zip(*parts, strict=True))
        keys = rows * self.num_features + places
        order = np.argsort(keys, kind="stable")
        keys, values = keys[order], values[order]
        first = np.diff(keys, prepend=-1) != 0
        sums = values[first] if self.zero is None else values[first] + self.zero
        with np.errstate(all="ignore"):
            np.add.at(sums, np.cumsum(first)[~first] - 1, values[~first])  # one after the other, as the columns stand
        at, indices = np.divmod(keys[first], self.num_features)
        indptr = np.searchsorted(at, np.arange(len(inputs[0]) + 1)).astype(np.int64)
        return Result([Csr(indptr, indices.astype(np.int32), sums, self.num_features)])

    def _part(self, n: int, column: Column) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row, place, value) of the values of one column that are not null."""
        assert isinstance(column, (Texts, Scalars)), "types() lets only scalars in"
        if isinstance(column, Texts):
            known = column.array.dictionary_encode()
            null = np.asarray(column.array.is_null())
            codes, words = known.indices.fill_null(0).to_numpy(), known.dictionary.to_pylist()
        else:
            null = np.zeros(len(column), bool) if column.null is None else column.null
            rows = np.flatnonzero(~null)
            if self.numeric[n]:
                return rows, np.full(len(rows), self.place(self.hashed_names[n])), column.doubles()[rows]
            codes, words = _distinct(column, self.basic_types[n])
        rows = np.flatnonzero(~null)
        places = np.array([self.place(f"{self.hashed_names[n]}={word}") for word in words] or [0], np.int64)
        return rows, places[codes[rows]], np.ones(len(rows))

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        sums = code.let("{}", "h")
        for n, ref in enumerate(inputs):
            assert isinstance(ref, ScalarRef), "types() lets only scalars in"
            if ref.nullable:
                with code.block(f"if {ref.name} is not None"):
                    self._add_row(code, n, ref, sums)
            else:
                self._add_row(code, n, ref, sums)
        indices, values = code.new("ix"), code.new("vx")
        code.line(f"{indices}, {values} = {code.const(in_order, 'sparse')}({sums}, False)")
        return [SparseRef(indices, values, self.num_features)]

    def _add_row(self, code: RowCode, n: int, ref: ScalarRef, sums: str) -> None:
        name = self.hashed_names[n]
        if self.numeric[n]:
            place = str(self.place(name))
            value = code.double(ScalarRef(ref.name, False, ref.base))
        else:
            place, value = code.let(f"{code.const(self._placer(n), 'place')}({ref.name})", "p"), "1.0"
        first = value if self.zero is None else f"{value} + 0.0"
        code.line(f"{sums}[{place}] = {sums}[{place}] + {value} if {place} in {sums} else {first}")

    def _placer(self, n: int) -> Callable[[Any], int]:
        """Value of a categorical column to its place."""
        name, base = self.hashed_names[n], self.basic_types[n]
        place = lru_cache(KNOWN)(lambda text: self.place(f"{name}={text}"))
        spell = speller(base)
        return place if base == "string" else lambda value: place(spell(value))

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        """The types of the columns decide what is a number, and only the frame knows them."""
        columns = saved.columns(cls.inputs[0])
        values = saved.attributes(cls) | {
            "categorical_cols": saved.param("categoricalCols", None) or [],
            "input_shapes": [Shape("scalar")] * len(columns),
            "basic_types": [saved.type_of(column).base for column in columns],
            "input_names": columns,
        }
        return [cls.make(saved.uid, values, numbered(cls.inputs[0], columns), saved.ports(cls.outputs))]


def speller(base: str) -> Callable[[Any], str]:
    """Text of a value of a basic type, as Java's toString has it."""
    return float_text if base == "float" else text_of


def _distinct(column: Scalars, base: str) -> tuple[np.ndarray, list[str]]:
    """(a code a row, the text of each code). Told apart by their bits: -0.0 is no 0.0."""
    raw = column.values
    keys = raw.view(f"i{raw.dtype.itemsize}") if raw.dtype.kind == "f" else raw
    _, at, codes = np.unique(keys, return_index=True, return_inverse=True)
    return codes.reshape(-1), list(map(speller(base), raw[at].tolist()))
