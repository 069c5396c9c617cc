"""Functions of doubles that give the same bits in both plans: the C library's, one value at a time.

numpy's vectorised exp, log, pow and tanh are routines of their own: `np.exp` differs from `math.exp` in the last bit on
one value in twenty. So the columns plan maps the scalar function over its numbers, and the row plan calls the same
function. Unlike `math`'s they never raise: out of range gives an infinity, out of domain NaN, as Java's do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nacre.plan.frame import Floats

SUM = 1e-12
"""Bound of a sum against Spark's, whose BLAS adds in another order: this times the sum of the terms' sizes."""
EXP = 1e-12
"""Bound of what follows through exp, log or pow, relative: Java's intrinsics and the C library differ in last bits."""


def exp(x: float) -> float:
    """e to the x."""
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def log(x: float) -> float:
    """Natural logarithm: -inf of zero, NaN of a negative number."""
    if x > 0.0:
        return math.log(x)
    return -math.inf if x == 0.0 else math.nan


def power(x: float, y: float) -> float:
    """x to the y, as Java's Math.pow: 1 to an infinity, and -1 to one, are NaN."""
    if (x in (1.0, -1.0) and math.isinf(y)) or (x == 1.0 and y != y):
        return math.nan
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0.0 and y % 2.0 == 1.0 else math.inf
    except ValueError:  # zero to a negative power, or a negative number to a fraction
        if x != 0.0:
            return math.nan
        return -math.inf if math.copysign(1.0, x) < 0.0 and y % 2.0 == 1.0 else math.inf


def mapped(function: Callable[[float], float], values: Floats) -> Floats:
    """A scalar function over an array of doubles of any shape."""
    flat = values.ravel()
    return np.fromiter(map(function, flat.tolist()), np.float64, flat.size).reshape(values.shape)


def total(terms: Sequence[Floats]) -> Floats:
    """The sum of arrays in order, starting from 0.0: what `RowCode.total` does for one row."""
    out = np.zeros_like(terms[0])
    for each in terms:
        out += each
    return out
