"""Factorization machines: a sum, and for each factor half of (sum of v·x)^2 less the sum of (v·x)^2. Both plans."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nacre.plan.frame import Csr
from nacre.plan.linear import BLOCK, Sums
from nacre.plan.maths import SUM
from nacre.plan.rowcode import SparseRef

if TYPE_CHECKING:
    from nacre.plan.frame import Floats, Vectors
    from nacre.plan.rowcode import RowCode, VectorRef


class FactorSums:
    """b + x·w and the pairs of features. `factors` has shape (factors, features); entries of 0 do not count."""

    def __init__(self, intercept: float, linear: Sequence[float], factors: Floats):
        self.intercept = intercept
        self.linear = Sums(np.array([linear], np.float64).reshape(1, -1), [intercept])
        self.factors = np.ascontiguousarray(factors, np.float64)
        self.size: int = self.linear.size

    def columns(self, vectors: Vectors) -> Floats:
        """One number a row."""
        with np.errstate(all="ignore"):
            out: Floats = self.linear.columns(vectors)[0]
            sums, squares = self._sparse(vectors) if isinstance(vectors, Csr) else self._dense(vectors.matrix)
            for s, square in zip(sums, squares, strict=True):
                out += 0.5 * (s * s - square)
        return out

    def _dense(self, matrix: Floats) -> tuple[Floats, Floats]:
        sums = np.zeros((len(self.factors), matrix.shape[1]))
        squares = np.zeros_like(sums)
        for start in range(0, matrix.shape[1], BLOCK):
            part = slice(start, start + BLOCK)
            for i, x in enumerate(matrix[:, part]):
                zero = x == 0.0
                for f, factor in enumerate(self.factors[:, i]):
                    term = x * factor
                    term[zero] = 0.0
                    sums[f, part] += term
                    squares[f, part] += term * term
        return sums, squares

    def _sparse(self, vectors: Csr) -> tuple[Floats, Floats]:
        rows, count = vectors.rows(), len(vectors)
        terms = np.where(vectors.values == 0.0, 0.0, self.factors[:, vectors.indices] * vectors.values)
        shape = (len(self.factors), count)
        sums, squares = np.empty(shape), np.empty(shape)
        for f, term in enumerate(terms):
            sums[f] = np.bincount(rows, weights=term, minlength=count)
            squares[f] = np.bincount(rows, weights=term * term, minlength=count)
        return sums, squares

    def row(self, code: RowCode, ref: VectorRef | SparseRef) -> str:
        """The name of one row's number."""
        ref = replace(ref, null=None)
        (start,) = self.linear.row(code, ref)
        factors = code.const([factor.tolist() for factor in self.factors])
        if isinstance(ref, SparseRef):
            return code.let(f"{code.const(_pairs)}({start}, zip({ref.indices}, {ref.values}), {factors})", "y")
        return code.let(f"{code.const(_pairs)}({start}, enumerate({ref.expression}), {factors})", "y")

    def slack(self, values: Sequence[float]) -> float:
        """1e-12 of the sum of the terms' sizes, squares included."""
        x = np.array(values, np.float64)
        if not (np.isfinite(x).all() and np.isfinite(self.factors).all()):
            return 0.0
        with np.errstate(all="ignore"):
            terms = np.abs(self.factors * x)
            pairs = float((terms.sum(axis=1) ** 2 + (terms**2).sum(axis=1)).sum())
        return self.linear.slack(values)[0] + SUM * pairs if math.isfinite(pairs) else math.inf


def _pairs(total: float, entries: object, factors: Sequence[Sequence[float]]) -> float:
    known = [(i, x) for i, x in entries if x != 0.0]  # type: ignore[attr-defined]
    for factor in factors:
        s = square = 0.0
        for i, x in known:
            term = x * factor[i]
            s += term
            square += term * term
        total += 0.5 * (s * s - square)
    return total
