"""Vectors to vectors of length one: normalizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from nacre.plan.frame import Column, Csr, Floats, Result, Rows, Vectors
from nacre.plan.maths import EXP, mapped, power, total
from nacre.plan.rowcode import Ref, RowCode, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null


@stage
class Normalizer(Stage):
    """Each entry divided by the p-norm of the stored ones; a vector of norm zero stays as it is.

    A NaN makes the norm NaN (unless p is infinite) and with it every stored entry; the zeros that a sparse vector does
    not store stay.
    """

    op = "normalizer"
    spark_classes = ("org.apache.spark.ml.feature.Normalizer",)
    attributes = (
        Attr(
            "p_norm", "double", REQUIRED, "p, at least 1; infinity, which JSON turns to NaN, is the largest entry",
            spark=lambda saved: saved.param("p"),
        ),
        Attr("input_size", "int", None, "number of entries", spark=lambda saved: saved.size_of("inputCol")),
    )  # fmt: skip
    inputs = (Port("input", vector(), "inputCol"),)
    outputs = (Port("output", vector(), "outputCol"),)
    exact = "bit for bit for p of 1, 2 and infinity, else within 1e-12 (Java's pow)"

    p_norm: float
    input_size: int | None

    def prepare(self) -> None:
        self.p = math.inf if math.isnan(self.p_norm) else self.p_norm
        if self.p < 1.0:
            raise self.bad("no norm", "p_norm", "at least 1", self.p_norm)

    def wants(self) -> list[Type | None]:
        return [vector(self.input_size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        return [vector_of(self, self.input_names[0], inputs[0], self.input_size)]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        return 0.0 if self.p in (1.0, 2.0, math.inf) else EXP

    # Columns

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        result = Result([])
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{column.size}]", got=lambda row: None)
        with np.errstate(all="ignore"):
            if isinstance(column, Csr):
                rows = column.rows()
                norms = self._divisors(self._entries_norms(column, rows))
                result.outputs = [column.with_values(column.values / norms[rows])]
                return result
            norms = self._divisors(self._norms(column.matrix))
            matrix = column.matrix / norms
        unknown = np.isnan(norms)
        if unknown.any():
            sparse, entries = column.stored()
            matrix[(unknown & sparse) & ~entries] = 0.0
        result.outputs = [column.like(matrix)]
        return result

    def _divisors(self, norms: Floats) -> Floats:
        return np.where(norms == 0.0, 1.0, norms)

    def _norms(self, matrix: Floats) -> Floats:
        sizes = np.abs(matrix)
        if not len(sizes):
            return np.zeros(matrix.shape[1])
        if self.p == math.inf:
            largest: Floats = np.fmax(np.fmax.reduce(sizes, axis=0), 0.0)
            return largest
        return self._root(total(list(self._terms(sizes))))

    def _entries_norms(self, column: Csr, rows: Rows) -> Floats:
        sizes, out = np.abs(column.values), np.zeros(len(column))
        if self.p == math.inf:
            np.fmax.at(out, rows, sizes)
            return out
        return self._root(np.bincount(rows, weights=self._terms(sizes), minlength=len(column)).astype(np.float64))

    def _terms(self, sizes: Floats) -> Floats:
        if self.p == 1.0:
            return sizes
        return sizes * sizes if self.p == 2.0 else mapped(self._raised, sizes)

    def _raised(self, x: float) -> float:
        return power(x, self.p)

    def _root(self, sums: Floats) -> Floats:
        if self.p == 1.0:
            return sums
        return np.sqrt(sums) if self.p == 2.0 else mapped(lambda x: power(x, 1.0 / self.p), sums)

    # One row

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        if isinstance(ref, SparseRef):
            norm = code.let(f"{code.const(norm_of(self.p), 'norm')}({ref.values}) or 1.0", "n")
            return [SparseRef(ref.indices, code.let(f"[x / {norm} for x in {ref.values}]", "vx"), ref.size)]
        names = code.components(replace(ref, null=None))
        norm = self._norm_row(code, names)
        made = [code.let(f"{x} / {norm}", "s") for x in names]
        if ref.stored is not None and made and self.p != math.inf:
            with code.block(f"if {norm} != {norm}"):
                kept = code.let(ref.stored, "k")
                with code.block(f"if {kept} is not None"):
                    for i, name in enumerate(made):
                        code.line(f"{name} = {name} if {i} in {kept} else 0.0")
        return [code.vector(made, stored=ref.stored)]

    def _norm_row(self, code: RowCode, names: Sequence[str]) -> str:
        """The norm, 1.0 in place of zero."""
        if self.p == 1.0:
            sums = code.total([f"abs({x})" for x in names])
        elif self.p == 2.0:
            sums = code.total([f"{x} * {x}" for x in names])
            return code.let(f"{code.const(math.sqrt, 'sqrt')}({sums}) or 1.0", "n")
        else:
            given = f"({''.join(f'{x}, ' for x in names)})"
            sums = f"{code.const(norm_of(self.p), 'norm')}({given})"
        return code.let(f"{sums} or 1.0", "n")


def norm_of(p: float) -> Callable[[Iterable[float]], float]:
    """The p-norm of some numbers, added up in order."""

    def largest(values: Iterable[float]) -> float:
        found = 0.0
        for x in values:
            if abs(x) > found:
                found = abs(x)
        return found

    def norm(values: Iterable[float]) -> float:
        out = 0.0
        for x in values:
            out += abs(x) if p == 1.0 else x * x if p == 2.0 else power(abs(x), p)
        return out if p == 1.0 else math.sqrt(out) if p == 2.0 else power(out, 1.0 / p)

    return largest if p == math.inf else norm
