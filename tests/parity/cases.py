"""The parity table: for every op, pipelines that Spark fits, and rows that try everything it may meet.

A new op needs an entry in CASES; `test_parity.py` fails while it has none, or while a word of a choice is met by none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.parity.frames import Columns, rows_of, schema_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAN, INF = math.nan, math.inf
TINY = 5e-324
TEXTS = ["a", "b", "", "é😀", "a", "q\"'\n{x}", "nan", "unseen", None, " a", "A", "b"]
NUMBERS = [0.0, -0.0, 1.5, NAN, INF, -INF, None, 1e10, 1e-5, TINY, -1.5, 0.1]


@dataclass(frozen=True)
class Case:
    """`stages`: what is fitted on `fit`, or already fitted models; `score`: what both then score."""

    name: str
    stages: Callable[[], Sequence[Any]]
    fit: Columns
    score: Columns

    def model(self, spark: SparkSession) -> Any:
        """The fitted pipeline."""
        from pyspark.ml import Pipeline

        rows = [tuple(row.values()) for row in rows_of(self.fit)]
        return Pipeline(stages=list(self.stages())).fit(spark.createDataFrame(rows, schema_of(self.fit)))


# Indexing


def indexers(policy: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import StringIndexer

        several = StringIndexer(inputCols=["d", "i", "f"], outputCols=["dx", "ix", "fx"], handleInvalid=policy)
        return [StringIndexer(inputCol="s", outputCol="sx", handleInvalid=policy), several]

    return stages


LABELS: Columns = {
    "s": ("string", ["a", "b", "", "é😀", "a", "q\"'\n{x}", "nan"]),
    "d": ("double", [0.0, -0.0, 1.5, NAN, 1e10, 1e-5, TINY]),
    "i": ("int", [0, -1, 7, 2**31 - 1, 10000000, 0, 0]),
    "f": ("float", [0.1, -0.0, INF, 1e10, 16777216.0, 0.001, 0.1]),
}
LABELLED: Columns = {
    "s": ("string", [*TEXTS[:9], *["a"] * 14]),
    "d": ("double", [*[0.0] * 9, -0.0, 1.5, NAN, 1e10, 1e-5, TINY, INF, None, *[1.5] * 6]),
    "i": ("int", [*[7] * 16, 0, -1, 2**31 - 1, 10000000, 5, None, 7]),
    "f": ("float", [*[0.1] * 10, -0.0, INF, 1e10, 16777216.0, 0.001, NAN, *[0.1] * 6, None]),
}


def encoders(policy: str, drop_last: bool) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import OneHotEncoder

        given = {"handleInvalid": policy, "dropLast": drop_last}
        single = OneHotEncoder(inputCol="one", outputCol="onev", **given)
        return [OneHotEncoder(inputCols=["d", "i"], outputCols=["dv", "iv"], **given), single]

    return stages


INDEXES: Columns = {
    "d": ("double", [0.0, 1.0, 2.0]),
    "i": ("int", [3, 0, 1]),
    "one": ("double", [0.0, 0.0, 0.0]),
}
INDEXED: Columns = {
    "d": ("double", [0.0, 1.0, 2.0, 3.0, -0.0, 0.5, 2.9, -0.5, NAN, INF, None, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1e300]),
    "i": ("int", [*[0] * 11, 3, 1, 4, -1, None, 2, 2]),
    "one": ("double", [*[0.0] * 16, 1.0, 0.0]),
}


# Assembling


def assemblers(policy: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import VectorAssembler

        columns = ["i", "f", "b", "d", "l", "v"]
        return [
            VectorAssembler(inputCols=columns, outputCol="mixed", handleInvalid=policy),
            VectorAssembler(inputCols=["wide", "d"], outputCol="wider", handleInvalid=policy),
            VectorAssembler(inputCols=["mixed", "wider"], outputCol="all", handleInvalid=policy),
        ]

    return stages


def vectors(*each: Any) -> list[Any]:
    """Lists to dense vectors, dicts to sparse ones of size 3, others as they are."""
    from pyspark.ml.linalg import Vectors

    known = {list: Vectors.dense, dict: lambda entries: Vectors.sparse(3, entries)}
    return [known.get(type(x), lambda same: same)(x) for x in each]


def wide(size: int, *each: dict[int, float] | None) -> list[Any]:
    from pyspark.ml.linalg import Vectors

    return [None if x is None else Vectors.sparse(size, x) for x in each]


def parts() -> Columns:
    return {
        "i": ("int", [1, -7, 0, None, 3, 3, 3, 3, 3, 3, 0, 0]),
        "f": ("float", [0.1, -0.0, 1e-45, 0.1, NAN, None, 0.1, 0.1, 0.1, 0.1, 0.0, 0.0]),
        "b": ("boolean", [True, False, True, True, True, True, None, True, True, True, False, False]),
        "d": ("double", [0.1, -0.0, INF, 0.5, 0.5, 0.5, 0.5, NAN, 0.5, 0.5, 0.0, 1.0]),
        "l": ("bigint", [2**53 + 1, -1, 2**62 + 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        "v": (
            ("vector", 3),
            vectors(
                [1.0, -0.0, NAN], [0.0, 0.0, 0.0], [0.1, INF, -INF], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0], {}, {0: 1.0},
                {2: -0.0}, None, {1: NAN, 2: 0.0}, {}, {0: 0.0, 2: 5.0},
            ),
        ),
        "wide": (
            ("vector", 8),
            wide(8, {}, {7: 1.0}, {0: 1.0, 3: -0.0}, {}, {}, {}, {}, {}, {1: 2.0}, None, {}, dict.fromkeys(range(8), 1.0)),
        ),
    }  # fmt: skip


# Scaling


def scaling() -> Columns:
    """Vectors of four entries, the last one constant when fitted."""
    return {
        "v": (
            ("vector", 4),
            [
                *vectors([1.0, -2.0, 0.1, 5.0], [3.0, 7.5, 0.7, 5.0], [0.3, 0.1, 1e10, 5.0], [0.3, 0.1, -1e-10, 5.0]),
                *wide(4, {3: 5.0}),
            ],
        )
    }


def scaled() -> Columns:
    dense = vectors(
        [1.0, -2.0, 0.1, 5.0], [0.3, 0.1, 0.7, -5.0], [-0.0, -0.0, -0.0, -0.0], [NAN, INF, -INF, NAN],
        [1e308, -1e308, TINY, INF], [0.2, 0.30000000000000004, 3.3, 0.0], None, [0.0, 0.0, 0.0, 5.0],
    )  # fmt: skip
    return {"v": (("vector", 4), [*dense, *wide(4, {}, {0: 1.0}, {1: 0.0, 2: -0.0}, {1: 7.7, 3: NAN}, {3: -5.0})])}


def standard_scalers() -> Sequence[Any]:
    from pyspark.ml.feature import StandardScaler

    both = [(True, True), (True, False), (False, True)]
    return [
        StandardScaler(inputCol="v", outputCol=f"mean{mean:d}std{std:d}", withMean=mean, withStd=std)
        for mean, std in both
    ]


def min_max_scalers() -> Sequence[Any]:
    from pyspark.ml.feature import MinMaxScaler, StandardScaler

    return [
        MinMaxScaler(inputCol="v", outputCol="unit"),
        MinMaxScaler(inputCol="v", outputCol="other", min=-1.1, max=3.3),
        StandardScaler(inputCol="v", outputCol="s", withMean=False, withStd=True),
        MinMaxScaler(inputCol="s", outputCol="chained", min=0.1, max=0.7),
    ]


def random_vectors(rows: int, size: int, seed: int) -> list[Any]:
    random = np.random.default_rng(seed)
    return vectors(*(random.normal(scale=10.0 ** random.integers(-8, 9), size=(rows, size))).tolist())


# Imputing


def imputers() -> Sequence[Any]:
    from pyspark.ml.feature import Imputer

    return [
        Imputer(inputCols=["d", "f"], outputCols=["dm", "fm"], strategy="mean"),
        Imputer(inputCols=["i", "l", "h", "t"], outputCols=["im", "lm", "hm", "tm"], strategy="median"),
        Imputer(inputCol="d", outputCol="d0", strategy="mode", missingValue=0.0),
    ]


def imputers_in_place() -> Sequence[Any]:
    from pyspark.ml.feature import Imputer, VectorAssembler

    return [
        VectorAssembler(inputCols=["i"], outputCol="before", handleInvalid="keep"),
        Imputer(inputCols=["i", "f"], outputCols=["i", "f"], strategy="mean", missingValue=-1.0),
        VectorAssembler(inputCols=["i", "f", "d"], outputCol="after", handleInvalid="keep"),
        Imputer(inputCol="d", outputCol="d", strategy="mean"),
    ]


HOLES: Columns = {
    "d": ("double", [0.1, 0.2, NAN, None, -7.5, 0.1]),
    "f": ("float", [0.1, 0.2, NAN, None, -7.5, -1.0]),
    "i": ("int", [1, 4, 6, None, -1, 1]),
    "l": ("bigint", [1, 2**53 + 1, None, 7, -1, 1]),
    "h": ("smallint", [1, 300, None, 7, -1, 1]),
    "t": ("tinyint", [1, 100, None, 7, -1, 1]),
}
HOLED: Columns = {
    "d": ("double", NUMBERS),
    "f": ("float", [0.1, -0.0, 1.5, NAN, INF, -INF, None, 1e10, 1e-45, -1.0, 16777217.0, 0.0]),
    "i": ("int", [0, -1, None, 2**31 - 1, -(2**31), 5, None, 1, 2, 3, 4, 6]),
    "l": ("bigint", [0, 2**53 + 1, None, 2**63 - 1, -(2**63), 2**62 + 1, 1, 2, 3, 4, 5, -(2**53) - 1]),
    "h": ("smallint", [0, None, 32767, -32768, *[1] * 8]),
    "t": ("tinyint", [0, None, 127, -128, *[1] * 8]),
}


# Bucketing


def bucketizers(policy: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.feature import Bucketizer

        return [
            Bucketizer(splits=[-INF, -0.5, 0.0, 0.1, INF], inputCol="d", outputCol="open", handleInvalid=policy),
            Bucketizer(
                splitsArray=[[0.0, 1.0, 2.0], [-1.0, -0.0, 5.0], [-3.0, -2.5, 0.0]],
                inputCols=["x", "f", "i"], outputCols=["bx", "bf", "bi"], handleInvalid=policy,
            ),
        ]  # fmt: skip

    return stages


BUCKETED: Columns = {
    "d": ("double", [*NUMBERS, *[0.0] * 16]),
    "x": ("double", [*[0.5] * 12, 0.0, -0.0, 1.0, 2.0, 2.0000000000000004, -1e-300, INF, -INF, NAN, None, *[1.5] * 6]),
    "f": ("float", [*[0.1] * 22, 5.0, 0.0, -0.0, None, NAN, 0.1]),
    "i": ("int", [*[-1] * 22, -3, 0, None, -2, -1, 1]),
}


# Trees


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


def nested_pipelines() -> Sequence[Any]:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import Bucketizer, Imputer, MinMaxScaler, OneHotEncoder, StringIndexer, VectorAssembler

    texts = Pipeline(
        stages=[
            StringIndexer(inputCol="kind", outputCol="kx", handleInvalid="skip"),
            OneHotEncoder(inputCols=["kx"], outputCols=["kv"]),
        ]
    )
    numbers = Pipeline(
        stages=[
            Imputer(inputCols=["x", "y"], outputCols=["x", "y"]),
            Pipeline(stages=[Bucketizer(splits=[-INF, 0.0, INF], inputCol="x", outputCol="xb")]),
        ]
    )
    assembler = VectorAssembler(inputCols=["kv", "x", "xb", "y"], outputCol="raw", handleInvalid="error")
    return [texts, numbers, assembler, Pipeline(stages=[]), MinMaxScaler(inputCol="raw", outputCol="features")]


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    words = ("error", "skip", "keep")
    random = {"v": (("vector", 4), random_vectors(24, 4, 3))}
    return {
        "string_indexer": [Case(word, indexers(word), LABELS, LABELLED) for word in words],
        "one_hot_encoder": [
            Case(f"{word}-{'drop' if drop else 'all'}", encoders(word, drop), INDEXES, INDEXED)
            for word in ("error", "keep")
            for drop in (True, False)
        ],
        "vector_assembler": [Case(word, assemblers(word), parts(), parts()) for word in words],
        "standard_scaler": [
            Case("edges", standard_scalers, scaling(), scaled()),
            Case("random", standard_scalers, random, random),
        ],
        "min_max_scaler": [
            Case("edges", min_max_scalers, scaling(), scaled()),
            Case("random", min_max_scalers, random, random),
        ],
        "imputer": [Case("new-columns", imputers, HOLES, HOLED), Case("in-place", imputers_in_place, HOLES, HOLED)],
        "bucketizer": [Case(word, bucketizers(word), BUCKETED, BUCKETED) for word in words],
        "decision_tree_regression": [
            Case("categories", one_tree(6), GROWN, FELLED),
            Case("deep", one_tree(12), numbered_rows(600, 2), FELLED),
            Case("unseen-categories", tree_on_vectors, grown(), strange()),
            Case("leaf", leaf_only, grown(), without_null(strange())),
        ],
        "random_forest_regression": [Case("categories", forests, GROWN, FELLED)],
        "gbt_regression": [Case("categories", boosted, GROWN, FELLED)],
        "pipeline": [Case("nested", nested_pipelines, GROWN, FELLED)],
    }
