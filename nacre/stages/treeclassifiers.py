"""Classification trees and their ensembles: decision_tree_classifier, random_forest_classifier, gbt_classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nacre.plan.maths import EXP, exp, mapped, total
from nacre.stages.base import REQUIRED, Attr, param, stage
from nacre.stages.classifying import PROBABILITY, RAW, THRESHOLDS, ClassifierStage
from nacre.stages.growing import ENSEMBLE, LEAF_COL, LEAF_PORT, NUM_FEATURES, Ensemble, Grown, planted
from nacre.stages.trees import DecisionTreeRegression, weighted_slack

if TYPE_CHECKING:
    from nacre.bundle.node import Node
    from nacre.plan.frame import Column, Floats, Vectors
    from nacre.plan.rowcode import Ref, RowCode, SparseRef, VectorRef
    from nacre.plan.types import Type
    from nacre.spark.saved import Saved

NUM_CLASSES = Attr("num_classes", "long", REQUIRED, "number of classes", spark=lambda s: s.extra("numClasses"))
SCORES = 2000
"""Leaf scores of a row (trees times classes) up to which each becomes a variable of the row plan."""


class TreeClassifier(Grown, ClassifierStage):
    """Votes of trees, one score a class. The trees give leaf numbers, unless a subclass says otherwise."""

    num_classes: int

    def prepare(self) -> None:
        if not 0 < self.num_classes < 1 << 20:
            raise self.bad("absurd number of classes", "num_classes", "1 to 1048575", self.num_classes)
        self.check_thresholds()
        self.plant()

    def plant(self) -> None:
        """Grow the trees."""
        self.grow(self.num_classes, numbered=True)
        votes = [[self.vote(values) for values in leaves] for leaves in self.leaf_values]
        self.tables = [np.array(each).T for each in votes]
        self.votes_of = [{float(n): vote for n, vote in enumerate(each)} for each in votes]
        """By tree, by leaf number: the leaf's scores."""

    @property
    def alone(self) -> bool:
        """Whether neither raw scores nor probabilities have a column."""
        return not {RAW.name, PROBABILITY.name} & set(self.output_ports)

    def slack(self, port: str, inputs: Sequence[Any]) -> float:
        return 0.0 if port == LEAF_PORT else super().slack(port, inputs)

    @property
    def size(self) -> int | None:
        return self.num_features

    @property
    def classes(self) -> int:
        return self.num_classes

    def vote(self, values: tuple[float, ...]) -> tuple[float, ...]:
        """A leaf's scores from the class counts it holds."""
        return values

    # Scores from what the trees give

    def combine(self, given: Sequence[Floats]) -> Floats:
        """Raw scores, shape (classes, rows)."""
        votes = [table[:, leaf.astype(np.intp)] for table, leaf in zip(self.tables, given, strict=True)]
        return total(votes) if self.ensemble else votes[0]

    def combine_row(self, code: RowCode, given: Sequence[str]) -> list[str]:
        """The same for one row."""
        if len(given) * self.num_classes > SCORES:
            summed = code.const(_summing(self.votes_of, self.num_classes), "votes")
            names = [code.new("s") for _ in range(self.num_classes)]
            code.line(f"{', '.join(names)}, = {summed}(({', '.join(given)},))")
            return names
        votes = []
        for table, leaf in zip(self.votes_of, given, strict=True):
            votes.append([code.new("s") for _ in range(self.num_classes)])
            code.line(f"{', '.join(votes[-1])}, = {code.const(table, 'leaf')}[{leaf}]")
        return [code.total(each) for each in zip(*votes, strict=True)] if self.ensemble else votes[0]

    def raw(self, features: Vectors) -> Floats:
        return self.over_columns(features, self.combine)

    def raw_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[str]:
        return self.combine_row(code, self.over_row(code, replace(features, null=None)))

    def probability(self, raw: Floats) -> Floats:
        summed = total(list(raw))
        return np.where(summed != 0.0, raw / summed, raw)

    def probability_row(self, code: RowCode, raw: Sequence[str]) -> list[str]:
        summed = code.total(raw)
        names = [code.new("p") for _ in raw]
        code.line(f"{', '.join(names)}, = {', '.join(raw)},")
        with code.block(f"if {summed} != 0.0"):
            for name, score in zip(names, raw, strict=True):
                code.line(f"{name} = {score} / {summed}")
        return names

    # With the column of leaves

    def types(self, inputs: Sequence[Type]) -> list[Type]:
        made = dict(zip(self.output_ports, super().types(inputs), strict=True))
        return [*(self.leaf_type() if port == LEAF_PORT else given for port, given in made.items())]

    def scored(self, features: Vectors) -> list[Column]:
        if LEAF_PORT not in self.output_ports:
            return super().scored(features)
        numbers = self.over_columns(features, lambda each: np.stack(list(each)))
        made = self.made(self.combine(list(numbers)))
        made[LEAF_PORT] = lambda: self.leaf_column(numbers)
        return [made[port]() for port in self.output_ports]

    def scored_row(self, code: RowCode, features: VectorRef | SparseRef) -> list[Ref]:
        if LEAF_PORT not in self.output_ports:
            return super().scored_row(code, features)
        numbers = self.over_row(code, replace(features, null=None))
        made = self.made_row(code, self.combine_row(code, numbers))
        made[LEAF_PORT] = lambda: self.leaf_ref(code, numbers)
        return [made[port]() for port in self.output_ports]


def _summing(tables: Sequence[dict[float, tuple[float, ...]]], classes: int) -> Any:
    """A function of all leaf numbers, for what would be too many variables; it adds as `RowCode.total` does."""

    def summed(leaves: Sequence[float]) -> list[float]:
        out = [0.0] * classes
        for table, leaf in zip(tables, leaves, strict=True):
            out = [score + vote for score, vote in zip(out, table[leaf], strict=True)]
        return out

    return summed


@stage
class DecisionTreeClassifier(TreeClassifier):
    """Raw scores are the class counts of the leaf that the features reach, probabilities their shares."""

    op = "decision_tree_classifier"
    spark_classes = ("org.apache.spark.ml.classification.DecisionTreeClassificationModel",)
    attributes = (NUM_FEATURES, NUM_CLASSES, THRESHOLDS, LEAF_COL)

    @property
    def by_probability(self) -> bool:
        """Without a column of scores or probabilities Spark takes the class kept at the leaf, thresholds or not."""
        return super().by_probability and not (self.alone and not self.as_mleap)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        nodes = super().from_spark(saved)
        nodes[0].tree = saved.trees(regression=False)[0][0]
        return nodes


@stage
class RandomForestClassifier(Ensemble, TreeClassifier):
    """Raw scores are the sums of the trees' shares of each class; weights do not count, nor does an empty leaf."""

    op = "random_forest_classifier"
    spark_classes = ("org.apache.spark.ml.classification.RandomForestClassificationModel",)
    attributes = (NUM_FEATURES, NUM_CLASSES, *ENSEMBLE, THRESHOLDS, LEAF_COL)

    def vote(self, values: tuple[float, ...]) -> tuple[float, ...]:
        summed = 0.0
        for value in values:  # not sum(): since Python 3.12 it compensates
            summed += value
        return tuple(value / summed for value in values) if summed != 0.0 else (0.0,) * len(values)

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        return [planted(cls, saved, DecisionTreeClassifier, regression=False)]


@stage
class GBTClassifier(Ensemble, TreeClassifier):
    """m = sum of weight times prediction; raw scores are -m and m, probabilities 1 / (1 + exp(2 m)) and the rest.

    The trees are regression trees. Spark adds from 16 trees on in another order (its BLAS).
    """

    op = "gbt_classifier"
    spark_classes = ("org.apache.spark.ml.classification.GBTClassificationModel",)
    attributes = (
        NUM_FEATURES, replace(NUM_CLASSES, spark=lambda s: 2), *ENSEMBLE, THRESHOLDS,
        Attr(
            "lossType", "string", "logistic", "the loss minimised when fitted", choices=("logistic",),
            spark=param("lossType"),
        ),
        LEAF_COL,
    )  # fmt: skip
    exact = "sum within 1e-12 of the sum of the terms' sizes, probability within half of that and 1e-12"

    def plant(self) -> None:
        if self.num_classes != 2:
            raise self.bad("boosted trees tell two classes apart", "num_classes", 2, self.num_classes)
        self.grow(1)

    @property
    def by_probability(self) -> bool:
        """Alone, the prediction asks whether m > 0."""
        return super().by_probability and not (self.alone and self.thresholds is None)

    def raw_slack(self, values: Sequence[float]) -> list[float]:
        return [weighted_slack(self.predictions(values), self.tree_weights)] * 2

    def probability_slack(self, raw: Floats, bounds: Sequence[float]) -> float:
        """The logistic curve of 2 m is never steeper than 1/2."""
        return bounds[0] / 2.0 + EXP

    def combine(self, given: Sequence[Floats]) -> Floats:
        if self.numbered:
            both = zip(self.leaf_values, given, strict=True)
            given = [np.array(table)[leaf.astype(np.intp), 0] for table, leaf in both]
        margin = total([each * weight for each, weight in zip(given, self.tree_weights, strict=True)])
        return np.stack([-margin, margin])

    def combine_row(self, code: RowCode, given: Sequence[str]) -> list[str]:
        if self.numbered:
            tables = [{float(n): values[0] for n, values in enumerate(table)} for table in self.leaf_values]
            both = zip(tables, given, strict=True)
            given = [code.let(f"{code.const(table, 'leaf')}[{leaf}]", "p") for table, leaf in both]
        margin = code.total([f"{x} * {code.number(w)}" for x, w in zip(given, self.tree_weights, strict=True)])
        return [code.let(f"-{margin}", "m"), margin]

    def probability(self, raw: Floats) -> Floats:
        first = 1.0 / (1.0 + mapped(exp, -2.0 * raw[0]))
        return np.stack([first, 1.0 - first])

    def probability_row(self, code: RowCode, raw: Sequence[str]) -> list[str]:
        first = code.let(f"1.0 / (1.0 + {code.const(exp, 'exp')}(-2.0 * {raw[0]}))", "p")
        return [first, code.let(f"1.0 - {first}", "p")]

    @classmethod
    def from_spark(cls, saved: Saved) -> list[Node]:
        return [planted(cls, saved, DecisionTreeRegression, regression=True)]
