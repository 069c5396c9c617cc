"""Cases of one_vs_rest, of classifiers of several ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.parity.cases.base import Case
from tests.parity.cases.treeclassifiers import classed, made
from tests.parity.cases.trees import grown, strange
from tests.parity.frames import rows_of, schema_of

THREE = classed(grown(), 3)


def rest(name: str, **params: Any) -> Callable[[], Sequence[Any]]:
    """The model, from classifiers fitted here: PySpark's own fit leaves a pool of threads to the garbage collector."""

    def stages() -> Sequence[Any]:
        from pyspark.ml.classification import OneVsRestModel
        from pyspark.sql import SparkSession
        from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

        session = SparkSession.getActiveSession()
        assert session is not None
        rows = [tuple(row.values()) for row in rows_of(THREE)]
        frame = session.createDataFrame(rows, schema_of(THREE)).cache()
        one = made(name, params)
        labels = (F.when(F.col("label") == float(n), 1.0).otherwise(0.0) for n in range(3))
        models = [one.fit(frame.withColumn("label", label)) for label in labels]
        found = OneVsRestModel(models=models)
        found._set(featuresCol="features", predictionCol="prediction", classifier=one)
        return [found]

    return stages


def cases() -> dict[str, list[Case]]:
    """op -> its cases."""
    return {
        "one_vs_rest": [
            Case("trees", rest("DecisionTreeClassifier", maxDepth=4, leafCol="leaf"), THREE, strange()),
            Case("logistic", rest("LogisticRegression", maxIter=3), THREE, strange()),
        ]
    }
