"""Categories inside a vector to indexes: vector_indexer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.formats.javatext import double_text
from nacre.plan.frame import Bools, Column, Csr, Floats, Result, Vectors
from nacre.plan.rowcode import Ref, RowCode, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages import mlattrs
from nacre.stages.base import REQUIRED, Attr, Port, Stage, data, param, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

FIX = "Send a category the model was fitted on, or fit with handleInvalid keep or skip"
Lookup = Mapping[float, float]


@stage
class VectorIndexer(Stage):
    """Entries that are categories become their index, others stay. Only the stored entries of a sparse vector are
    looked up: a zero that is not stored stays 0.0 even where no category is 0.0.

    MLeap has no row to drop and fails under skip.
    """

    op = "vector_indexer"
    spark_classes = ("org.apache.spark.ml.feature.VectorIndexerModel",)
    attributes = (
        Attr("num_features", "long", REQUIRED, "number of entries", spark=data("numFeatures")),
        Attr("keys", "list<long>", REQUIRED, "indices of the entries that are categories"),
        Attr("key_{n}_keys", "list<double>", None, "categories of entry n"),
        Attr("key_{n}_values", "list<long>", None, "their indexes"),
        Attr(
            "handle_invalid", "string", "error", "what an unseen category does",
            choices=("error", "skip", "keep"), spark=param("handleInvalid"),
        ),
    )  # fmt: skip
    inputs = (Port("input", vector(), "inputCol"),)
    outputs = (Port("output", vector(), "outputCol"),)

    num_features: int
    keys: list[int]
    key_keys: dict[int, list[float]]
    key_values: dict[int, list[int]]
    handle_invalid: str

    def prepare(self) -> None:
        self.maps: dict[int, Lookup] = {}
        for key in sorted(set(self.keys)):
            if not 0 <= key < self.num_features:
                raise self.bad("an entry that the input has not", "keys", f"0 to {self.num_features - 1}", key)
            categories, indexes = self.key_keys.get(key), self.key_values.get(key)
            if categories is None or indexes is None or len(categories) != len(indexes):
                raise self.bad("categories without their indexes", f"key_{key}_keys", "as many of both", categories)
            self.maps[key] = {x + 0.0: float(i) for x, i in zip(categories, indexes, strict=True) if x == x}

    @property
    def drops(self) -> bool:
        return self.handle_invalid == "skip" and not self.context.mleap

    def wants(self) -> list[Type | None]:
        return [vector(self.num_features)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        return [vector_of(self, self.input_names[0], inputs[0], self.num_features)]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        result, name = Result([]), self.input_names[0]
        if column.null is not None:
            result.fail(column.null, name, NULL, expected=f"vector[{self.num_features}]", got=lambda row: None)
        if isinstance(column, Csr):
            result.outputs = [self._sparse(result, column)]
            return result
        matrix, lazily = column.matrix.copy(), _Absent(column)
        for key, known in self.maps.items():
            values = column.matrix[key].copy()
            found, unseen = looked_up(known, values)
            if known.get(0.0) != 0.0:
                absent = lazily.at(key)
                found, unseen = np.where(absent, 0.0, found), unseen & ~absent
            matrix[key] = found
            if column.null is not None:
                unseen &= ~column.null
            self._judge(result, key, unseen, lambda row, values=values: float(values[row]))  # type: ignore[misc]
        result.outputs = [column.like(matrix)]
        return result

    def _sparse(self, result: Result, column: Csr) -> Csr:
        values, rows = column.values.copy(), column.rows()
        for key, known in self.maps.items():
            at = np.flatnonzero(column.indices == key)
            given = column.values[at]
            values[at], unseen = looked_up(known, given)
            mask = np.zeros(len(column), bool)
            mask[rows[at[unseen]]] = True
            by_row = dict(zip(rows[at].tolist(), given.tolist(), strict=True))
            self._judge(result, key, mask, by_row.__getitem__)
        return column.with_values(values)

    def _judge(self, result: Result, key: int, unseen: Bools, got: Callable[[int], float]) -> None:
        if self.drops:
            result.drop(unseen)
        elif self.handle_invalid != "keep":
            message, expected = unseen_category(key), expected_categories(self.maps[key])
            field = self.input_names[0]
            result.fail(unseen, field, lambda row: message(got(row)), expected=expected, got=got, fix=FIX)

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        if isinstance(ref, SparseRef):
            return [self._sparse_row(code, ref)]
        names = code.components(replace(ref, null=None))
        stored = code.stored(ref) if any(known.get(0.0) != 0.0 for known in self.maps.values()) else "None"
        for key, known in self.maps.items():
            given, index = names[key], code.new("i")
            code.line(f"{index} = {code.const(known, 'known')}.get({given})")
            word = "if"
            if stored != "None" and known.get(0.0) != 0.0:
                with code.block(f"if {stored} is not None and {key} not in {stored}"):
                    code.line(f"{index} = 0.0")
                word = "elif"
            with code.block(f"{word} {index} is None"):
                self._unseen_row(code, key, index, given)
            names[key] = index
        return [VectorRef(code.vector(names).parts, self.num_features, None, ref.stored)]

    def _sparse_row(self, code: RowCode, ref: SparseRef) -> SparseRef:
        values = code.let(f"list({ref.values})", "vx")
        for key, known in self.maps.items():
            with code.block(f"if {key} in {ref.indices}"):
                place, index = code.let(f"{ref.indices}.index({key})", "p"), code.new("i")
                given = code.let(f"{values}[{place}]", "x")
                code.line(f"{index} = {code.const(known, 'known')}.get({given})")
                with code.block(f"if {index} is None"):
                    self._unseen_row(code, key, index, given)
                code.line(f"{values}[{place}] = {index}")
        return SparseRef(ref.indices, values, ref.size)

    def _unseen_row(self, code: RowCode, key: int, index: str, given: str) -> None:
        if self.handle_invalid == "keep":
            code.line(f"{index} = {code.number(len(self.maps[key]))}")
        elif self.drops:
            code.drop()
        else:
            code.fail(self.input_names[0], unseen_category(key), expected_categories(self.maps[key]), given, FIX)

    def ml_attrs(self, inputs: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
        before = mlattrs.entries(inputs[0]) or [mlattrs.Entry()] * self.num_features
        return [mlattrs.entries_json([self._entry(key, entry) for key, entry in enumerate(before)])]

    def _entry(self, key: int, entry: mlattrs.Entry) -> mlattrs.Entry:
        if key not in self.maps:
            return entry
        values = tuple(map(double_text, sorted(self.maps[key])))
        if self.handle_invalid == "keep" and self.context.spark >= (
            4,
            3,
        ):  # 4.2 and before forget the place of unseen ones
            return mlattrs.Entry("nominal", entry.name, (*values, "__unknown"))
        return mlattrs.Entry("binary" if len(values) == 2 else "nominal", entry.name, values)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        maps = {key: dict(pairs) for key, pairs in saved.data("categoryMaps")}
        values = {
            **saved.attributes(cls),
            "keys": sorted(maps),
            "key_{n}_keys": {key: list(known) for key, known in maps.items()},
            "key_{n}_values": {key: list(known.values()) for key, known in maps.items()},
        }
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


class _Absent:
    """Which rows do not store an entry at all; asked for only where it matters, since it costs a pass over all."""

    def __init__(self, column: Vectors):
        self.column = column
        self.known: tuple[Bools, Bools] | None = None

    def at(self, key: int) -> Bools:
        if self.known is None:
            self.known = self.column.stored()
        sparse, entries = self.known
        absent: Bools = sparse & ~entries[key]
        return absent


def looked_up(known: Lookup, values: Floats) -> tuple[Floats, Bools]:
    """(index of each value, the number of categories for one that is none; which are none)."""
    out = np.full(len(values), float(len(known)))
    unseen = np.ones(len(values), bool)
    for category, index in known.items():
        at = values == category
        out[at] = index
        unseen &= ~at
    return out, unseen


def unseen_category(key: int) -> Callable[[float], str]:
    """Spark's own sentence."""
    return lambda value: (
        f"VectorIndexer encountered invalid value {double_text(value)} on feature index {key}. "
        "To handle or skip invalid value, try setting VectorIndexer.handleInvalid."
    )


def expected_categories(known: Lookup) -> str:
    shown = ", ".join(map(double_text, sorted(known)[:8]))
    return f"one of {shown}" + (f", … ({len(known)} categories)" if len(known) > 8 else "")
