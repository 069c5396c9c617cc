"""Raw scores to probabilities: exp of each, divided by their sum. Spark's form and MLeap's, in both plans."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nacre.plan.maths import EXP, exp, mapped, total

if TYPE_CHECKING:
    from nacre.plan.frame import Floats
    from nacre.plan.rowcode import RowCode


def softmax(raw: Floats, mleap: bool = False) -> Floats:
    """Scores of shape (classes, rows) to probabilities of the same shape.

    The largest score is subtracted first (by MLeap only if it is positive), and exp multiplied by 1 / sum. A score of
    +inf takes all; Spark then leaves 0.0 times each other score, MLeap 0.0.
    """
    if mleap:
        top = _first_max(raw)
        shifted = np.where(top > 0.0, raw - top, raw)
    else:
        shifted = raw - np.fmax.reduce(raw, axis=0, initial=-np.finfo(np.float64).max)
    made: Floats = mapped(exp, shifted)
    made *= 1.0 / total(list(made))
    endless = raw == np.inf
    rows = top == np.inf if mleap else endless.any(axis=0)
    if rows.any():
        made[:, rows] = 0.0 if mleap else raw[:, rows] * 0.0
        made[np.argmax(endless[:, rows], axis=0), np.flatnonzero(rows)] = 1.0
    return made


def _first_max(raw: Floats) -> Floats:
    """The largest score as MLeap's argmax finds it: a NaN in front stays."""
    best: Floats = raw[0]
    for each in raw[1:]:
        best = np.where(each > best, each, best)
    return best


def softmax_row(code: RowCode, raw: Sequence[str], mleap: bool = False) -> list[str]:
    """The same for one row, names to names."""
    function = code.const(softmax_mleap if mleap else softmax_spark)
    names = [code.new("p") for _ in raw]
    code.line(f"{', '.join(names)}, = {function}(({', '.join(raw)},))")
    return names


def softmax_spark(raw: Sequence[float]) -> list[float]:
    """One row's probabilities as Spark computes them."""
    top = -1.7976931348623157e308
    for x in raw:
        if x == math.inf:
            made = [each * 0.0 for each in raw]
            made[raw.index(math.inf)] = 1.0
            return made
        if x > top:
            top = x
    return _normal([exp(x - top) for x in raw])


def softmax_mleap(raw: Sequence[float]) -> list[float]:
    """One row's probabilities as MLeap computes them."""
    top = raw[0]
    for x in raw:
        if x > top:
            top = x
    if top == math.inf:
        first = raw.index(math.inf)
        return [float(n == first) for n in range(len(raw))]
    return _normal([exp(x - top) if top > 0.0 else exp(x) for x in raw])


def _normal(powers: list[float]) -> list[float]:
    sum_ = 0.0
    for x in powers:
        sum_ += x
    factor = 1.0 / sum_ if sum_ else math.inf
    return [x * factor for x in powers]


def divided(raw: Floats) -> Floats:
    """Probabilities of the models that divide by the sum and know no special case of +inf; shape (classes, rows)."""
    made: Floats = mapped(exp, raw - np.fmax.reduce(raw, axis=0, initial=-np.finfo(np.float64).max))
    made /= total(list(made))
    return made


def divided_row(code: RowCode, raw: Sequence[str]) -> list[str]:
    """The same for one row, names to names."""
    names = [code.new("p") for _ in raw]
    code.line(f"{', '.join(names)}, = {code.const(_divided)}(({', '.join(raw)},))")
    return names


def _divided(raw: Sequence[float]) -> list[float]:
    top = -1.7976931348623157e308
    for x in raw:
        if x > top:
            top = x
    powers = [exp(x - top) for x in raw]
    sum_ = 0.0
    for x in powers:
        sum_ += x
    return [x / sum_ if sum_ else math.nan for x in powers]


def softmax_slack(bounds: Sequence[float]) -> float:
    """How far a probability may be off when the scores may be off by `bounds`: relative, and none is above 1."""
    widest = 2.0 * max(bounds)
    return 1.0 if widest > 1.0 else math.expm1(widest) + EXP
