"""Columns in memory while a columns plan runs: scalars, texts and vectors, and what a stage returns.

Vectors are kept column by column, an array of shape (size, rows), because that is how stages read and write them.
Which rows Spark would hold as SparseVector, and which entries such a row stores, is kept apart from the numbers and
worked out only when somebody asks (`Vectors.stored`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nacre.errors import RowError, SchemaError
from nacre.plan.types import WIDEST

if TYPE_CHECKING:
    import pyarrow as pa

    from nacre.plan.tokens import Tokens

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
SparseRule = Callable[[Rows, int], Bools]
"""(number of stored entries of each row, size) -> which rows are SparseVectors"""


TILE = 512
"""Rows of a vector column that are turned at a time, so that what is read and written fits the processor's cache."""
HOT_TILE = 2048
"""The same where most numbers stay zero."""


@dataclass(frozen=True, slots=True)
class Scalars:
    """Numbers, shape (rows,), of any dtype; `null` marks nulls (their value is arbitrary), None if there are none."""

    values: np.ndarray
    null: Bools | None = None

    def __len__(self) -> int:
        return len(self.values)

    def doubles(self) -> Floats:
        """The values as float64; nulls are NaN."""
        values = self.values.astype(np.float64, copy=False)
        return values if self.null is None else np.where(self.null, np.nan, values)


@dataclass(frozen=True, slots=True)
class Texts:
    """Strings, an Arrow string array with nulls."""

    array: pa.Array

    def __len__(self) -> int:
        return len(self.array)


class Vectors:
    """Vectors of one size, `matrix` of shape (size, rows); `null` marks null vectors.

    `sparse` tells which rows are SparseVectors: False none, True all, or a rule on the number of stored entries.
    `pattern` is the column whose non-zero entries are the stored ones: a scaled vector stores the entries that its
    input stored. None means this column itself.
    """

    __slots__ = ("_matrix", "null", "pattern", "sparse")

    def __init__(
        self,
        matrix: Floats,
        null: Bools | None = None,
        sparse: bool | SparseRule = False,
        pattern: Vectors | None = None,
    ):
        self._matrix = matrix
        self.null = null
        self.sparse = sparse
        self.pattern = pattern

    @property
    def matrix(self) -> Floats:
        return self._matrix

    @property
    def size(self) -> int:
        return len(self.matrix)

    def __len__(self) -> int:
        return int(self.matrix.shape[1])

    def write(self, out: Floats) -> None:
        """Copy the numbers into `out`, shape (size, rows); -0.0 becomes 0.0, as Spark's assembler drops zeros."""
        np.add(self.matrix, 0.0, out=out)

    def write_rows(self, out: Floats) -> None:
        """Copy the numbers into `out`, shape (rows, size)."""
        matrix = self.matrix
        for start in range(0, len(out), TILE):
            out[start : start + TILE] = matrix[:, start : start + TILE].T

    def like(self, matrix: Floats) -> Vectors:
        """Other numbers stored in the same places."""
        return Vectors(matrix, self.null, self.sparse, self.pattern or self)

    def entries(self) -> Bools:
        """Which entries a sparse row would store, shape (size, rows)."""
        if self.pattern is not None:
            return self.pattern.entries()
        entries: Bools = self.matrix != 0.0
        return entries

    def stored(self) -> tuple[Bools, Bools]:
        """(which rows are sparse, shape (rows,); which entries are stored in them, shape (size, rows))."""
        entries = self.entries()
        return self.sparse_rows(entries.sum(axis=0)), entries

    def sparse_rows(self, counts: Rows) -> Bools:
        """Which rows are SparseVectors, given how many entries each stores."""
        return self.sparse(counts, self.size) if callable(self.sparse) else np.full(len(self), self.sparse)


class ExplicitVectors(Vectors):
    """Vectors from outside, whose stored entries are given rather than derived."""

    __slots__ = ("_entries",)

    def __init__(self, matrix: Floats, null: Bools | None, sparse_rows: Bools, entries: Bools):
        super().__init__(matrix, null, lambda counts, size: sparse_rows)
        self._entries = entries

    def entries(self) -> Bools:
        return self._entries


class OneHot(Vectors):
    """One-hot vectors kept as codes (`-1`: no entry is set) until somebody needs the numbers."""

    __slots__ = ("codes", "width")

    def __init__(self, codes: npt.NDArray[np.int32], width: int, null: Bools | None = None):
        super().__init__(np.empty((0, 0)), null, True)
        self.codes = codes
        self.width = width

    @property
    def matrix(self) -> Floats:
        if self._matrix.shape != (self.width, len(self.codes)):
            self._matrix = np.empty((self.width, len(self.codes)))
            self.write(self._matrix)
        return self._matrix

    @property
    def size(self) -> int:
        return self.width

    def __len__(self) -> int:
        return len(self.codes)

    def write(self, out: Floats) -> None:
        if self.width <= 16:
            for code in range(self.width):
                np.equal(self.codes, code, out=out[code])
            return
        out[:] = 0.0
        rows = np.flatnonzero(self.codes >= 0)
        out[self.codes[rows], rows] = 1.0


class Assembled(Vectors):
    """Vectors end to end, among them one-hot ones, kept apart until somebody needs the numbers.

    `parts` are (first entry, one-hot vectors or a matrix of shape (size, rows)); there are no nulls.
    """

    __slots__ = ("count", "parts", "width")

    def __init__(self, parts: Sequence[tuple[int, OneHot | Floats]], width: int, count: int, sparse: SparseRule):
        super().__init__(np.empty((0, 0)), None, sparse)
        self.parts = parts
        self.width = width
        self.count = count

    @property
    def matrix(self) -> Floats:
        if self._matrix.shape != (self.width, self.count):
            self._matrix = np.empty((self.width, self.count))
            self.write(self._matrix)
        return self._matrix

    @property
    def size(self) -> int:
        return self.width

    def __len__(self) -> int:
        return self.count

    def write(self, out: Floats) -> None:
        for start, part in self.parts:
            if isinstance(part, OneHot):
                part.write(out[start : start + part.size])
            else:
                np.copyto(out[start : start + len(part)], part)

    def write_rows(self, out: Floats) -> None:
        """Most of it is zero: a row of a one-hot vector takes one number."""
        for start in range(0, self.count, HOT_TILE):
            tile = out[start : start + HOT_TILE]
            tile[:] = 0.0
            flat, first = tile.reshape(-1), np.arange(len(tile)) * self.width
            for at, part in self.parts:
                if not isinstance(part, OneHot):
                    tile[:, at : at + len(part)] = part[:, start : start + HOT_TILE].T
                    continue
                codes = part.codes[start : start + HOT_TILE]
                known = codes >= 0
                places = first + codes
                places += at
                flat[places if known.all() else places[known]] = 1.0


DENSEST = 1 << 31
"""Numbers from which on a column of sparse vectors is not written out."""


def too_dense(numbers: int) -> SchemaError:
    """The error of sparse vectors that somebody wants with all their zeros."""
    fix = 'Ask for vectors="sparse", or score fewer rows at a time'
    return SchemaError("too many numbers for one table", expected="fewer than 2^31", got=numbers, fix=fix)


class Csr(Vectors):
    """Sparse vectors in compressed rows: row r stores ``values[indptr[r]:indptr[r+1]]`` at ``indices[...]``, ascending.

    For vectors too wide to hold every zero (hashed terms, vocabularies). `matrix` makes the zeros for stages that know
    no other form; stages that keep zeros work on `indices` and `values` alone and return :meth:`with_values`.
    """

    __slots__ = ("indices", "indptr", "values", "width")

    def __init__(
        self,
        indptr: npt.NDArray[np.int64],
        indices: npt.NDArray[np.int32],
        values: Floats,
        width: int,
        null: Bools | None = None,
        sparse: bool | SparseRule = True,
    ):
        super().__init__(np.empty((0, 0)), null, sparse)
        self.indptr = indptr
        self.indices = indices
        self.values = values
        self.width = width

    @property
    def size(self) -> int:
        return self.width

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def rows(self) -> Rows:
        """The row of each stored entry."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    @property
    def matrix(self) -> Floats:
        if self._matrix.shape != (self.width, len(self)):
            if self.width > WIDEST or self.width * len(self) >= DENSEST:
                raise too_dense(self.width * len(self))
            out = np.zeros((self.width, len(self)))
            out[self.indices, self.rows()] = self.values
            self._matrix = out
        return self._matrix

    def write(self, out: Floats) -> None:
        out[:] = 0.0
        out[self.indices, self.rows()] = self.values + 0.0

    def with_values(self, values: Floats) -> Csr:
        """Other numbers stored in the same places."""
        return Csr(self.indptr, self.indices, values, self.width, self.null, self.sparse)

    def entries(self) -> Bools:
        out = np.zeros((self.width, len(self)), bool)
        out[self.indices, self.rows()] = True
        return out


class Lists:
    """Lists of texts, numbers or vectors, or maps: an Arrow list or map array; lists and items may be null.

    `tokens` is the same as codes into distinct texts, once somebody has worked that out (`nacre.plan.tokens`).
    """

    __slots__ = ("_array", "tokens")

    def __init__(self, array: pa.Array):
        self._array = array
        self.tokens: Tokens | None = None

    @property
    def array(self) -> pa.Array:
        return self._array

    def __len__(self) -> int:
        return len(self.array)


Column = Scalars | Texts | Lists | Vectors


def compressed(spark_4: bool) -> SparseRule:
    """Spark's rule for ``Vector.compressed``: which rows are smaller as SparseVector.

    Spark 4: 3·nnz + 4 < 2·size; Spark 3: 1.5·(nnz + 1) < size (both observed for every size up to 40).
    """

    def rule(stored: Rows, size: int) -> Bools:
        sparse: Bools = 3 * stored + 4 < 2 * size if spark_4 else 1.5 * (stored + 1) < size
        return sparse

    return rule


def compressed_row(spark_4: bool) -> Callable[[int, int], bool]:
    """The same rule for one row."""
    if spark_4:
        return lambda stored, size: 3 * stored + 4 < 2 * size
    return lambda stored, size: 1.5 * (stored + 1) < size


@dataclass(frozen=True, slots=True)
class Failed:
    """Rows that a stage refuses, one reason. `got` gives the offending value of a row number (from 0)."""

    rows: Rows
    field: str
    message: str | Callable[[int], str]
    expected: str
    got: Callable[[int], Any]
    fix: str | None = None

    def error(self, row: int, node: str | None = None) -> RowError:
        """The error for one of the rows; an error counts rows from 1."""
        message = self.message(row) if callable(self.message) else self.message
        got = self.got(row)
        return RowError(
            message, expected=self.expected, got=got, fix=self.fix, row=row + 1, field=self.field, node=node
        )


@dataclass(slots=True)
class Result:
    """What a stage made of its input columns: its output columns, the rows it drops, and those it refuses."""

    outputs: Sequence[Column]
    dropped: Rows | None = None
    failed: list[Failed] = field(default_factory=list)

    def fail(self, mask: Bools, field: str, message: str | Callable[[int], str], **known: Any) -> None:
        """Refuse the rows where `mask` is true; nothing happens when there are none."""
        rows = np.flatnonzero(mask)
        if len(rows):
            self.failed.append(Failed(rows, field, message, **known))

    def drop(self, mask: Bools) -> None:
        rows = np.flatnonzero(mask)
        if len(rows):
            self.dropped = rows if self.dropped is None else np.union1d(self.dropped, rows)


def either(*masks: Bools | None) -> Bools | None:
    """Where any of the masks is true; None when all are None."""
    known = [mask for mask in masks if mask is not None]
    if not known:
        return None
    out = known[0]
    for mask in known[1:]:
        out = out | mask
    return out
