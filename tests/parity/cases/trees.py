"""Cases of regression trees and their ensembles; classifiers borrow their data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.parity.cases.base import INF, NAN, TINY, Case, vectors, wide

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def numbered_rows(rows: int, seed: int, categories: int = 7) -> Columns:
    """Texts and numbers with a label that depends on them."""
    random = np.random.default_rng(seed)
    kinds = [f"k{n}" for n in random.integers(0, categories, rows)]
    x, y = random.normal(size=rows), random.integers(0, 5, rows) / 4.0
    label = np.array([hash_of(kind) for kind in kinds]) + np.sin(3 * x) * 2 + y * x
    return {
        "kind": ("string", kinds),
        "two": ("string", [f"t{int(n > 3)}" for n in random.integers(0, 8, rows)]),
        "x": ("double", x.tolist()),
        "y": ("double", y.tolist()),
        "label": ("double", label.tolist()),
    }


def hash_of(text: str) -> float:
    return sum(map(ord, text)) * 7919 % 101 / 10.0


def featured(*models: Any) -> Sequence[Any]:
    """Indexed texts, so that the trees split by category, and numbers, in front of tree models."""
    from pyspark.ml.feature import StringIndexer, VectorAssembler

    indexer = StringIndexer(inputCols=["kind", "two"], outputCols=["kx", "tx"], handleInvalid="keep")
    return [
        indexer,
        VectorAssembler(inputCols=["kx", "tx", "x", "y"], outputCol="features", handleInvalid="keep"),
        *models,
    ]


GROWN = numbered_rows(300, 1)
STEPS = [-0.0, NAN, INF, -INF, TINY, 1e300, None, 0.25]
FELLED: Columns = {
    "kind": ("string", [*(f"k{n}" for n in range(10)), None, "", *["k2"] * 8, *GROWN["kind"][1][:24]]),
    "two": ("string", [*["t0", "t1"] * 4, None, "t2", "t0", "t1", *["t1"] * 8, *GROWN["two"][1][:24]]),
    "x": ("double", [*[0.1] * 12, *STEPS, *GROWN["x"][1][:24]]),
    "y": ("double", [*[0.5] * 12, *STEPS, *GROWN["y"][1][:24]]),
}


def grown() -> Columns:
    """Vectors whose entries 0 and 1 are categories by their metadata, the others numbers."""
    random = np.random.default_rng(5)
    kinds, pairs = random.integers(0, 6, 300), random.integers(0, 2, 300)
    x, y = random.normal(size=300), random.normal(size=300)
    rows = [[float(k), float(p), a, b] for k, p, a, b in zip(kinds, pairs, x, y, strict=True)]
    effect = np.array([3.0, 2.0, 12.0, 2.5, 3.2, -0.5])  # four of six below the rest: more than half go left
    label = effect[kinds] + pairs * x + np.abs(y)
    return {"features": (("nominal", (6, 2, 0, 0)), vectors(*rows)), "label": ("double", label.tolist())}


def strange() -> Columns:
    """Categories that nobody fitted, and numbers at the edge."""
    values = [0.0, 1.0, 5.0, 6.0, 99.0, -1.0, 0.5, -0.0, NAN, INF, -INF, 1e300]
    rows: list[list[float]] = []
    for value in values:
        rows += [[value, 0.0, 0.1, 0.1], [value, 1.0, -0.4, 2.0], [1.0, value, 0.3, -0.3], [2.0, 0.0, value, value]]
    return {"features": (("vector", 4), [*vectors(*rows), None, *wide(4, {}, {0: 3.0}, {2: -0.5, 3: 0.0})])}


def without_null(columns: Columns) -> Columns:
    """A tree that is one leaf never looks at its features: Spark then even scores a null, which is refused here."""
    return {name: (kind, [value for value in values if value is not None]) for name, (kind, values) in columns.items()}


def one_tree(depth: int) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.regression import DecisionTreeRegressor

        return featured(DecisionTreeRegressor(maxDepth=depth, seed=1))

    return stages


def tree_on_vectors() -> Sequence[Any]:
    from pyspark.ml.regression import DecisionTreeRegressor

    return [DecisionTreeRegressor(maxDepth=5, seed=1, predictionCol="p")]


def leaf_only() -> Sequence[Any]:
    from pyspark.ml.regression import DecisionTreeRegressor

    return [DecisionTreeRegressor(maxDepth=0, predictionCol="p")]


def forests() -> Sequence[Any]:
    from pyspark.ml.regression import RandomForestRegressor

    return featured(RandomForestRegressor(numTrees=5, maxDepth=6, seed=1))


def boosted() -> Sequence[Any]:
    from pyspark.ml.regression import GBTRegressor

    return featured(GBTRegressor(maxIter=18, maxDepth=3, stepSize=0.3, seed=1))


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {
        "decision_tree_regression": [
            Case("categories", one_tree(6), GROWN, FELLED),
            Case("deep", one_tree(12), numbered_rows(600, 2), FELLED),
            Case("unseen-categories", tree_on_vectors, grown(), strange()),
            Case("leaf", leaf_only, grown(), without_null(strange())),
        ],
        "random_forest_regression": [Case("categories", forests, GROWN, FELLED)],
        "gbt_regression": [Case("categories", boosted, GROWN, FELLED)],
    }
