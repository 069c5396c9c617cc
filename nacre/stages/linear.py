"""Sums of features times coefficients, and what is made of them: linear_regression, logistic_regression, linear_svc,
support_vector_machine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.bundle.values import Tensor
from nacre.plan.frame import Column, Floats, Result, Scalars, Vectors
from nacre.plan.linear import Sums
from nacre.plan.maths import EXP, exp, log, mapped
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.softmax import softmax, softmax_row, softmax_slack
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, data, param, stage, vector_of
from nacre.stages.classifying import FEATURES, PREDICTION, PROBABILITY, RAW, THRESHOLDS, ClassifierStage
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

COEFFICIENTS = Attr("coefficients", "tensor", REQUIRED, "one a feature", spark=data("coefficients"))
INTERCEPT = Attr("intercept", "double", REQUIRED, "added to the sum", spark=data("intercept"))
SUM_BOUND = "sums within 1e-12 of the sum of the terms' sizes"


def sums_of(coefficients: Tensor, intercept: float) -> Sums:
    """One sum from a vector of coefficients and an intercept."""
    return Sums(np.array([coefficients.values]), [intercept])


def matrix_of(stage: Stage, name: str, tensor: Tensor) -> Floats:
    """A two-dimensional attribute, kept column by column, as an array of shape (rows, columns)."""
    if len(tensor.dims) != 2:
        raise stage.bad("not a matrix", name, "two dimensions", list(tensor.dims))
    return np.array(tensor.values, np.float64).reshape(tensor.dims, order="C" if stage.context.row_major else "F")


class LinearStage(Stage):
    """A features vector to one sum, and columns made of that sum. Without any output Spark's model does nothing."""

    inputs: ClassVar[tuple[Port, ...]] = (FEATURES,)
    outputs: ClassVar[tuple[Port, ...]] = (PREDICTION,)
    exact: ClassVar[str] = SUM_BOUND
    sums: Sums

    coefficients: Tensor
    intercept: float

    def prepare(self) -> None:
        self.sums = sums_of(self.coefficients, self.intercept)

    def made(self, eta: Floats) -> dict[str, Column]:
        """Port -> column, from the sums of all rows."""
        return {PREDICTION.name: Scalars(eta)}

    def made_row(self, code: RowCode, eta: str) -> dict[str, Ref]:
        """The same for one row."""
        return {PREDICTION.name: ScalarRef(eta)}

    def wants(self) -> list[Type | None]:
        return [vector(self.sums.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.sums.size)
        return [DOUBLE for _ in self.output_ports]

    def columns(self, inputs: Sequence[Column]) -> Result:
        if not self.output_ports:
            return Result([])  # Spark's model does nothing then
        column = inputs[0]
        assert isinstance(column, Vectors)
        with np.errstate(all="ignore"):
            made = self.made(self.sums.columns(column)[0])
        result = Result([made[port] for port in self.output_ports])
        if column.null is not None:
            size = f"vector[{self.sums.size}]"
            result.fail(column.null, self.input_names[0], NULL, expected=size, got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        if not self.output_ports:
            return []
        ref = inputs[0]
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        made = self.made_row(code, self.sums.row(code, ref)[0])
        return [made[port] for port in self.output_ports]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        return 0.0 if inputs[0] is None else self.sums.slack(inputs[0])[0]


@stage
class LinearRegression(LinearStage):
    """x·w + b."""

    op = "linear_regression"
    spark_classes = ("org.apache.spark.ml.regression.LinearRegressionModel",)
    attributes = (COEFFICIENTS, INTERCEPT)


class BinaryStage(ClassifierStage):
    """A classifier of two classes by one sum m: raw scores (-m, m)."""

    exact = SUM_BOUND
    classes = 2
    sums: Sums

    @property
    def size(self) -> int | None:
        return self.sums.size

    def raw(self, features: Vectors) -> Floats:
        (margin,) = self.sums.columns(features)
        return np.array([-margin, margin])

    def raw_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[str]:
        (margin,) = self.sums.row(code, features)
        return [code.let(f"-{margin}", "r"), margin]

    def raw_slack(self, values: Sequence[float]) -> list[float]:
        return self.sums.slack(values) * 2


def above(scores: Floats, threshold: float) -> Floats:
    """1.0 where a score is larger than the threshold."""
    return (scores > threshold).astype(np.float64)


def above_row(code: RowCode, score: str, threshold: float) -> str:
    return code.let(f"1.0 if {score} > {code.number(threshold)} else 0.0", "c")


@stage
class LinearSVC(BinaryStage):
    """The margin x·w + b; class 1 where it is larger than the threshold."""

    op = "linear_svc"
    since = "0.15"
    spark_classes = ("org.apache.spark.ml.classification.LinearSVCModel",)
    attributes = (
        Attr("num_classes", "long", 2, "number of classes, 2", spark=lambda saved: 2),
        COEFFICIENTS,
        INTERCEPT,
        Attr("threshold", "double", REQUIRED, "of the margin", spark=param("threshold")),
    )
    outputs = (RAW, PREDICTION)
    num_classes: int
    coefficients: Tensor
    intercept: float
    threshold: float

    def prepare(self) -> None:
        if self.num_classes != 2:
            raise self.bad("a margin tells two classes apart", "num_classes", 2, self.num_classes)
        self.sums = sums_of(self.coefficients, self.intercept)

    def predict(self, raw: Floats) -> Floats:
        return above(raw[1], self.threshold)

    def predict_row(self, code: RowCode, raw: Sequence[str]) -> str:
        return above_row(code, raw[1], self.threshold)

    def undecided(self, raw: Floats, bounds: Sequence[float], spread: float) -> bool:
        return bool(abs(raw[1, 0] - self.threshold) <= bounds[1])


@stage
class SupportVectorMachine(BinaryStage):
    """MLeap's own: the margin as raw score and, unchanged, as probability; the class of the larger one."""

    op = "support_vector_machine"
    attributes = (
        COEFFICIENTS,
        INTERCEPT,
        Attr("num_classes", "long", 2, "number of classes, 2"),
        THRESHOLDS,
    )
    num_classes: int
    coefficients: Tensor
    intercept: float

    def prepare(self) -> None:
        if self.num_classes != 2:
            raise self.bad("a margin tells two classes apart", "num_classes", 2, self.num_classes)
        self.sums = sums_of(self.coefficients, self.intercept)
        self.check_thresholds()

    @property
    def as_mleap(self) -> bool:
        return True

    def probability(self, raw: Floats) -> Floats:
        return raw

    def probability_row(self, code: RowCode, raw: Sequence[str]) -> list[str]:
        return list(raw)

    def probability_slack(self, raw: Floats, bounds: Sequence[float]) -> float:
        return max(bounds)


@stage
class LogisticRegression(ClassifierStage):
    """Two classes: raw scores (-m, m), class 1 where its probability is larger than the threshold.
    Several: a sum for each, softmax of them.

    MLeap knows no two classes of the multinomial family. Such a model is written as the two-class model of the same
    probabilities, whose coefficients are the difference of the two, and as it is, for us, in ``nacre.`` attributes.
    """

    op = "logistic_regression"
    spark_classes = ("org.apache.spark.ml.classification.LogisticRegressionModel",)
    exact = f"{SUM_BOUND}, probabilities within 1e-12 more"
    attributes = (
        Attr("num_classes", "long", REQUIRED, "number of classes; up to 2: one sum"),
        Attr("coefficients", "tensor", None, "of the one sum, one a feature"),
        Attr("intercept", "double", 0.0, "of the one sum"),
        Attr("threshold", "double", 0.5, "of the probability of class 1"),
        Attr("coefficient_matrix", "tensor", None, "of several sums: (classes, features), column by column"),
        Attr("intercept_vector", "tensor", None, "of several sums, one a class"),
        THRESHOLDS,
        Attr("nacre.matrix", "tensor", None, "coefficients of the multinomial family where there are up to 2 classes"),
        Attr("nacre.intercepts", "tensor", None, "their intercepts"),
        Attr("nacre.family_thresholds", "list<double>", None, "their thresholds, one a class"),
    )
    num_classes: int
    coefficients: Tensor | None
    intercept: float
    threshold: float
    coefficient_matrix: Tensor | None
    intercept_vector: Tensor | None
    matrix: Tensor | None
    intercepts: Tensor | None
    family_thresholds: list[float] | None

    def prepare(self) -> None:
        found = ("coefficient_matrix", self.coefficient_matrix, "intercept_vector", self.intercept_vector)
        if self.num_classes <= 2:
            self.thresholds = None
            found = ("nacre.matrix", self.matrix, "nacre.intercepts", self.intercepts)
            if not self.context.mleap:
                self.thresholds = self.family_thresholds
        matrix_name, matrix, name, intercepts = found
        self.multinomial = self.num_classes > 2 or (matrix is not None and not self.context.mleap)
        if self.multinomial:
            self._several(matrix_name, matrix, name, intercepts)
            self.check_thresholds()
            return
        if self.coefficients is None:
            raise self.bad("an attribute is missing", "coefficients", "tensor", "nothing")
        self.sums = sums_of(self.coefficients, self.intercept)
        self.raw_threshold = _logit(self.threshold)

    def ignored(self) -> Iterator[str]:
        if self.matrix is not None:
            yield "raw scores are those of the two-class model of the same probabilities"

    def _several(self, matrix_name: str, matrix: Tensor | None, name: str, intercepts: Tensor | None) -> None:
        for field, tensor in ((matrix_name, matrix), (name, intercepts)):
            if tensor is None:
                raise self.bad("an attribute is missing", field, "tensor", "nothing")
        assert matrix is not None
        assert intercepts is not None
        weights = matrix_of(self, matrix_name, matrix)
        if not len(weights) or len(weights) != len(intercepts.values):
            raise self.bad("rows and intercepts differ", matrix_name, f"{len(intercepts.values)} rows", len(weights))
        self.sums = Sums(weights, intercepts.values)

    @property
    def size(self) -> int | None:
        return self.sums.size

    @property
    def classes(self) -> int:
        return len(self.sums) if self.multinomial else 2

    def raw(self, features: Vectors) -> Floats:
        sums = self.sums.columns(features)
        return sums if self.multinomial else np.array([-sums[0], sums[0]])

    def raw_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[str]:
        sums = self.sums.row(code, features)
        return sums if self.multinomial else [code.let(f"-{sums[0]}", "r"), sums[0]]

    def probability(self, raw: Floats) -> Floats:
        if self.multinomial:
            return softmax(raw, self.context.mleap)
        first = 1.0 / (1.0 + mapped(exp, -raw[0]))
        second = 1.0 / (1.0 + mapped(exp, -raw[1])) if self.context.mleap else 1.0 - first
        return np.array([first, second])

    def probability_row(self, code: RowCode, raw: Sequence[str]) -> list[str]:
        if self.multinomial:
            return softmax_row(code, raw, self.context.mleap)
        first = _sigmoid_row(code, raw[0])
        return [first, _sigmoid_row(code, raw[1]) if self.context.mleap else code.let(f"1.0 - {first}", "p")]

    # Two classes: which number is compared depends on the columns asked for, and rounding tells them apart

    def _two(self) -> str:
        raw, probability = RAW.name in self.output_ports, PROBABILITY.name in self.output_ports
        if raw and not (probability and self.context.mleap):
            return RAW.name
        return PROBABILITY.name if probability else PREDICTION.name

    def predict(self, raw: Floats) -> Floats:
        if self.multinomial:
            return super().predict(raw)
        compared = self._two()
        if compared == RAW.name:
            return above(raw[1], self.raw_threshold)
        if compared == PROBABILITY.name:
            return above(self.probability(raw)[1], self.threshold)
        return above(1.0 / (1.0 + mapped(exp, -raw[1])), self.threshold)

    def predict_row(self, code: RowCode, raw: Sequence[str]) -> str:
        if self.multinomial:
            return super().predict_row(code, raw)
        compared = self._two()
        if compared == RAW.name:
            return above_row(code, raw[1], self.raw_threshold)
        if compared == PROBABILITY.name:
            return above_row(code, self.probability_row(code, raw)[1], self.threshold)
        return above_row(code, _sigmoid_row(code, raw[1]), self.threshold)

    # Bounds

    def raw_slack(self, values: Sequence[float]) -> list[float]:
        return self.sums.slack(values) * (1 if self.multinomial else 2)

    def probability_slack(self, raw: Floats, bounds: Sequence[float]) -> float:
        if self.multinomial:
            return softmax_slack(bounds)
        margin, bound = float(raw[1, 0]), bounds[1]
        ends = [1.0 / (1.0 + exp(-(margin + sign * bound))) for sign in (-1, 1)]
        return ends[1] - ends[0] + EXP

    def undecided(self, raw: Floats, bounds: Sequence[float], spread: float) -> bool:
        if self.multinomial:
            return super().undecided(raw, bounds, spread)
        if self._two() == RAW.name:
            return bool(abs(raw[1, 0] - self.raw_threshold) <= bounds[1] + EXP * abs(self.raw_threshold))
        return bool(abs(1.0 / (1.0 + exp(-float(raw[1, 0]))) - self.threshold) <= spread)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        matrix, intercepts = saved.data("coefficientMatrix"), saved.data("interceptVector")
        values: dict[str, Any] = {"num_classes": max(2, saved.data("numClasses"))}
        thresholds = saved.param("thresholds", None)
        family = bool(saved.data("isMultinomial"))
        if family and saved.data("numClasses") > 2:
            values |= {"coefficient_matrix": matrix, "intercept_vector": intercepts, "thresholds": thresholds}
        elif family:
            values |= _as_two(matrix, intercepts)
            values |= {"nacre.matrix": matrix, "nacre.intercepts": intercepts, "nacre.family_thresholds": thresholds}
            values["threshold"] = _threshold(thresholds, 0.5)
        else:
            values |= {"coefficients": Tensor(matrix.values, (len(matrix.values),)), "intercept": intercepts.values[0]}
            values["threshold"] = _threshold(thresholds, saved.param("threshold", 0.5))
        return [cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))]


def _as_two(matrix: Tensor, intercepts: Tensor) -> dict[str, Any]:
    """The two-class model with the probabilities of one of the multinomial family; of one class only: always it."""
    weights = np.array(matrix.values).reshape(matrix.dims, order="F")
    if len(weights) == 1:
        return {"coefficients": [0.0] * weights.shape[1], "intercept": -math.inf}
    return {
        "coefficients": (weights[1] - weights[0]).tolist(),
        "intercept": intercepts.values[1] - intercepts.values[0],
    }


def _threshold(thresholds: Sequence[float] | None, own: float) -> float:
    """The threshold of class 1's probability that says the same as one for each class: 1 / (1 + t0 / t1)."""
    if thresholds is None or len(thresholds) != 2:
        return own
    first, second = thresholds
    return 0.0 if second == 0.0 else 1.0 / (1.0 + first / second)


def _logit(threshold: float) -> float:
    """The margin at which the probability is the threshold."""
    if threshold in (0.0, 1.0):
        return -math.inf if threshold == 0.0 else math.inf
    return log(threshold / (1.0 - threshold))


def _sigmoid_row(code: RowCode, raw: str) -> str:
    return code.let(f"1.0 / (1.0 + {code.const(exp)}(-{raw}))", "p")
