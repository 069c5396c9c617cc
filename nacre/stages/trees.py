"""Regression trees and their ensembles: decision_tree_regression, random_forest_regression, gbt_regression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.bundle.trees import LEAF
from nacre.plan.frame import Column, Floats, Result, Scalars, Vectors
from nacre.plan.maths import SUM, total
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import Attr, Port, stage, vector_of
from nacre.stages.growing import ENSEMBLE, LEAF_COL, LEAF_PORT, NUM_FEATURES, Ensemble, Grown, planted
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.spark.saved import Saved

VARIANCE_PORT = "nacre.variance"


class TreeStage(Grown):
    """A features vector through a forest to one number."""

    inputs = (Port("features", vector(), "featuresCol"),)
    outputs = (Port("prediction", DOUBLE, "predictionCol", optional=True),)

    def prepare(self) -> None:
        self.grow(1)

    def wants(self) -> list[Type | None]:
        return [vector(self.num_features)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.num_features)
        return [self.leaf_type() if port == LEAF_PORT else DOUBLE for port in self.output_ports]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        result = Result(self._outputs(column))
        if column.null is not None:
            result.fail(
                column.null, self.input_names[0], NULL, expected=f"vector[{self.num_features}]", got=lambda row: None
            )
        return result

    def _outputs(self, column: Vectors) -> list[Column]:
        if not self.numbered:
            return [Scalars(self.over_columns(column, self.combine)) for _ in self.output_ports]
        numbers = self.over_columns(column, lambda each: np.stack(list(each)))
        made: dict[str, Column] = {LEAF_PORT: self.leaf_column(numbers)}
        leaves = numbers.astype(np.intp)
        values = [np.array(table)[leaf, 0] for table, leaf in zip(self.leaf_values, leaves, strict=True)]
        made["prediction"] = Scalars(self.combine(values))
        if VARIANCE_PORT in self.output_ports:
            made[VARIANCE_PORT] = Scalars(np.array(self.variances)[leaves[0]])
        return [made[port] for port in self.output_ports]

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        names = self.over_row(code, replace(ref, null=None))
        if not self.numbered:
            return [ScalarRef(self.combine_row(code, names)) for _ in self.output_ports]
        made: dict[str, Ref] = {LEAF_PORT: self.leaf_ref(code, names)}
        tables = [{float(n): values[0] for n, values in enumerate(table)} for table in self.leaf_values]
        values = [code.let(f"{code.const(table, 'leaf')}[{x}]", "p") for table, x in zip(tables, names, strict=True)]
        made["prediction"] = ScalarRef(self.combine_row(code, values))
        if VARIANCE_PORT in self.output_ports:
            table = {float(n): variance for n, variance in enumerate(self.variances)}
            made[VARIANCE_PORT] = ScalarRef(code.let(f"{code.const(table, 'leaf')}[{names[0]}]", "p"))
        return [made[port] for port in self.output_ports]

    variances: Sequence[float] = ()

    def combine(self, predictions: Sequence[Floats]) -> Floats:
        """One prediction from those of the trees."""
        return predictions[0]

    def combine_row(self, code: RowCode, names: Sequence[str]) -> str:
        """The same for one row."""
        return names[0]


@stage
class DecisionTreeRegression(TreeStage):
    """The value of the leaf that the features reach."""

    op = "decision_tree_regression"
    spark_classes = ("org.apache.spark.ml.regression.DecisionTreeRegressionModel",)
    attributes = (
        NUM_FEATURES,
        LEAF_COL,
        Attr(
            "nacre.variance_col", "string", None, "Spark's varianceCol: a column of the variance of the leaf reached, "
            "which MLeap leaves out", spark=lambda s: s.param("varianceCol", "") or None, optional=True,
        ),
        Attr("nacre.variances", "list<double>", None, "the variance of each leaf, from the left", optional=True),
    )  # fmt: skip
    variance_col: str | None
    variances: list[float]

    def prepare(self) -> None:
        if self.variance_col is not None:
            self.add_column(VARIANCE_PORT, self.variance_col)
        super().prepare()
        leaves = len(self.leaf_values[0])
        if VARIANCE_PORT in self.output_ports and len(self.variances or ()) != leaves:
            got = len(self.variances or ())
            raise self.bad("a variance for each leaf", "nacre.variances", f"{leaves} values", got)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        values = saved.attributes(cls)
        if values["nacre.variance_col"] is not None:
            values["nacre.variances"] = _variances(saved)
        node = cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))
        node.tree = saved.trees(regression=True)[0][0]
        return [node]


def _variances(saved: Saved) -> list[float]:
    """Variance of each leaf, in pre-order, from Spark's own statistics: count, sum, sum of squares."""
    rows = sorted(saved.table.to_pylist(), key=lambda row: row["id"])
    found = []
    for row in rows:
        if row["leftChild"] == LEAF:
            count, summed, squares = row["impurityStats"]
            found.append((squares - (summed * summed) / count) / count if count else 0.0)
    return found


class EnsembleStage(Ensemble, TreeStage):
    """Several trees, each in a folder of its own."""

    attributes = (NUM_FEATURES, *ENSEMBLE, LEAF_COL)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        return [planted(cls, saved, DecisionTreeRegression, regression=True)]


@stage
class RandomForestRegression(EnsembleStage):
    """The mean of the trees' predictions: their sum in order, divided by their number. Weights do not count."""

    op = "random_forest_regression"
    spark_classes = ("org.apache.spark.ml.regression.RandomForestRegressionModel",)
    void = ("raw_prediction", "probability")  # scikit-learn's exporter names them for every forest

    def combine(self, predictions: Sequence[Floats]) -> Floats:
        return total(predictions) / len(predictions)

    def combine_row(self, code: RowCode, names: Sequence[str]) -> str:
        return code.let(f"{code.total(names)} / {code.number(len(names))}", "y")


@stage
class GBTRegression(EnsembleStage):
    """The sum of weight times prediction, in order. Spark adds from 16 trees on in another order (its BLAS)."""

    op = "gbt_regression"
    spark_classes = ("org.apache.spark.ml.regression.GBTRegressionModel",)
    exact = "sum within 1e-12 of the sum of the terms' sizes"

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        return 0.0 if port == LEAF_PORT else weighted_slack(self.predictions(inputs[0]), self.tree_weights)

    def combine(self, predictions: Sequence[Floats]) -> Floats:
        return total([each * weight for weight, each in zip(self.tree_weights, predictions, strict=True)])

    def combine_row(self, code: RowCode, names: Sequence[str]) -> str:
        return code.total([f"{x} * {code.number(w)}" for x, w in zip(names, self.tree_weights, strict=True)])


def weighted_slack(predictions: Sequence[float], weights: Sequence[float]) -> float:
    """The bound of a sum of weight times prediction."""
    return SUM * math.fsum(abs(x * weight) for x, weight in zip(predictions, weights, strict=True))
