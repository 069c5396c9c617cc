"""What a parity case is, and the values that hurt. Shared by the families beside this module."""

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
WORDS = ("error", "skip", "keep")
NUMBERS = [0.0, -0.0, 1.5, NAN, INF, -INF, None, 1e10, 1e-5, TINY, -1.5, 0.1]


@dataclass(frozen=True)
class Case:
    """`stages`: what is fitted on `fit`, or already fitted models; `score`: what both then score."""

    name: str
    stages: Callable[[], Sequence[Any]]
    fit: Columns
    score: Columns
    whole: bool = False
    """Whether Spark shuffles the rows, so that they can only be asked for all at once; none may fail then."""

    def model(self, spark: SparkSession) -> Any:
        """The fitted pipeline."""
        from pyspark.ml import Pipeline

        rows = [tuple(row.values()) for row in rows_of(self.fit)]
        return Pipeline(stages=list(self.stages())).fit(spark.createDataFrame(rows, schema_of(self.fit)))


def vectors(*each: Any) -> list[Any]:
    """Lists to dense vectors, dicts to sparse ones of size 3, others as they are."""
    from pyspark.ml.linalg import Vectors

    known = {list: Vectors.dense, dict: lambda entries: Vectors.sparse(3, entries)}
    return [known.get(type(x), lambda same: same)(x) for x in each]


def wide(size: int, *each: dict[int, float] | None) -> list[Any]:
    from pyspark.ml.linalg import Vectors

    return [None if x is None else Vectors.sparse(size, x) for x in each]


def random_vectors(rows: int, size: int, seed: int) -> list[Any]:
    random = np.random.default_rng(seed)
    return vectors(*(random.normal(scale=10.0 ** random.integers(-8, 9), size=(rows, size))).tolist())
