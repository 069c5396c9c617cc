"""Factorization machines, which MLeap has no op for: nacre.fm_regression, nacre.fm_classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.plan.factors import FactorSums
from nacre.plan.frame import Column, Floats, Result, Scalars, Vectors
from nacre.plan.maths import EXP, exp, mapped
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REQUIRED, Attr, Stage, data, stage, vector_of
from nacre.stages.classifying import FEATURES, PREDICTION, THRESHOLDS, ClassifierStage
from nacre.stages.linear import INTERCEPT, SUM_BOUND, matrix_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.values import Tensor

LINEAR = Attr("linear", "tensor", REQUIRED, "one coefficient a feature", spark=data("linear"))
FACTORS = Attr("factors", "tensor", REQUIRED, "(features, factors), column by column", spark=data("factors"))


def sums_of(stage: Stage, intercept: float, linear: Tensor, factors: Tensor) -> FactorSums:
    matrix = matrix_of(stage, "factors", factors)
    if len(matrix) != len(linear.values):
        raise stage.bad("factors of another size", "factors", f"{len(linear.values)} rows", len(matrix))
    return FactorSums(intercept, linear.values, matrix.T)


@stage
class FMRegression(Stage):
    """b + x·w + for each factor ((sum of v·x)^2 - sum of (v·x)^2) / 2."""

    op = "nacre.fm_regression"
    spark_classes = ("org.apache.spark.ml.regression.FMRegressionModel",)
    exact = SUM_BOUND
    attributes = (INTERCEPT, LINEAR, FACTORS)
    inputs = (FEATURES,)
    outputs = (PREDICTION,)
    intercept: float
    linear: Tensor
    factors: Tensor

    def prepare(self) -> None:
        self.sums = sums_of(self, self.intercept, self.linear, self.factors)

    def wants(self) -> list[Type | None]:
        return [vector(self.sums.size)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.sums.size)
        return [DOUBLE for _ in self.output_ports]

    def columns(self, inputs: Sequence[Column]) -> Result:
        if not self.output_ports:
            return Result([])  # Spark's model does nothing then
        (column,) = inputs
        assert isinstance(column, Vectors)
        result = Result([Scalars(self.sums.columns(column)) for _ in self.output_ports])
        if column.null is not None:
            size = f"vector[{self.sums.size}]"
            result.fail(column.null, self.input_names[0], NULL, expected=size, got=lambda row: None)
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        if not self.output_ports:
            return []
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        return [ScalarRef(self.sums.row(code, ref)) for _ in self.output_ports]

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        return 0.0 if inputs[0] is None else self.sums.slack(inputs[0])


@stage
class FMClassifier(ClassifierStage):
    """Raw scores (-m, m) of that m; p1 = 1 / (1 + e^-m), p0 = 1 - p1."""

    op = "nacre.fm_classifier"
    spark_classes = ("org.apache.spark.ml.classification.FMClassificationModel",)
    exact = f"{SUM_BOUND}, probabilities within 1e-12 more"
    attributes = (INTERCEPT, LINEAR, FACTORS, THRESHOLDS)
    classes = 2
    intercept: float
    linear: Tensor
    factors: Tensor

    def prepare(self) -> None:
        self.sums = sums_of(self, self.intercept, self.linear, self.factors)
        self.check_thresholds()

    @property
    def size(self) -> int | None:
        return self.sums.size

    def raw(self, features: Vectors) -> Floats:
        margin = self.sums.columns(features)
        return np.array([-margin, margin])

    def raw_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[str]:
        margin = self.sums.row(code, features)
        return [code.let(f"-{margin}", "r"), margin]

    def probability(self, raw: Floats) -> Floats:
        second = 1.0 / (1.0 + mapped(exp, -raw[1]))
        return np.array([1.0 - second, second])

    def probability_row(self, code: RowCode, raw: Sequence[str]) -> list[str]:
        second = code.let(f"1.0 / (1.0 + {code.const(exp)}(-{raw[1]}))", "p")
        return [code.let(f"1.0 - {second}", "p"), second]

    def raw_slack(self, values: Sequence[float]) -> list[float]:
        return [self.sums.slack(values)] * 2

    def probability_slack(self, raw: Floats, bounds: Sequence[float]) -> float:
        margin, bound = float(raw[1, 0]), bounds[1]
        ends = [1.0 / (1.0 + exp(-(margin + sign * bound))) for sign in (-1, 1)]
        return ends[1] - ends[0] + EXP
