"""Sums of features times coefficients, in index order and equal bit for bit in both plans, narrow or 2^18 wide.

Coefficients stay arrays: the columns plan adds one feature at a time over all rows, the row plan becomes one line of
source while the model is small and a loop over the entries when it is not. Sparse columns visit stored entries only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from nacre.plan.frame import Csr
from nacre.plan.maths import SUM
from nacre.plan.rowcode import SparseRef

if TYPE_CHECKING:
    from nacre.plan.frame import Floats, Vectors
    from nacre.plan.rowcode import RowCode, VectorRef

TERMS = 4096
"""Coefficients up to which a model's sums become Python source; beyond, they are a loop over the row's tuple."""
BLOCK = 8192
"""Rows added at a time: the block's sums stay in the processor's cache."""
FEW = 32
"""Rows below which a whole column is multiplied at once, and summed by an accumulation that keeps the order."""


class Sums:
    """Some sums over the same features: `weights` of shape (sums, features), and a number added to each sum at the end.

    A sum starts from 0.0. An implicit zero of a sparse row counts as a term of 0.0 times its coefficient.
    """

    def __init__(self, weights: Floats, intercepts: Sequence[float] | None = None):
        self.weights = np.ascontiguousarray(weights, np.float64)
        self.intercepts = None if intercepts is None else [float(b) for b in intercepts]
        self.size: int = self.weights.shape[1]
        self._odd = ~np.isfinite(self.weights)

    def __len__(self) -> int:
        return len(self.weights)

    # Columns

    def columns(self, vectors: Vectors) -> Floats:
        """The sums of all rows, shape (sums, rows)."""
        with np.errstate(all="ignore"):
            out = self._sparse(vectors) if isinstance(vectors, Csr) else self._dense(vectors.matrix)
            if self.intercepts is not None:
                out += np.array(self.intercepts)[:, None]
        return out

    def _dense(self, matrix: Floats) -> Floats:
        rows = matrix.shape[1]
        out = np.zeros((len(self), rows))
        if not self.size:
            return out
        if rows < FEW:
            for total, weights in zip(out, self.weights, strict=True):
                np.add(np.add.accumulate(matrix * weights[:, None], axis=0)[-1], 0.0, out=total)
            return out
        for start in range(0, rows, BLOCK):
            block, sums = matrix[:, start : start + BLOCK], out[:, start : start + BLOCK]
            term = np.empty(sums.shape[1])
            for i, x in enumerate(block):
                for k in range(len(self)):
                    sums[k] += np.multiply(x, self.weights[k, i], out=term)
        return out

    def _sparse(self, vectors: Csr) -> Floats:
        rows, count = vectors.rows(), len(vectors)
        out = np.empty((len(self), count))
        for k, weights in enumerate(self.weights):
            # bincount adds one term after the other, as the row plan does
            out[k] = np.bincount(rows, weights=vectors.values * weights[vectors.indices], minlength=count)
            if self._odd[k].any():
                stored = np.bincount(rows, weights=self._odd[k][vectors.indices], minlength=count)
                out[k, stored < self._odd[k].sum()] = np.nan
        return out

    # One row

    def row(self, code: RowCode, ref: VectorRef | SparseRef) -> list[str]:
        """Names of the sums of one row; the caller has refused a null."""
        ref = replace(ref, null=None)
        if isinstance(ref, SparseRef):
            add = code.const(sparse_dot)
            names = [
                code.let(f"{add}({ref.indices}, {ref.values}, {code.const(weights.tolist())}, {int(odd.sum())})", "y")
                for weights, odd in zip(self.weights, self._odd, strict=True)
            ]
        elif self.weights.size <= TERMS:
            parts = code.components(ref)
            names = [
                code.total([f"{x} * {code.number(w)}" for x, w in zip(parts, weights, strict=True)])
                for weights in self.weights
            ]
        else:
            x = code.let(ref.expression, "x")
            names = [
                code.let(f"{code.const(dot)}({x}, {code.const(weights.tolist())})", "y") for weights in self.weights
            ]
        if self.intercepts is None:
            return names
        return [code.let(f"{y} + {code.number(b)}", "y") for y, b in zip(names, self.intercepts, strict=True)]

    # Bounds

    def slack(self, values: Sequence[float]) -> list[float]:
        """How far each sum of this row may be from Spark's: 1e-12 of the sum of the terms' sizes."""
        x = np.array(values, np.float64)
        intercepts = self.intercepts or [0.0] * len(self)
        return [_slack(x, weights, b) for weights, b in zip(self.weights, intercepts, strict=True)]


def _slack(x: Floats, weights: Floats, intercept: float) -> float:
    terms = np.isfinite(x) & np.isfinite(weights)
    with np.errstate(all="ignore"):
        sizes = float(np.abs(x[terms] * weights[terms]).sum()) + (abs(intercept) if math.isfinite(intercept) else 0.0)
    if terms.all() and math.isfinite(intercept):
        return SUM * sizes
    # Infinities and NaN come out the same in every order, unless a finite term overflows in one and not in another
    return 0.0 if math.isfinite(sizes) else math.inf


def dot(values: Sequence[float], weights: Sequence[float]) -> float:
    """Sum of products in order. `sum` is not the same: from Python 3.12 on it compensates."""
    total = 0.0
    for x, w in zip(values, weights, strict=True):
        total += x * w
    return total


def sparse_dot(indices: Sequence[int], values: Sequence[float], weights: Sequence[float], odd: int = 0) -> float:
    """The same over stored entries; `odd` is the number of weights that are not finite: an implicit zero times one of
    them is NaN."""
    total = 0.0
    for i, x in zip(indices, values, strict=True):
        total += x * weights[i]
    if odd and sum(not math.isfinite(weights[i]) for i in indices) < odd:
        return math.nan
    return total
