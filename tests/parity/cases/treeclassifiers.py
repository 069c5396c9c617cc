"""Cases of classification trees and their ensembles, and of the columns of leaves and variances of all tree models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from tests.parity.cases.base import Case
from tests.parity.cases.trees import FELLED, GROWN, featured, grown, strange

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def classed(columns: Columns, classes: int) -> Columns:
    """With a label of some classes that depends on the number that stood there."""
    labels = columns["label"][1]
    edges = sorted(labels)[:: len(labels) // classes][1:classes]
    return {**columns, "label": ("double", [float(sum(x > edge for edge in edges)) for x in labels])}


def made(name: str, params: dict[str, Any]) -> Any:
    """An estimator with params set by name: not every one is an argument of its constructor."""
    from pyspark.ml import classification, regression

    found = (getattr(classification, name, None) or getattr(regression, name))()
    for each, value in {**({"seed": 1} if found.hasParam("seed") else {}), **params}.items():
        found.set(found.getParam(each), value)
    return found


def named(name: str, **params: Any) -> Callable[[], Sequence[Any]]:
    """A tree model on indexed texts and numbers."""
    return lambda: featured(made(name, params))


def on_vectors(name: str, **params: Any) -> Callable[[], Sequence[Any]]:
    """A tree model on vectors alone."""
    return lambda: [made(name, params)]


def without(*columns: str) -> dict[str, str]:
    return {f"{column}Col": "" for column in columns}


FOUR, TWO = classed(GROWN, 4), classed(GROWN, 2)
FOUR_GROWN, TWO_GROWN = classed(grown(), 4), classed(grown(), 2)


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    tree, forest, boosted = "DecisionTreeClassifier", "RandomForestClassifier", "GBTClassifier"
    bare = without("rawPrediction", "probability")
    return {
        "decision_tree_classifier": [
            Case("categories", named(tree, maxDepth=6), FOUR, FELLED),
            Case("thresholds", named(tree, maxDepth=4, thresholds=[0.5, 0.0, 0.3, 2.0]), FOUR, FELLED),
            Case("unseen-categories", on_vectors(tree, leafCol="leaf", maxDepth=5), FOUR_GROWN, strange()),
            Case("probability", on_vectors(tree, **without("rawPrediction")), TWO_GROWN, strange()),
            Case("prediction", on_vectors(tree, thresholds=[0.9, 0.1], **bare), TWO_GROWN, strange()),
            Case(
                "leaf-column", on_vectors(tree, leafCol="leaf", **bare, **without("prediction")), TWO_GROWN, strange()
            ),
        ],
        "random_forest_classifier": [
            Case("categories", named(forest, numTrees=5, maxDepth=6), FOUR, FELLED),
            Case("leaf-column", on_vectors(forest, numTrees=4, leafCol="leaf"), TWO_GROWN, strange()),
            Case("thresholds", on_vectors(forest, numTrees=3, thresholds=[0.2, 0.8]), TWO_GROWN, strange()),
            Case("prediction", on_vectors(forest, numTrees=3, thresholds=[0.9, 0.1], **bare), TWO_GROWN, strange()),
        ],
        "gbt_classifier": [
            Case("categories", named(boosted, maxIter=18, maxDepth=3, stepSize=0.3), TWO, FELLED),
            Case("few", on_vectors(boosted, maxIter=5, leafCol="leaf"), TWO_GROWN, strange()),
            Case("thresholds", on_vectors(boosted, maxIter=3, thresholds=[0.3, 0.7]), TWO_GROWN, strange()),
            Case("prediction", on_vectors(boosted, maxIter=3, **bare), TWO_GROWN, strange()),
        ],
        "decision_tree_regression": [
            Case(
                "leaf-column",
                on_vectors("DecisionTreeRegressor", leafCol="leaf", varianceCol="variance"),
                grown(),
                strange(),
            ),
            Case(
                "variance", on_vectors("DecisionTreeRegressor", varianceCol="v", predictionCol=""), grown(), strange()
            ),
        ],
        "random_forest_regression": [
            Case("leaf-column", on_vectors("RandomForestRegressor", numTrees=3, leafCol="leaf"), grown(), strange())
        ],
        "gbt_regression": [
            Case("leaf-column", on_vectors("GBTRegressor", maxIter=4, leafCol="leaf"), grown(), strange())
        ],
    }
