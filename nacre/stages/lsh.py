"""Vectors to the numbers of hash buckets: min_hash_lsh, bucketed_random_projection_lsh."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.plan.frame import Column, Csr, Floats, Lists, Result, Vectors
from nacre.plan.maths import SUM, mapped
from nacre.plan.products import finite, times, times_row
from nacre.plan.rowcode import ListRef, Ref, RowCode, SparseRef, VectorRef
from nacre.plan.types import Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, param, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.values import Tensor
    from nacre.spark.saved import Saved

PRIME = 2038074743
EMPTY = "Must have at least 1 non zero entry."


class HashStage(Stage):
    """One vector in, a list of vectors out, each of one number: the bucket in one hash table."""

    inputs = (Port("input", vector(), "inputCol"),)
    outputs = (Port("output", Type("double", "vectors"), "outputCol"),)
    size: int | None

    def wants(self) -> list[Type | None]:
        return [vector(self.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.size)
        return [Type("double", "vectors", 1)]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        result = Result([])
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{column.size}]", got=lambda row: None)
        with np.errstate(all="ignore"):
            result.outputs = [listed(self.buckets(column, result))]
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        return [ListRef(self.buckets_row(code, ref))]

    def buckets(self, column: Vectors, result: Result) -> Floats:
        """Buckets of all rows, shape (tables, rows)."""
        raise NotImplementedError

    def buckets_row(self, code: RowCode, ref: VectorRef | SparseRef) -> str:
        """The name of one row's list of tuples of one number."""
        raise NotImplementedError


def listed(buckets: Floats) -> Lists:
    """Numbers of shape (tables, rows) as a list of vectors of one entry for each row."""
    import pyarrow as pa

    tables, rows = buckets.shape
    numbers = pa.array(np.ascontiguousarray(buckets.T).reshape(-1))
    inner = pa.ListArray.from_arrays(pa.array(np.arange(tables * rows + 1, dtype=np.int32)), numbers)
    return Lists(pa.ListArray.from_arrays(pa.array(np.arange(rows + 1, dtype=np.int32) * tables), inner))


@stage
class MinHashLsh(HashStage):
    """For each table the smallest ((1 + i) * a + b) mod 2038074743 over the indices i whose entry is not zero.

    MLeap computes in 32 bits, where the product overflows.
    """

    op = "min_hash_lsh"
    unlike = "hashes are computed in 32 bits and overflow: they are other numbers"
    spark_classes = ("org.apache.spark.ml.feature.MinHashLSHModel",)
    attributes = (
        Attr("random_coefficients_a", "list<long>", REQUIRED, "a of each table", spark=lambda s: _coefficients(s, 0)),
        Attr("random_coefficients_b", "list<long>", REQUIRED, "b of each table", spark=lambda s: _coefficients(s, 1)),
        Attr("input_size", "int", None, "number of entries", spark=lambda saved: saved.size_of("inputCol")),
    )

    random_coefficients_a: list[int]
    random_coefficients_b: list[int]
    input_size: int | None

    def prepare(self) -> None:
        self.size = self.input_size
        factors, shifts = self.random_coefficients_a, self.random_coefficients_b
        if len(factors) != len(shifts):
            raise self.bad("tables differ in number", "random_coefficients_b", f"{len(factors)} numbers", len(shifts))
        if not all(0 <= x < PRIME for x in (*factors, *shifts)):
            raise self.bad("coefficients out of range", "random_coefficients_a", f"0 to {PRIME - 1}", "others")
        self.tables = list(zip(factors, shifts, strict=True))
        self.hash = overflowing if self.context.mleap else hashed

    def buckets(self, column: Vectors, result: Result) -> Floats:
        if isinstance(column, Csr):
            kept = column.values != 0.0
            rows, indices = column.rows()[kept], column.indices[kept].astype(np.int64)
            out = np.full((len(self.tables), len(column)), np.inf)
            for found, table in zip(out, self.tables, strict=True):
                np.minimum.at(found, rows, self._all_hashes(indices, *table))
            filled = np.bincount(rows, minlength=len(column)) > 0
        else:
            used = column.matrix != 0.0
            filled = used.any(axis=0)
            hashes = [self._all_hashes(np.arange(column.size), *table) for table in self.tables]
            out = np.array([np.where(used, each[:, None], np.inf).min(axis=0, initial=np.inf) for each in hashes])
            out = out.reshape(len(self.tables), len(column))
        empty = ~filled if column.null is None else ~filled & ~column.null
        result.fail(empty, self.input_names[0], EMPTY, expected="an entry that is not zero", got=lambda row: 0.0)
        return out

    def _all_hashes(self, indices: np.ndarray, a: int, b: int) -> Floats:
        return np.array([self.hash(i, a, b) for i in indices.tolist()], np.float64)

    def buckets_row(self, code: RowCode, ref: VectorRef | SparseRef) -> str:
        known = f"enumerate({VectorRef(ref.parts, ref.size).expression})" if isinstance(ref, VectorRef) else ""
        known = known or f"zip({ref.indices}, {ref.values}, strict=True)"  # type: ignore[union-attr]
        found = code.let(f"[i for i, x in {known} if x != 0.0]", "ix")
        with code.block(f"if not {found}"):
            code.fail(self.input_names[0], EMPTY, "an entry that is not zero", "0.0")
        return code.let(f"{code.const(smallest(self.hash, self.tables), 'hashes')}({found})", "h")


def hashed(i: int, a: int, b: int) -> int:
    """Spark's hash of an index."""
    return ((1 + i) * a + b) % PRIME


def overflowing(i: int, a: int, b: int) -> int:
    """MLeap's: 32 bits wrap around, and the remainder has the sign of what is divided."""
    wrapped = ((1 + i) * a + b + (1 << 31)) % (1 << 32) - (1 << 31)
    return int(math.fmod(wrapped, PRIME))


def smallest(
    hashes: Callable[[int, int, int], int], tables: Sequence[tuple[int, int]]
) -> Callable[[Iterable[int]], list[tuple[float]]]:
    """A function of indices: for each table the smallest hash."""
    return lambda indices: [(float(min(hashes(i, a, b) for i in indices)),) for a, b in tables]


def _coefficients(saved: Saved, which: int) -> list[int]:
    """Spark saves the pairs (a, b) end to end."""
    found: list[int] = saved.data("randCoefficients")[which::2]
    return found


def _unit_vectors(saved: Saved) -> list[list[float]]:
    """The rows of the saved matrix."""
    found: Tensor = saved.data("randUnitVectors")
    rows, columns = found.dims
    return [[found.values[j * rows + i] for j in range(columns)] for i in range(rows)]


@stage
class BucketedRandomProjectionLsh(HashStage):
    """For each table the floor of the product with a unit vector, times 1 / bucket length; MLeap divides by it."""

    op = "bucketed_random_projection_lsh"
    spark_classes = ("org.apache.spark.ml.feature.BucketedRandomProjectionLSHModel",)
    attributes = (
        Attr("random_unit_vectors", "list<tensor>", REQUIRED, "one a table", spark=_unit_vectors),
        Attr("bucket_length", "double", REQUIRED, "length of a bucket", spark=param("bucketLength")),
        Attr("input_size", "int", None, "number of entries", spark=lambda s: len(_unit_vectors(s)[0])),
    )
    exact = (
        "bit for bit, but one bucket off where the product lies within 1e-12 of the sum of its terms' sizes of a "
        "bucket's edge (Spark's BLAS adds in another order)"
    )

    random_unit_vectors: list[Tensor]
    bucket_length: float
    input_size: int | None

    def prepare(self) -> None:
        sizes = {len(each.values) for each in self.random_unit_vectors}
        if len(sizes) != 1 or not all(finite(each.values) for each in self.random_unit_vectors):
            raise self.bad("no unit vectors", "random_unit_vectors", "finite vectors of one size", f"sizes {sizes}")
        (self.size,) = sizes
        if not 0.0 < self.bucket_length < math.inf:
            raise self.bad("no length of buckets", "bucket_length", "a number above 0", self.bucket_length)
        self.matrix = np.array([each.values for each in self.random_unit_vectors])
        self.factor = 1.0 / self.bucket_length

    def buckets(self, column: Vectors, result: Result) -> Floats:
        sums = times(self.matrix, column)
        scaled = sums / self.bucket_length if self.context.mleap else sums * self.factor + 0.0
        return mapped(floor, scaled)

    def buckets_row(self, code: RowCode, ref: VectorRef | SparseRef) -> str:
        sums, down = times_row(code, self.matrix, ref), code.const(floor, "floor")
        length, factor = code.number(self.bucket_length), code.number(self.factor)
        scaled = [f"{x} / {length}" if self.context.mleap else f"{x} * {factor} + 0.0" for x in sums]
        return code.let(f"[{', '.join(f'({down}({x}),)' for x in scaled)}]", "h")

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        values = np.array(inputs[0], np.float64)
        if not np.isfinite(values).all():
            return 0.0
        terms = self.matrix * values
        scaled, bound = terms.sum(axis=1) * self.factor, SUM * np.abs(terms).sum(axis=1) * self.factor
        close = np.abs(scaled - np.round(scaled)) <= bound
        return float(np.max(np.where(close, 1.0 + bound, 0.0)))


def floor(x: float) -> float:
    """Java's Math.floor: a double, the sign of zero, infinities and NaN kept."""
    return float(math.floor(x)) if math.isfinite(x) and x != 0.0 else x
