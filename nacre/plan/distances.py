"""How near a point is to centers, by the two measures of Spark's clustering; the same steps in both plans.

Euclidean: the squared distance, summed in index order. Cosine: 1 - x·c / |x| / |c|, undefined for a vector of length 0.
Spark reaches the squared distance of a SparseVector over norms and a dot product; that rounds differently, so of two
centers equally near it may then name the other one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nacre.plan.frame import Floats

EUCLIDEAN, COSINE = MEASURES = ("euclidean", "cosine")
BLOCK = 8192
"""Rows compared at a time."""


class Centers:
    """Centers of one size, with the distances of points to them."""

    def __init__(self, points: Sequence[Sequence[float]], measure: str, norms: Sequence[float] | None = None):
        self.points = [[float(x) for x in point] for point in points]
        self.cosine = measure == COSINE
        self.norms = [norm(point) for point in self.points] if norms is None else list(norms)

    def distances(self, matrix: Floats, lengths: Floats, which: int) -> Floats:
        """Of all points (one a column of `matrix`, `lengths` their norms) to one center."""
        total = np.zeros(matrix.shape[1])
        for x, c in zip(matrix, self.points[which], strict=True):
            if self.cosine:
                total += x * c
            else:
                gap = c - x
                total += gap * gap
        return 1.0 - total / self.norms[which] / lengths if self.cosine else total

    def distance(self, point: Sequence[float], length: float, which: int) -> float:
        """Of one point to one center."""
        total = 0.0
        if not self.cosine:
            for x, c in zip(point, self.points[which], strict=True):
                gap = c - x
                total += gap * gap
            return total
        for x, c in zip(point, self.points[which], strict=True):
            total += x * c
        return 1.0 - total / self.norms[which] / length

    # The nearest of all, as k-means looks for it

    def nearest(self, matrix: Floats) -> np.ndarray:
        """Index of the nearest center of each column, the first of those equally near; shape (rows,), int32."""
        out = np.zeros(matrix.shape[1], np.int32)
        with np.errstate(all="ignore"):
            for start in range(0, len(out), BLOCK):
                out[start : start + BLOCK] = self._nearest(matrix[:, start : start + BLOCK])
        return out

    def _nearest(self, matrix: Floats) -> np.ndarray:
        lengths = norms(matrix)
        best, found = np.full(matrix.shape[1], np.inf), np.zeros(matrix.shape[1], np.int32)
        for which, own in enumerate(self.norms):
            distance = self.distances(matrix, lengths, which)
            nearer = distance < best
            if not self.cosine:  # a distance is never below the difference of the lengths: Spark looks no further then
                gap = own - lengths
                nearer &= gap * gap < best
            best[nearer], found[nearer] = distance[nearer], which
        return found

    def nearest_row(self, point: Sequence[float]) -> int:
        """The same for one point."""
        length = norm(point)
        best, found = math.inf, 0
        for which, own in enumerate(self.norms):
            gap = own - length
            if not self.cosine and not gap * gap < best:
                continue
            distance = self.distance(point, length, which)
            if distance < best:
                best, found = distance, which
        return found


def norms(matrix: Floats) -> Floats:
    """Euclidean length of each column."""
    total = np.zeros(matrix.shape[1])
    for x in matrix:
        total += x * x
    return np.sqrt(total)


def norm(point: Sequence[float]) -> float:
    """Euclidean length."""
    total = 0.0
    for x in point:
        total += x * x
    return math.sqrt(total)
