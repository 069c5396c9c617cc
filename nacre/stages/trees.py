"""Regression trees and their ensembles: decision_tree_regression, random_forest_regression, gbt_regression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from nacre.bundle import trees as treefile
from nacre.errors import BundleError
from nacre.plan.forest import Forest, TreePlan
from nacre.plan.frame import Column, Floats, Result, Scalars, Vectors
from nacre.plan.maths import SUM
from nacre.plan.rowcode import Ref, RowCode, ScalarRef, SparseRef, VectorRef
from nacre.plan.types import DOUBLE, Type, vector
from nacre.stages.base import REQUIRED, Attr, Port, Stage, stage, vector_of
from nacre.stages.scaling import NULL, refuse_null

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.bundle.trees import Tree
    from nacre.spark.saved import Saved

NUM_FEATURES = Attr(
    "num_features", "long", REQUIRED, "size of the features vector", spark=lambda s: s.extra("numFeatures")
)


class TreeStage(Stage):
    """A features vector through a forest to one number."""

    inputs = (Port("features", vector(), "featuresCol"),)
    outputs = (Port("prediction", DOUBLE, "predictionCol"),)
    exact: ClassVar[str] = "bit for bit"
    num_features: int

    def prepare(self) -> None:
        if not 0 <= self.num_features < 1 << 31:
            raise self.bad("absurd number of features", "num_features", "0 to 2147483647", self.num_features)
        self.forest = Forest([self._plan(member) for member in self.tree_nodes()])

    def tree_nodes(self) -> list[Node]:
        """The nodes that hold the trees."""
        return [self.node]

    def _plan(self, member: Node) -> TreePlan:
        try:
            tree = treefile.read(member, self.num_features, 1)
        except BundleError as error:
            raise error.at(node=self.name) from error.__cause__
        return TreePlan(tree, [values[0] if values else 0.0 for values in tree.values], self.context.mleap)

    def wants(self) -> list[Type | None]:
        return [vector(self.num_features)]

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        vector_of(self, self.input_names[0], inputs[0], self.num_features)
        return [DOUBLE]

    def columns(self, inputs: Sequence[Column]) -> Result:
        (column,) = inputs
        assert isinstance(column, Vectors)
        result = Result([Scalars(self.forest.columns(column.matrix, self.combine))])
        if column.null is not None:
            result.fail(
                column.null, self.input_names[0], NULL, expected=f"vector[{self.num_features}]", got=lambda row: None
            )
        return result

    def row(self, code: RowCode, inputs: Sequence[Ref]) -> Sequence[Ref]:
        (ref,) = inputs
        assert isinstance(ref, (VectorRef, SparseRef))
        refuse_null(code, self.input_names[0], ref)
        names = code.components(replace(ref, null=None))
        return [ScalarRef(self.combine_row(code, self.forest.row(code, names)))]

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
    attributes = (NUM_FEATURES,)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        nodes = super().from_spark(saved)
        nodes[0].tree = saved.trees(regression=True)[0][0]
        return nodes


class EnsembleStage(TreeStage):
    """Several trees, each in a folder of its own."""

    attributes = (
        NUM_FEATURES,
        Attr("tree_weights", "list<double>", REQUIRED, "weight of each tree"),
        Attr("trees", "list<string>", REQUIRED, "folders of the trees, in order"),
    )
    tree_weights: list[float]
    trees: list[str]

    def prepare(self) -> None:
        if not self.trees or len(self.tree_weights) != len(self.trees):
            raise self.bad(
                "trees and weights do not match", "tree_weights", f"{len(self.trees)} weights", len(self.tree_weights)
            )
        super().prepare()

    def tree_nodes(self) -> list[Node]:
        members = {member.name: member for member in self.node.members}
        missing = [name for name in self.trees if name not in members]
        if missing:
            raise self.bad("a tree is missing", "trees", f"the folder {missing[0]}", sorted(members)[:8])
        return [members[name] for name in self.trees]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        found = saved.trees(regression=True)
        names = [f"tree{n}" for n in range(len(found))]
        features = saved.extra("numFeatures")
        values = {"num_features": features, "tree_weights": [weight for _, weight in found], "trees": names}
        node = cls.make(saved.uid, values, saved.ports(cls.inputs), saved.ports(cls.outputs))
        node.members = [_member(name, tree, features) for name, (tree, _) in zip(names, found, strict=True)]
        return [node]


def _member(name: str, tree: Tree, features: int) -> Node:
    node = DecisionTreeRegression.make(name, {"num_features": features}, [], [])
    node.tree = tree
    return node


@stage
class RandomForestRegression(EnsembleStage):
    """The mean of the trees' predictions: their sum in order, divided by their number. Weights do not count."""

    op = "random_forest_regression"
    spark_classes = ("org.apache.spark.ml.regression.RandomForestRegressionModel",)

    def combine(self, predictions: Sequence[Floats]) -> Floats:
        total = np.zeros_like(predictions[0])
        for each in predictions:
            total += each
        return total / len(predictions)

    def combine_row(self, code: RowCode, names: Sequence[str]) -> str:
        return code.let(f"{code.total(names)} / {code.number(len(names))}", "y")


@stage
class GBTRegression(EnsembleStage):
    """The sum of weight times prediction, in order. Spark adds from 16 trees on in another order (its BLAS)."""

    op = "gbt_regression"
    spark_classes = ("org.apache.spark.ml.regression.GBTRegressionModel",)
    exact = "sum within 1e-12 of the sum of the terms' sizes"

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        terms = [
            plan.walker()(inputs[0]) * weight for plan, weight in zip(self.forest.plans, self.tree_weights, strict=True)
        ]
        return SUM * math.fsum(map(abs, terms))

    def combine(self, predictions: Sequence[Floats]) -> Floats:
        total = np.zeros_like(predictions[0])
        for weight, each in zip(self.tree_weights, predictions, strict=True):
            total += each * weight
        return total

    def combine_row(self, code: RowCode, names: Sequence[str]) -> str:
        return code.total([f"{x} * {code.number(w)}" for x, w in zip(names, self.tree_weights, strict=True)])
