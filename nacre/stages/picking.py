"""Some entries of a vector: vector_slicer, chi_sq_selector."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nacre.plan.frame import Bools, Column, Csr, Result, Vectors
from nacre.plan.rowcode import Ref, RowCode, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages import mlattrs
from nacre.stages.base import REQUIRED, Attr, Port, Stage, param, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null


class Picked(Vectors):
    """Entries of another column, sparse where it is. `keep_zeros`: whether its stored zeros stay stored."""

    __slots__ = ("_indices", "_keep_zeros", "_source")

    def __init__(self, source: Vectors, indices: Sequence[int], keep_zeros: bool):
        matrix = source.matrix[list(indices)]
        if not keep_zeros and np.any((matrix == 0.0) & np.signbit(matrix)):
            matrix[:, source.stored()[0]] += 0.0  # a zero that is not stored has no sign
        super().__init__(matrix, None, lambda counts, size: source.stored()[0])
        self._source, self._indices, self._keep_zeros = source, list(indices), keep_zeros

    def entries(self) -> Bools:
        return self._source.entries()[self._indices] if self._keep_zeros else super().entries()


class PickingStage(Stage):
    """A vector in, some of its entries out, in the order of `picked`; sparse in, sparse out."""

    outputs = (Port("output", vector(), "outputCol"),)
    keep_zeros: bool
    """Whether stored zeros of a sparse vector stay stored."""
    picked: list[int]
    input_size: int | None

    def check(self, field: str) -> None:
        """Once `picked` is known."""
        size = self.input_size
        bad = [index for index in self.picked if index < 0 or (size is not None and index >= size)]
        if bad:
            raise self.bad(
                "an entry that the input has not", field, f"0 to {'?' if size is None else size - 1}", bad[0]
            )

    def wants(self) -> list[Type | None]:
        return [vector(self.input_size if self.input_size is not None else max(self.picked, default=-1) + 1)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        size = vector_of(self, self.input_names[0], inputs[0], self.input_size).size
        if size is None or size <= max(self.picked, default=-1):
            raise self.refuse(self.input_names[0], f"a vector of at least {max(self.picked) + 1} entries", inputs[0])
        return [vector(len(self.picked))]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        wide = isinstance(column, Csr) and len(set(self.picked)) == len(self.picked)
        result = Result([self._sparse(column) if wide else Picked(column, self.picked, self.keep_zeros)])  # type: ignore[arg-type]
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{column.size}]", got=lambda row: None)
        return result

    def _sparse(self, column: Csr) -> Csr:
        """The stored entries that are picked, under their new indices, ascending in each row."""
        places = np.full(column.size, -1, np.int32)
        places[self.picked] = np.arange(len(self.picked), dtype=np.int32)
        indices, rows = places[column.indices], column.rows()
        keep = indices >= 0
        if not self.keep_zeros:
            keep &= column.values != 0.0
        indices, rows, values = indices[keep], rows[keep], column.values[keep]
        order = np.lexsort((indices, rows))
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(column)))]).astype(np.int64)
        return Csr(indptr, indices[order], values[order], len(self.picked), None, column.sparse)

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        if isinstance(ref, SparseRef) and len(set(self.picked)) == len(self.picked):
            pick = code.const(sparse_picker(self.picked, self.keep_zeros), "pick")
            indices, values = code.new("ix"), code.new("vx")
            code.line(f"{indices}, {values} = {pick}({ref.indices}, {ref.values})")
            return [SparseRef(indices, values, len(self.picked))]
        made = code.vector(self._names(code, replace(ref, null=None)))
        return [replace(made, stored=self._stored_row(code, ref, made))]

    def _names(self, code: RowCode, ref: VectorRef | SparseRef) -> list[str]:
        """A name for each picked entry. A zero of a sparse row that is stored no more loses its sign."""
        names = code.components(ref)
        if self.keep_zeros or (isinstance(ref, VectorRef) and ref.stored is None):
            return [names[index] for index in self.picked]
        unsigned = [part.unsigned for part in getattr(ref, "parts", ()) for _ in range(part.width or 1)] or [True]
        if all(unsigned):
            return [names[index] for index in self.picked]
        sparse = code.stored(ref)
        return [
            code.let(f"{x} if {sparse} is None else {x} + 0.0", "x") for x in (names[index] for index in self.picked)
        ]

    def _stored_row(self, code: RowCode, ref: VectorRef | SparseRef, made: VectorRef) -> str | None:
        before = ref.stored
        if before is None:
            return None
        after = code.const(entry_picker(self.picked, self.keep_zeros), "stored")
        return f"{after}({before}, {made.expression})"

    def ml_attrs(self, inputs: Sequence[Mapping[str, Any] | None]) -> list[Mapping[str, Any] | None]:
        return [mlattrs.picked(inputs[0], self.picked)]


def sparse_picker(picked: Sequence[int], keep_zeros: bool) -> Callable[..., tuple[list[int], list[float]]]:
    """A function of a sparse vector's indices and values that gives those picked, under their new indices."""
    places = {index: place for place, index in enumerate(picked)}

    def pick(indices: Sequence[int], values: Sequence[float]) -> tuple[list[int], list[float]]:
        found = sorted(
            (places[index], value)
            for index, value in zip(indices, values, strict=True)
            if index in places and (keep_zeros or value != 0.0)
        )
        return [place for place, _ in found], [value for _, value in found]

    return pick


def entry_picker(picked: Sequence[int], keep_zeros: bool) -> Callable[..., frozenset[int] | None]:
    """A function of the stored indices of a vector (None: a dense one) and the picked values: which are stored."""

    def pick(stored: Sequence[int] | None, values: Sequence[float]) -> frozenset[int] | None:
        if stored is None:
            return None
        if keep_zeros:
            known = set(stored)
            return frozenset(place for place, index in enumerate(picked) if index in known)
        return frozenset(place for place, value in enumerate(values) if value != 0.0)

    return pick


@stage
class VectorSlicer(PickingStage):
    """The entries at some indices, then those of some names. A stored zero of a sparse vector is stored no more."""

    op = "vector_slicer"
    spark_classes = ("org.apache.spark.ml.feature.VectorSlicer",)
    attributes = (
        Attr("indices", "list<long>", REQUIRED, "indices of the first entries", spark=param("indices")),
        Attr("names", "list<string>", (), "names of the further entries", spark=param("names")),
        Attr("named_indices", "list<int>", (), "their indices", spark=mlattrs.named_indices),
        Attr("input_size", "int", None, "number of entries of the input", spark=mlattrs.size_of_input),
    )
    inputs = (Port("input", vector(), "inputCol"),)
    keep_zeros = False

    indices: list[int]
    names: Sequence[str]
    named_indices: Sequence[int]
    input_size: int | None

    def prepare(self) -> None:
        if len(self.names) != len(self.named_indices):
            raise self.bad("names and indices do not match", "named_indices", len(self.names), len(self.named_indices))
        self.picked = [*self.indices, *self.named_indices]
        self.check("indices")


@stage
class ChiSqSelector(PickingStage):
    """The selected entries, in order. A stored zero of a sparse vector stays stored."""

    op = "chi_sq_selector"
    spark_classes = (
        "org.apache.spark.ml.feature.ChiSqSelectorModel",
        "org.apache.spark.ml.feature.UnivariateFeatureSelectorModel",
        "org.apache.spark.ml.feature.VarianceThresholdSelectorModel",
    )
    attributes = (
        Attr(
            "filter_indices", "list<long>", REQUIRED, "indices of the selected entries, ascending",
            spark=lambda saved: sorted(saved.data("selectedFeatures")),
        ),
        Attr("input_size", "int", None, "number of entries of the input", spark=mlattrs.size_of_input),
    )  # fmt: skip
    inputs = (Port("input", vector(), "featuresCol"),)
    keep_zeros = True

    filter_indices: list[int]
    input_size: int | None

    def prepare(self) -> None:
        self.picked = list(self.filter_indices)
        self.check("filter_indices")
