"""A matrix times vectors, each sum in index order from 0.0: the same bits in both plans, whatever the width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from nacre.plan.frame import Csr, Floats, Vectors
from nacre.plan.maths import SUM
from nacre.plan.rowcode import RowCode, SparseRef, VectorRef

INLINE = 1024
"""Products that are written out as source; more are left to a function."""


def times(matrix: Floats, vectors: Vectors) -> Floats:
    """(outputs, size) times the vectors of many rows: shape (outputs, rows). Zeros that are not stored add nothing."""
    out = np.zeros((len(matrix), len(vectors)))
    if isinstance(vectors, Csr):
        rows = vectors.rows()
        for n, weights in enumerate(matrix):
            out[n] = np.bincount(rows, weights=vectors.values * weights[vectors.indices], minlength=len(vectors))
        return out
    for weights, values in zip(matrix.T, vectors.matrix, strict=True):
        out += weights[:, None] * values
    return out


def times_row(code: RowCode, matrix: Floats, ref: VectorRef | SparseRef) -> list[str]:
    """The same for one row: names of the sums. The vector must not be null."""
    if isinstance(ref, SparseRef):
        call = f"{code.const(adder(matrix), 'times')}({ref.indices}, {ref.values})"
    elif matrix.size <= INLINE:
        names = code.components(VectorRef(ref.parts, ref.size))
        return [code.total([f"{x} * {code.number(w)}" for x, w in zip(names, row, strict=True)]) for row in matrix]
    else:
        given = VectorRef(ref.parts, ref.size).expression
        call = f"{code.const(adder(matrix), 'times')}(range({ref.size}), {given})"
    made = [code.new("y") for _ in matrix]
    code.line(f"{', '.join(made)}{',' if len(made) == 1 else ''} = {call}")
    return made


def adder(matrix: Floats) -> Callable[[Iterable[int], Sequence[float]], list[float]]:
    """A function of indices and values: the matrix times that vector."""
    columns = np.ascontiguousarray(matrix.T)

    def add(indices: Iterable[int], values: Sequence[float]) -> list[float]:
        out = np.zeros(columns.shape[1])
        with np.errstate(all="ignore"):
            for index, value in zip(indices, values, strict=True):
                out += columns[index] * value
        found: list[float] = out.tolist()
        return found

    return add


def bound(weights: Iterable[float], values: Iterable[float]) -> float:
    """How far a sum of products may be from one in another order: `SUM` times the sum of their sizes."""
    return SUM * sum(abs(w * x) for w, x in zip(weights, values, strict=True))


def finite(numbers: Iterable[float]) -> bool:
    """Whether there is neither an infinity nor a NaN among them."""
    return bool(np.isfinite(np.fromiter(numbers, np.float64)).all())
