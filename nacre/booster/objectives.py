"""What each XGBoost objective does around the sum of trees: base score to margin, margins to score.

Every step is rounded to float32 as the library's C++ does it (`src/objective/*`, `src/common/math.h`): a single
operation on two float32 values done in double and rounded once is the float32 operation, because 53 >= 2 * 24 + 2.
One definition serves the row and the block path, so they cannot differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from nacre.booster.libm import expf, f32, logf, rounded_exp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Score = float | tuple[float, ...]
EPS = f32(1e-6)
"""The library's kRtEps, which keeps a base score of 0 or 1 finite behind the logit."""
SIGMOID_LIMIT = f32(88.7)


class Objective(NamedTuple):
    """`link` takes one base score to a margin; `transform` takes a row's margins to its score (None: as they are)."""

    link: Callable[[float], float] | None = None
    transform: Callable[[Sequence[float]], Score] | None = None


def logit(probability: float) -> float:
    bounded = min(max(probability, EPS), f32(1.0 - EPS))
    return -logf(f32(f32(1.0 / bounded) - 1.0))


def sigmoid(margin: float) -> float:
    # The library adds another 1e-16 to the denominator, which float32 cannot hold next to 1.
    return f32(1.0 / f32(expf(min(-margin, SIGMOID_LIMIT)) + 1.0))


def softmax(margins: Sequence[float]) -> tuple[float, ...]:
    """Numerators in float32, their sum in double, as the library has it."""
    top = max(margins)
    numerators = [expf(f32(margin - top)) for margin in margins]
    total = 0.0
    for numerator in numerators:  # not sum(): since Python 3.12 it compensates
        total += numerator
    divisor = f32(total)
    return tuple([f32(numerator / divisor) for numerator in numerators])


def elementwise(function: Callable[[float], float]) -> Callable[[Sequence[float]], Score]:
    def transform(margins: Sequence[float]) -> Score:
        return function(margins[0]) if len(margins) == 1 else tuple([function(margin) for margin in margins])

    return transform


def hinge(margin: float) -> float:
    return 1.0 if margin > 0.0 else 0.0


def argmax(margins: Sequence[float]) -> float:
    """The first of the largest margins, as a class number."""
    return float(max(range(len(margins)), key=margins.__getitem__))


IDENTITY = Objective()
LOGISTIC = Objective(link=logit, transform=elementwise(sigmoid))
EXPONENTIAL = Objective(link=logf, transform=elementwise(expf))
LIFETIME = Objective(link=logf, transform=elementwise(rounded_exp))
"""survival:aft: since 2.0 its kernel calls C's exp, so the double, which rounds otherwise on one value in 4,000."""

OBJECTIVES: dict[str, Objective] = {
    "reg:squarederror": IDENTITY,
    "reg:linear": IDENTITY,
    "reg:squaredlogerror": IDENTITY,
    "reg:pseudohubererror": IDENTITY,
    "reg:absoluteerror": IDENTITY,
    "reg:quantileerror": IDENTITY,
    "reg:logistic": LOGISTIC,
    "binary:logistic": LOGISTIC,
    "binary:logitraw": IDENTITY,
    "binary:hinge": Objective(transform=elementwise(hinge)),
    "count:poisson": EXPONENTIAL,
    "reg:gamma": EXPONENTIAL,
    "reg:tweedie": EXPONENTIAL,
    "survival:cox": EXPONENTIAL,
    "survival:aft": LIFETIME,
    "multi:softmax": Objective(transform=argmax),
    "multi:softprob": Objective(transform=softmax),
    "rank:pairwise": IDENTITY,
    "rank:ndcg": IDENTITY,
    "rank:map": IDENTITY,
}
