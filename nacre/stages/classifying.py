"""What all classifiers share: raw scores, probabilities and a prediction, each at a port of its own that may be absent.

Spark's order of things (ClassificationModel and ProbabilisticClassificationModel): raw scores from the features,
probabilities from raw scores, the prediction from whichever of the two the model looks at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.plan.frame import Column, Floats, Result, Scalars, Vectors
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import Attr, Port, Stage, vector_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.spark.saved import Saved

FEATURES = Port("features", vector(), "featuresCol")
RAW = Port("raw_prediction", vector(), "rawPredictionCol", optional=True)
PROBABILITY = Port("probability", vector(), "probabilityCol", optional=True)
PREDICTION = Port("prediction", DOUBLE, "predictionCol", optional=True)


def _thresholds(saved: Saved) -> Any:
    return saved.param("thresholds", None)


THRESHOLDS = Attr(
    "thresholds", "list<double>", None, "one a class; the class with the largest p / t is predicted, t = 0 counting as "
    "+inf; absent: the largest p", spark=_thresholds,
)  # fmt: skip


class ClassifierStage(Stage):
    """A features vector to raw scores, probabilities and a prediction. Scores are arrays of shape (classes, rows)."""

    inputs = (FEATURES,)
    outputs: ClassVar[tuple[Port, ...]] = (RAW, PROBABILITY, PREDICTION)
    thresholds: list[float] | None = None

    @property
    def size(self) -> int | None:
        """Number of features; None: any."""
        raise NotImplementedError

    @property
    def classes(self) -> int:
        """Number of classes."""
        raise NotImplementedError

    # What a classifier is

    def raw(self, features: Vectors) -> Floats:
        """Raw scores of many rows."""
        raise NotImplementedError

    def raw_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[str]:
        """Names of the raw scores of one row."""
        raise NotImplementedError

    def probability(self, raw: Floats) -> Floats:
        """Probabilities from raw scores."""
        raise NotImplementedError

    def probability_row(self, code: RowCode, raw: Sequence[str]) -> list[str]:
        """The same for one row."""
        raise NotImplementedError

    # The prediction

    @property
    def as_mleap(self) -> bool:
        """Whether the prediction follows MLeap's rules where they differ from Spark's."""
        return self.context.mleap

    @property
    def by_probability(self) -> bool:
        """Whether the prediction looks at probabilities; else at raw scores, whose order rounding may have split.

        Spark looks at the first of raw scores and probabilities that is asked for, MLeap at the last.
        """
        raw, probability = RAW.name in self.output_ports, PROBABILITY.name in self.output_ports
        if self.thresholds is not None:
            return True
        return probability or not raw if self.as_mleap else probability and not raw

    def predict(self, raw: Floats) -> Floats:
        """The index of the largest score, the first of equal ones."""
        return first_largest(self._scores(raw))

    def predict_row(self, code: RowCode, raw: Sequence[str]) -> str:
        """The same for one row."""
        if not self.by_probability:
            return first_largest_row(code, raw)
        names = self.probability_row(code, raw)
        if self.thresholds is None:
            return first_largest_row(code, names)
        pairs = zip(names, self.thresholds, strict=True)
        return first_largest_row(code, [self._scaled_row(code, p, t) for p, t in pairs])

    def _scores(self, raw: Floats) -> Floats:
        if not self.by_probability:
            return raw
        probability = self.probability(raw)
        if self.thresholds is None:
            return probability
        with np.errstate(all="ignore"):
            return np.array([self._scaled(p, t) for p, t in zip(probability, self.thresholds, strict=True)])

    def _scaled(self, p: Floats, t: float) -> Floats:
        """p / t. Where t is 0 it counts as +inf, but in Spark only if p is not 0; there a NaN is never chosen."""
        if self.as_mleap:
            return np.full(p.shape, np.inf) if t == 0.0 else p / t
        scaled = p / t
        return np.where(np.isnan(scaled), -np.inf, scaled)

    def _scaled_row(self, code: RowCode, p: str, t: float) -> str:
        if self.as_mleap:
            return code.number(np.inf) if t == 0.0 else code.let(f"{p} / {code.number(t)}", "q")
        if t == 0.0:
            side = ">" if math.copysign(1.0, t) > 0.0 else "<"
            return code.let(f"{code.number(np.inf)} if {p} {side} 0.0 else {code.number(-np.inf)}", "q")
        scaled = code.let(f"{p} / {code.number(t)}", "q")
        return code.let(f"{scaled} if {scaled} == {scaled} else {code.number(-np.inf)}", "q")

    # Bounds

    def raw_slack(self, values: Sequence[float]) -> list[float]:
        """How far each raw score of this row may be from Spark's."""
        return [0.0] * self.classes

    def probability_slack(self, raw: Floats, bounds: Sequence[float]) -> float:
        """How far any probability may be, for raw scores (shape (classes, 1)) that may be off by `bounds`."""
        return 0.0

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        """A prediction is free only where the scores it compares are nearer to each other than their bounds."""
        if inputs[0] is None:
            return 0.0
        bounds = self.raw_slack(inputs[0])
        if port == RAW.name or max(bounds) == np.inf:
            return max(bounds)
        with np.errstate(all="ignore"):
            raw = self.raw(Vectors(np.array(inputs[0], np.float64).reshape(-1, 1)))
            spread = self.probability_slack(raw, bounds)
            if port == PROBABILITY.name:
                return spread
            return np.inf if self.undecided(raw, bounds, spread) else 0.0

    def undecided(self, raw: Floats, bounds: Sequence[float], spread: float) -> bool:
        """Whether two scores are too near to each other to tell which is larger."""
        if self.by_probability:
            bounds = [spread / t if t else 0.0 for t in self.thresholds or [1.0] * self.classes]
        scores = self._scores(raw)[:, 0]
        best = int(np.argmax(scores))
        others = [n for n in range(len(scores)) if n != best and bounds[n] > 0.0]
        return any(scores[best] - scores[n] <= bounds[best] + bounds[n] for n in others)

    def check_thresholds(self) -> None:
        """Call from `prepare` once the number of classes is known."""
        if self.thresholds is not None and len(self.thresholds) != self.classes:
            raise self.bad("a threshold for each class", "thresholds", f"{self.classes} values", len(self.thresholds))

    # The stage

    def wants(self) -> list[Type | None]:
        return [vector(self.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.size)
        return [DOUBLE if port == PREDICTION.name else vector(self.classes) for port in self.output_ports]

    def columns(self, inputs: Sequence[Column]) -> Result:
        if not self.output_ports:
            return Result([])  # Spark's model does nothing then
        (column,) = inputs
        assert isinstance(column, Vectors)
        with np.errstate(all="ignore"):
            result = Result(self.scored(column))
        if column.null is not None:
            result.fail(column.null, self.input_names[0], NULL, expected=f"vector[{column.size}]", got=lambda row: None)
        return result

    def scored(self, features: Vectors) -> list[Column]:
        """The output columns."""
        made = self.made(self.raw(features))
        return [made[port]() for port in self.output_ports]

    def made(self, raw: Floats) -> dict[str, Callable[[], Column]]:
        """Port -> what makes its column from raw scores."""
        return {
            RAW.name: lambda: Vectors(raw),
            PROBABILITY.name: lambda: Vectors(self.probability(raw)),
            PREDICTION.name: lambda: Scalars(self.predict(raw)),
        }

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        if not self.output_ports:
            return []
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        return self.scored_row(code, ref)

    def scored_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[Ref]:
        """The outputs of one row."""
        made = self.made_row(code, self.raw_row(code, features))
        return [made[port]() for port in self.output_ports]

    def made_row(self, code: RowCode, raw: Sequence[str]) -> dict[str, Callable[[], Ref]]:
        """The same as `made` for one row."""
        return {
            RAW.name: lambda: code.vector(raw),
            PROBABILITY.name: lambda: code.vector(self.probability_row(code, raw)),
            PREDICTION.name: lambda: ScalarRef(self.predict_row(code, raw)),
        }


def first_largest(scores: Floats) -> Floats:
    """Index of the first largest score of each row, as Spark's argmax finds it; a NaN neither beats nor is beaten."""
    best, found = scores[0], np.zeros(scores.shape[1])
    for index in range(1, len(scores)):
        larger = scores[index] > best
        best = np.where(larger, scores[index], best)
        found[larger] = index
    return found


def first_largest_row(code: RowCode, names: Sequence[str]) -> str:
    """The same for one row."""
    best, found = code.let(names[0], "m"), code.let("0.0", "c")
    for index, name in enumerate(names[1:], 1):
        with code.block(f"if {name} > {best}"):
            code.line(f"{best} = {name}")
            code.line(f"{found} = {float(index)!r}")
    return found
