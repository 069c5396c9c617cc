"""Cases of clustering, mixtures and recommendation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.parity.cases.base import INF, NAN, TINY, Case, vectors, wide

if TYPE_CHECKING:
    from tests.parity.frames import Columns


def blobs() -> Columns:
    """Three heaps of points in three dimensions, away from zero."""
    random = np.random.default_rng(1)
    heaps = [random.normal(center, 0.7, (25, 3)) for center in ([4.0, 1.0, 0.5], [-3.0, 2.0, 5.0], [1.0, -6.0, 2.0])]
    return {"features": (("vector", 3), vectors(*np.concatenate(heaps).tolist()))}


def scattered() -> Columns:
    random = np.random.default_rng(2)
    edge = vectors(
        [0.0, 0.0, 0.0], [-0.0, 1.0, 0.0], [TINY, TINY, TINY], [1e8, -1e8, 1.0], [1.0, 1.0, 1.0], [1e-3, 0.0, 0.0],
    )  # fmt: skip
    sparse = wide(3, {}, {0: 1.0}, {1: 2.5, 2: -1.0})
    return {"features": (("vector", 3), [*edge, None, *sparse, *vectors(*random.normal(0, 4, (20, 3)).tolist())])}


def strange() -> Columns:
    return {"features": (("vector", 3), vectors([NAN, 1.0, 1.0], [INF, 1.0, 1.0], [1.0, -INF, INF], [NAN, NAN, NAN]))}


def both(first: Columns, second: Columns) -> Columns:
    return {name: (kind, [*values, *second[name][1]]) for name, (kind, values) in first.items()}


def k_means(measure: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.clustering import KMeans

        return [KMeans(k=3, seed=1, distanceMeasure=measure, predictionCol="k")]

    return stages


def bisecting(measure: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.clustering import BisectingKMeans

        return [BisectingKMeans(k=5, seed=1, distanceMeasure=measure, predictionCol="k")]

    return stages


def mixtures() -> Sequence[Any]:
    from pyspark.ml.clustering import GaussianMixture

    return [
        GaussianMixture(k=3, seed=1, predictionCol="k", probabilityCol="p", maxIter=5),
        GaussianMixture(k=2, seed=1, predictionCol="k2", probabilityCol="", maxIter=2),
    ]


def documents() -> Columns:
    random = np.random.default_rng(3)
    rows = [{int(i): float(random.integers(1, 6)) for i in random.choice(8, 4, replace=False)} for _ in range(20)]
    return {"features": (("vector", 8), [*wide(8, {}, {3: 0.0}, *rows), *vectors([1.0] * 8, [0.0] * 8)])}


def topics() -> Sequence[Any]:
    from pyspark.ml.clustering import LDA

    return [
        LDA(k=3, seed=1, maxIter=5, optimizer="online", topicDistributionCol="topics"),
        LDA(k=2, seed=1, maxIter=5, optimizer="em", topicDistributionCol="em"),
    ]


RATINGS: Columns = {
    "user": ("int", [0, 0, 1, 1, 2, 2, 3]),
    "item": ("int", [0, 1, 1, 2, 0, 2, 1]),
    "rating": ("float", [4.0, 1.0, 5.0, 2.0, 3.0, 1.0, 2.5]),
}
# Spark joins the ids: a row that it refuses cannot be told from its neighbours, so there is none here.
ASKED: Columns = {
    "user": ("int", [0, 1, 2, 3, 9, 0, -1, 2**31 - 1]),
    "item": ("int", [0, 1, 2, 2, 1, 5, 1, 0]),
    "rating": ("float", [0.0]),
}

OTHER_IDS: Columns = {"user": ("double", [*map(float, ASKED["user"][1])]), "item": ("bigint", ASKED["item"][1])}


def ratings(strategy: str) -> Callable[[], Sequence[Any]]:
    def stages() -> Sequence[Any]:
        from pyspark.ml.recommendation import ALS

        return [ALS(rank=4, maxIter=3, seed=1, coldStartStrategy=strategy).setPredictionCol("p")]

    return stages


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {
        "k_means": [
            Case("euclidean", k_means("euclidean"), blobs(), scattered()),
            Case("cosine", k_means("cosine"), blobs(), scattered()),
            Case("strange", k_means("euclidean"), blobs(), strange()),
        ],
        "bisecting_k_means": [
            Case("euclidean", bisecting("euclidean"), blobs(), scattered()),
            Case("cosine", bisecting("cosine"), blobs(), scattered()),
            Case("strange", bisecting("euclidean"), blobs(), strange()),
        ],
        "gaussian_mixture": [Case("full", mixtures, blobs(), both(scattered(), strange()))],
        "lda_local_model_op": [Case("online-and-em", topics, documents(), documents())],
        "als": [
            *(Case(word, ratings(word), RATINGS, ASKED, whole=True) for word in ("nan", "drop")),
            Case("other-ids", ratings("nan"), RATINGS, {**ASKED, **OTHER_IDS}, whole=True),
        ],
    }
