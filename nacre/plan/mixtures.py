"""The numbers behind mixtures: Gaussian densities, and the topics of a document.

Both plans call the same functions or take the same steps, so they give the same bits. Against Spark there is a bound:
an eigendecomposition is another library's, and so are sums and logarithms on the way to a document's topics.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.plan.maths import exp, log, mapped

if TYPE_CHECKING:
    from nacre.plan.frame import Floats

EPSILON = 2.0**-52
STEPS = 10_000
"""Steps after which a document's topics are taken as they are; Spark has no end, and a few dozen are usual."""


class Gaussian:
    """A multivariate normal density, as Spark computes it: by the root of the covariance's pseudo-inverse.

    Eigenvalues below 2^-52 · the largest · n count as zero. Raises ValueError where none is left.
    """

    def __init__(self, mean: Sequence[float], covariance: Floats):
        values, vectors = np.linalg.eigh(covariance)
        large = values > EPSILON * values.max() * len(values)
        if not large.any():
            raise ValueError("covariance matrix has no non-zero singular values")
        roots = np.where(large, np.sqrt(1.0 / np.where(large, values, 1.0)), 0.0)
        self.root: list[list[float]] = (roots[:, None] * vectors.T).tolist()
        self.shift = [_dot(row, mean) for row in self.root]
        self.peak = -0.5 * (len(mean) * math.log(2.0 * math.pi) + float(np.log(values[large]).sum()))
        self.mean = list(mean)

    def columns(self, matrix: Floats) -> Floats:
        """Density of each column of `matrix`, shape (size, rows)."""
        total = np.zeros(matrix.shape[1])
        for row, shift in zip(self.root, self.shift, strict=True):
            product = np.zeros(matrix.shape[1])
            for weight, x in zip(row, matrix, strict=True):
                product += weight * x
            gap = shift - product
            total += gap * gap
        return mapped(exp, self.peak - 0.5 * total)

    def row(self, point: Sequence[float]) -> float:
        """Density of one point."""
        total = 0.0
        for row, shift in zip(self.root, self.shift, strict=True):
            gap = shift - _dot(row, point)
            total += gap * gap
        return exp(self.peak - 0.5 * total)

    def slack(self, point: Sequence[float]) -> float:
        """Bound of the relative error of the density: the exponent is a sum of squares of sums."""
        sizes = [abs(x) + abs(m) for x, m in zip(point, self.mean, strict=True)]
        terms = (
            abs(shift - _dot(row, point)) * sum(abs(w) * size for w, size in zip(row, sizes, strict=True))
            for row, shift in zip(self.root, self.shift, strict=True)
        )
        return sum(terms)


def _dot(weights: Sequence[float], values: Sequence[float]) -> float:
    total = 0.0
    for w, x in zip(weights, values, strict=True):
        total += w * x
    return total


def digamma(x: float) -> float:
    """The logarithmic derivative of the gamma function, for x > 0: recurrence up to 6, then the asymptotic series
    (Abramowitz and Stegun 6.3.5 and 6.3.18)."""
    if not x > 0.0:
        return math.nan
    total = 0.0
    while x < 6.0:
        total -= 1.0 / x
        x += 1.0
    if math.isinf(x):
        return math.inf
    y = 1.0 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132)))))
    return total + math.log(x) - 0.5 / x - series


class Draws:
    """Gamma variables as Spark draws them: Marsaglia and Tsang's method over normal and uniform variables of Commons
    Math's Mersenne Twister, which is numpy's legacy generator behind another way to turn bits into doubles."""

    def __init__(self, seed: int):
        self._words = np.random.RandomState([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF])
        self._spare: float | None = None

    def uniform(self) -> float:
        return (self._bits() << 26 | self._bits()) * 2.0**-52

    def _bits(self) -> int:
        """26 of them, the highest of a word."""
        return int.from_bytes(self._words.bytes(4), "little") >> 6

    def normal(self) -> float:
        """Box and Muller, two at a time."""
        if self._spare is not None:
            found, self._spare = self._spare, None
            return found
        angle, size = 2.0 * math.pi * self.uniform(), math.sqrt(-2.0 * log(self.uniform()))
        self._spare = size * math.sin(angle)
        return size * math.cos(angle)

    def gamma(self, shape: float, scale: float) -> float:
        """For a shape above 1."""
        d = shape - 1.0 / 3.0
        c = 1.0 / math.sqrt(9.0 * d)
        while True:
            x = self.normal()
            v = 1.0 + c * x
            if v <= 0.0:
                continue
            v = v * v * v
            u = self.uniform()
            if u < 1.0 - 0.0331 * (x * x * (x * x)) or log(u) < 0.5 * (x * x) + d * (1.0 - v + log(v)):
                return scale * d * v


class Topics:
    """Topic mixtures of documents by online variational inference (Hoffman, Blei and Bach, 2010), as in Spark's local
    model. Every document starts from the same draws of a gamma variable of mean 1.

    Args:
        topics: weight of each term in each topic, shape (terms, k).
        alpha: document concentration, k numbers.
        seed: of the draws; gamma_shape: their shape, above 1.
    """

    def __init__(self, topics: Floats, alpha: Sequence[float], seed: int, gamma_shape: float):
        draws = Draws(seed)
        self.start = np.array([draws.gamma(gamma_shape, 1.0 / gamma_shape) for _ in alpha])
        self.alpha = np.array(alpha, np.float64)
        sums = np.array([digamma(float(x)) for x in topics.sum(axis=0)])
        with np.errstate(all="ignore"):
            self.weights = mapped(exp, mapped(digamma, topics) - sums)
        self.k: int = topics.shape[1]

    def mixture(self, indices: Sequence[int], counts: Sequence[float]) -> tuple[float, ...]:
        """The share of each topic in a document, given the terms that occur in it. Zeros for an empty one."""
        known = [(i, x) for i, x in zip(indices, counts, strict=True) if x != 0.0]
        if not known:
            return (0.0,) * self.k
        with np.errstate(all="ignore"):
            gamma = self._gamma(self.weights[[i for i, _ in known]], np.array([x for _, x in known]))
            shares: list[float] = (gamma / np.abs(gamma).sum()).tolist()
        return tuple(shares)

    def _gamma(self, weights: Floats, counts: Floats) -> Floats:
        gamma = self.start
        theta = _expected(gamma)
        norm = weights @ theta + 1e-100
        for _ in range(STEPS):
            last = gamma
            gamma = theta * (weights.T @ (counts / norm)) + self.alpha
            theta = _expected(gamma)
            norm = weights @ theta + 1e-100
            if not np.abs(gamma - last).sum() / self.k > 1e-3:
                break
        return gamma


def _expected(gamma: Floats) -> Floats:
    """exp of the expectation of the logarithm of a Dirichlet variable."""
    return mapped(exp, mapped(digamma, gamma) - digamma(float(gamma.sum())))
